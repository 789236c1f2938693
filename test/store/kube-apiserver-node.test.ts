// Whole nodes against a real kube-apiserver: what deploy/ has is applied to it, its service account is who the nodes are, and the server dies,
// comes back without its history, and takes a thousand services.
import { type ChildProcess, execFileSync, spawn } from 'node:child_process';
import { once } from 'node:events';
import { closeSync, mkdtempSync, openSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import { afterAll, afterEach, beforeAll, describe, expect, test } from '@jest/globals';
import { parseAllDocuments } from 'yaml';
import type { ProxyStatus } from '../../proxy/proxy-status.ts';
import { unixRequest } from '../../runtime/unix-request.ts';
import { isApiError } from '../../store/kubernetes/api/api-error.ts';
import { KubeClient } from '../../store/kubernetes/api/kube-client.ts';
import { openAccess } from '../../store/kubernetes/api/open-access.ts';
import { probeKubernetes } from '../../store/kubernetes/probe-kubernetes.ts';
import { ping, run, statusOf, TestCluster, type TestNode, untilStatus } from '../agent/cluster.ts';
import { type Wire, wireTo } from './etcd-cluster.ts';
import type { ApiObject } from './fake-api-server.ts';
import { bareNode, serviceObject, sliceObject } from './kubernetes-suite.ts';
import { objectKey, placeOf, RealApiServer, whyNoApiServer } from './real-api-server.ts';
import { until } from './until.ts';

const why = whyNoApiServer();
const describeReal = why === undefined ? describe : describe.skip;
if (why !== undefined) test.skip(`nodes against kube-apiserver: ${why}`, () => undefined);

const address = '192.0.2.200';
const netloom = fileURLToPath(new URL('../../scripts/netloom', import.meta.url));
const { signal } = new AbortController();

function manifest(name: string): readonly ApiObject[] {
  const text = readFileSync(new URL(`../../deploy/${name}`, import.meta.url), 'utf8');
  return parseAllDocuments(text, { merge: true }).map((document) => document.toJS());
}

describeReal('nodes against kube-apiserver', () => {
  let cluster: TestCluster;
  let server: RealApiServer;
  let wire: Wire;
  let directory: string;
  const running = new Map<string, ChildProcess>();

  beforeAll(async () => {
    directory = mkdtempSync(join(tmpdir(), 'netloom-real-'));
    cluster = new TestCluster({ nodes: 2 });
    // The API server is a machine of its own beside the nodes.
    run(`ip link add api0 type veth peer name port200 netns ${cluster.fabric.name}`);
    run(`ip -n ${cluster.fabric.name} link set port200 master br0 up`);
    run(`ip address add ${address}/24 dev api0`);
    run('ip link set api0 up');
    server = await RealApiServer.start({ address });
    wire = await wireTo(server.port, { address });
    for (const { name, number } of cluster.nodes)
      await server.create(bareNode(name, `10.244.${number}.0/24`));
  }, 120_000);

  afterEach(async () => {
    for (const child of running.values()) {
      const ended = once(child, 'exit');
      if (child.exitCode === null && child.kill('SIGTERM')) await ended;
    }
    running.clear();
  });

  afterAll(async () => {
    await wire[Symbol.asyncDispose]();
    await server[Symbol.asyncDispose]();
    await cluster.close();
    rmSync(directory, { recursive: true });
  });

  const node = (i: number): TestNode => {
    const found = cluster.nodes[i];
    if (found === undefined) throw new RangeError(`no node ${i}`);
    return found;
  };

  /** As kubeadm's for kube-proxy: a CA and a token, in files. */
  async function kubeconfigOf(account: string): Promise<string> {
    const path = (name: string) => join(directory, `${account.replace('/', '.')}.${name}`);
    writeFileSync(path('token'), await server.tokenOf(account), { mode: 0o600 });
    const text = {
      apiVersion: 'v1',
      kind: 'Config',
      'current-context': 'default',
      contexts: [{ name: 'default', context: { cluster: 'default', user: 'default' } }],
      clusters: [
        {
          name: 'default',
          cluster: { server: `https://${address}:${wire.port}`, 'certificate-authority': server.pki.ca },
        },
      ],
      users: [{ name: 'default', user: { tokenFile: path('token') } }],
    };
    writeFileSync(path('kubeconfig'), JSON.stringify(text));
    return path('kubeconfig');
  }

  async function startNode({ name, place, flags, directory: home }: TestNode, kubeconfig: string) {
    const config = join(directory, 'net-conf.json');
    const [text] = manifest('netloom.yml').flatMap(({ kind, data }) =>
      kind === 'ConfigMap' ? [String(Object(data)['net-conf.json'])] : [],
    );
    writeFileSync(config, text ?? '');
    const log = openSync(join(home, 'agent.log'), 'a');
    const more = [
      ...['--store=kubernetes', '--service-store=kubernetes', `--kubeconfig-file=${kubeconfig}`],
      ...[`--net-config-path=${config}`, `--hostname-override=${name}`],
    ];
    const words = [`--net=/run/netns/${place.name}`, netloom, 'node', ...flags, ...more];
    running.set(name, spawn('nsenter', words, { stdio: ['ignore', log, log] }));
    closeSync(log);
  }

  const proxyStatusOf = async ({ directory: home }: TestNode): Promise<ProxyStatus | undefined> => {
    try {
      const socketPath = join(home, 'run', 'proxy.sock');
      // What the proxy prints is what it declares.
      return (await unixRequest({ socketPath, path: '/status', timeoutMs: 2000 })).body as ProxyStatus;
    } catch {
      return undefined;
    }
  };

  const rules = ({ place }: TestNode): string => run(`ip netns exec ${place.name} nft list ruleset`);
  const countOf = async (which: TestNode) => (await proxyStatusOf(which))?.families[0]?.services ?? -1;

  /** Runs them, some at a time. */
  async function all(work: readonly (() => Promise<unknown>)[], together = 20): Promise<void> {
    const rest = [...work];
    await Promise.all(
      Array.from({ length: together }, async () => {
        for (let next = rest.shift(); next !== undefined; next = rest.shift()) await next();
      }),
    );
  }

  const condition = async (name: string): Promise<unknown> =>
    Object(Object(await server.get('nodes', name))['status'])['conditions']?.find(
      (one: unknown) => Object(one).type === 'NetworkUnavailable',
    );

  test.each(['netloom.yml', 'netloom-proxy.yml'])(
    'the server takes deploy/%s, every field of it',
    async (file) => {
      const objects = manifest(file);
      expect(objects.map(({ kind }) => kind)).toContain('DaemonSet');
      for (const object of objects) await server.create(object, { dryRun: true });
    },
  );

  describe('with what deploy/ has', () => {
    beforeAll(async () => {
      for (const object of manifest('netloom.yml')) await server.create(object);
    });

    afterAll(async () => {
      for (const object of manifest('netloom.yml'))
        await server.remove(String(object.kind), objectKey(object));
    });

    test('its service account may do what nodes do, and nothing else', async () => {
      const kubeconfig = await kubeconfigOf('kube-system/netloom');
      const configPath = join(directory, 'empty.json');
      writeFileSync(configPath, '{"Network":"10.244.0.0/16"}');
      const access = { kubeconfig };
      const leases = { kind: 'kubernetes', access, configPath } as const;
      expect((await probeKubernetes({ access, node: 'node-1', leases, signal })).faults).toEqual([]);
      expect((await probeKubernetes({ access, node: 'node-1', signal })).faults).toEqual([]);
      const client = new KubeClient({ access: await openAccess(access) });
      try {
        for (const [method, path] of [
          ['GET', '/api/v1/secrets'],
          ['GET', '/api/v1/pods'],
          ['GET', placeOf('ConfigMap', 'kube-system/netloom').one],
          ['PATCH', '/api/v1/nodes/node-1'],
          ['DELETE', '/api/v1/nodes/node-1'],
          ['POST', '/api/v1/nodes'],
          ['GET', '/api/v1/events'],
          ['POST', '/api/v1/namespaces/kube-system/events'],
          ['PATCH', '/api/v1/namespaces/default/services/kubernetes'],
        ] as const) {
          const error: unknown = await client
            .text({ method, path, signal, ...(method === 'GET' ? {} : { body: {} }) })
            .catch((one: unknown) => one);
          expect([path, isApiError(error, 403)]).toEqual([path, true]);
        }
      } finally {
        client.close();
      }
      // What is taken away is found.
      const binding = manifest('netloom.yml').find(({ kind }) => kind === 'ClusterRoleBinding');
      if (binding === undefined) throw new Error('There is no ClusterRoleBinding');
      await server.remove('ClusterRoleBinding', 'netloom');
      await until(async () => {
        const { faults } = await probeKubernetes({ access, node: 'node-1', leases, signal });
        return (
          faults.map(({ kind, object }) => `${kind} ${object}`).join() ===
          'denied get nodes,denied list nodes,denied watch nodes,denied patch nodes/status'
        );
      });
      await server.create(binding);
      await until(async () => {
        const { faults } = await probeKubernetes({ access, node: 'node-1', leases, signal });
        return faults.length === 0;
      });
    });

    test('kube-proxy’s service account is enough for the proxy alone', async () => {
      const name = 'kube-proxy';
      const account = { kind: 'ServiceAccount', name, namespace: 'kube-system' };
      await server.create({
        apiVersion: 'v1',
        kind: 'ServiceAccount',
        metadata: { name, namespace: 'kube-system' },
      });
      // As kubeadm binds it.
      await server.create({
        apiVersion: 'rbac.authorization.k8s.io/v1',
        kind: 'ClusterRoleBinding',
        metadata: { name: 'kubeadm:node-proxier' },
        roleRef: {
          apiGroup: 'rbac.authorization.k8s.io',
          kind: 'ClusterRole',
          name: 'system:node-proxier',
        },
        subjects: [account],
      });
      const access = { kubeconfig: await kubeconfigOf('kube-system/kube-proxy') };
      await until(
        async () => (await probeKubernetes({ access, node: 'node-1', signal })).faults.length === 0,
      );
    });

    test('two nodes, through a server that dies, a history that is lost, and tokens that end', async () => {
      const kubeconfig = await kubeconfigOf('kube-system/netloom');
      for (const one of cluster.nodes) await startNode(one, kubeconfig);
      for (const one of cluster.nodes)
        await untilStatus(
          one,
          ({ ready, peers }) => ready && peers.length === 1 && peers[0]?.programmed === true,
        );
      await until(() => ping(node(0), '10.244.2.1'));
      expect((await server.get('nodes', 'node-1'))?.metadata.annotations).toMatchObject({
        'flannel.alpha.coreos.com/backend-type': 'vxlan',
        'flannel.alpha.coreos.com/kube-subnet-manager': 'true',
        'flannel.alpha.coreos.com/public-ip': '192.0.2.1',
      });
      await until(async () => Object(await condition('node-2')).reason === 'NetloomIsUp');
      await until(async () =>
        (await server.list('events')).some(
          ({ reason, involvedObject }) =>
            reason === 'NetworkReady' && Object(involvedObject).name === 'node-1',
        ),
      );
      await server.create(serviceObject('web', '10.96.0.10'));
      await server.create(sliceObject('web', ['10.244.1.5']));
      for (const one of cluster.nodes) await until(() => rules(one).includes('10.244.1.5'));

      // It dies: all stays as it is, and is told. It comes back, and is followed on.
      await server.kill();
      await until(async () => (await proxyStatusOf(node(0)))?.problems.total !== 0);
      await until(async () => (await statusOf(node(0)))?.problems.length !== 0);
      expect(ping(node(0), '10.244.2.1')).toBe(true);
      expect(rules(node(0))).toContain('10.244.1.5');
      await server.launch();
      await server.merge('endpointslices', 'default/web-1', {
        endpoints: [{ addresses: ['10.244.1.6'], conditions: { ready: true } }],
      });
      for (const one of cluster.nodes)
        await until(() => rules(one).includes('10.244.1.6') && !rules(one).includes('10.244.1.5'), 60_000);

      // Cut off, while much changes, and then nobody knows any more what: 410 to all watches.
      await server.create(serviceObject('gone', '10.96.0.11'));
      for (const one of cluster.nodes) await until(() => rules(one).includes('10.96.0.11'));
      const old = (await server.get('nodes', 'node-1'))?.metadata.resourceVersion;
      wire.cut();
      await server.remove('services', 'default/gone');
      await server.create(serviceObject('come', '10.96.0.12'));
      await server.remove('nodes', 'node-2');
      await server.kill();
      await server.launch();
      await server.compact();
      expect(await expiredAt(old)).toBe(true);
      wire.mend();
      await until(
        () => rules(node(0)).includes('10.96.0.12') && !rules(node(0)).includes('10.96.0.11'),
        60_000,
      );
      await untilStatus(node(0), ({ peers, problems }) => peers.length === 0 && problems.length === 0);
      await server.create(bareNode('node-2', '10.244.2.0/24'));
      await untilStatus(node(0), ({ peers }) => peers[0]?.programmed === true);
      await until(() => ping(node(0), '10.244.2.1'));
      await until(async () => Object(await condition('node-2')).reason === 'NetloomIsUp');

      // The service account is made anew: no token of the old one counts. kubelet brings another.
      const account = manifest('netloom.yml').find(({ kind }) => kind === 'ServiceAccount');
      if (account === undefined) throw new Error('There is no ServiceAccount');
      await server.remove('ServiceAccount', 'kube-system/netloom');
      await server.create(account);
      // The server takes a token that it has just seen for some seconds more, and a watch for as long as it stands.
      await until(async () => {
        wire.cut();
        wire.mend();
        await delay(500);
        return (await statusOf(node(0)))?.problems.some(({ message }) => message.includes('401')) === true;
      }, 60_000);
      expect(ping(node(0), '10.244.2.1')).toBe(true);
      await kubeconfigOf('kube-system/netloom');
      await untilStatus(node(0), ({ problems }) => problems.length === 0);
      await server.create(serviceObject('last', '10.96.0.13'));
      for (const one of cluster.nodes) await until(() => rules(one).includes('10.96.0.13'), 60_000);
      for (const name of ['web', 'come', 'last']) await server.remove('services', `default/${name}`);
    }, 300_000);

    test('a thousand services come, change and go', async () => {
      await startNode(node(0), await kubeconfigOf('kube-system/netloom'));
      const names = Array.from({ length: 1000 }, (_, i) => `s${i}`);
      await until(async () => (await proxyStatusOf(node(0)))?.ready === true, 60_000);
      const before = await countOf(node(0));
      const ipOf = (i: number) => `10.96.${16 + Math.floor(i / 250)}.${i % 250}`;
      await all(
        names.map((name, i) => async () => {
          await server.create(serviceObject(name, ipOf(i)));
          await server.create(sliceObject(name, [`10.244.2.${1 + (i % 250)}`]));
        }),
      );
      await until(async () => (await countOf(node(0))) === before + 1000, 60_000);
      /** How many endpoints in the kernel are of that network. */
      const ledTo = (network: string) => {
        const listed = run(`ip netns exec ${node(0).place.name} nft list map ip netloom-proxy endpoints`);
        return listed.split(`${network}.`).length - 1;
      };
      await until(() => ledTo('10.244.2') === 1000, 60_000);
      // A rolling update of all of them: each slice gets another endpoint.
      await all(
        names.map(
          (name, i) => () =>
            server.merge('endpointslices', `default/${name}-1`, {
              endpoints: [{ addresses: [`10.244.1.${1 + (i % 250)}`], conditions: { ready: true } }],
            }),
        ),
      );
      await until(() => ledTo('10.244.1') === 1000 && ledTo('10.244.2') === 0, 60_000);
      await all(names.map((name) => () => server.remove('services', `default/${name}`)));
      await until(async () => (await countOf(node(0))) === before, 60_000);
      expect(await proxyStatusOf(node(0))).toMatchObject({ ready: true, problems: { total: 0 } });
    }, 300_000);
  });

  /** Whether a watch from there is answered with 410. */
  async function expiredAt(version: string | undefined): Promise<boolean> {
    const query = { watch: '1', resourceVersion: version, timeoutSeconds: '5' };
    try {
      const lines = await server.admin.watch({ path: '/api/v1/nodes', query, silenceMs: 10_000, signal });
      for await (const some of lines)
        return some.some((line) => Object(JSON.parse(line)).object?.code === 410);
      return false;
    } catch (error) {
      return isApiError(error, 410);
    }
  }

  test('nothing of it is left in the machine’s own network', () => {
    expect(execFileSync('ip', ['-br', 'link'], { encoding: 'utf8' })).not.toMatch(/flannel|cni0/);
  });
});
