// A real kube-apiserver with etcd, where both are on PATH, on loopback and in a directory of its own: for the suite that the small one
// passes too. Nothing else of Kubernetes runs: no controller touches what a test makes.
import { type ChildProcess, execFileSync, spawn } from 'node:child_process';
import { generateKeyPairSync, randomBytes } from 'node:crypto';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { isApiError } from '../../store/kubernetes/api/api-error.ts';
import type { KubeAccess } from '../../store/kubernetes/api/kube-access.ts';
import { KubeClient } from '../../store/kubernetes/api/kube-client.ts';
import type { ApiObject } from './fake-api-server.ts';
import { agentRules, proxyRules } from './rbac-rules.ts';
import { suiteResources, type TestCluster } from './test-cluster.ts';
import { until } from './until.ts';

/** Why there can be none here; undefined: there can. */
export function whyNoApiServer(): string | undefined {
  for (const program of ['kube-apiserver', 'etcd']) {
    try {
      execFileSync(program, ['--version'], { stdio: 'ignore' });
    } catch {
      return `${program} is not on PATH`;
    }
  }
  return undefined;
}

async function freePort(): Promise<number> {
  const server = createServer();
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const address = server.address();
  await new Promise<void>((resolve) => server.close(() => resolve()));
  if (typeof address !== 'object' || address === null) throw new Error('no port');
  return address.port;
}

export async function realCluster(): Promise<TestCluster> {
  const directory = mkdtempSync(join(tmpdir(), 'netloom-apiserver-'));
  const [client, peer, api] = [await freePort(), await freePort(), await freePort()];
  const tokens = { admin: secret(), agent: secret(), proxy: secret() };
  const path = (name: string): string => join(directory, name);
  writeFileSync(
    path('tokens.csv'),
    `${tokens.admin},admin,admin,"system:masters"\n${tokens.agent},agent,agent\n${tokens.proxy},proxy,proxy\n`,
    { mode: 0o600 },
  );
  const { privateKey } = generateKeyPairSync('rsa', { modulusLength: 2048 });
  writeFileSync(path('sa.key'), privateKey.export({ type: 'pkcs1', format: 'pem' }), { mode: 0o600 });
  const processes: ChildProcess[] = [];
  const start = (program: string, args: readonly string[]): void => {
    processes.push(spawn(program, args, { stdio: 'ignore' }));
  };
  const close = async (): Promise<void> => {
    for (const one of processes.reverse()) {
      const ended = new Promise((resolve) => one.once('exit', resolve));
      if (one.exitCode === null && one.kill('SIGKILL')) await ended;
    }
    rmSync(directory, { recursive: true, force: true });
  };
  const etcd = `http://127.0.0.1:${client}`;
  start('etcd', [
    `--data-dir=${path('etcd')}`,
    `--listen-client-urls=${etcd}`,
    `--advertise-client-urls=${etcd}`,
    `--listen-peer-urls=http://127.0.0.1:${peer}`,
    '--unsafe-no-fsync',
  ]);
  start('kube-apiserver', [
    `--etcd-servers=${etcd}`,
    '--bind-address=127.0.0.1',
    '--advertise-address=127.0.0.1',
    `--secure-port=${api}`,
    `--cert-dir=${path('certificates')}`,
    `--token-auth-file=${path('tokens.csv')}`,
    '--authorization-mode=RBAC',
    '--service-cluster-ip-range=10.96.0.0/16',
    '--service-account-issuer=https://kubernetes.default.svc',
    `--service-account-key-file=${path('sa.key')}`,
    `--service-account-signing-key-file=${path('sa.key')}`,
    // It would give nodes a taint, and want service accounts of pods, that nobody makes here.
    '--disable-admission-plugins=TaintNodesByCondition,ServiceAccount',
  ]);
  const accessOf = (token: string): KubeAccess => ({
    server: `https://127.0.0.1:${api}`,
    credentials: async () => ({
      headers: { authorization: `Bearer ${token}` },
      tls: { ca: readFileSync(path('certificates/apiserver.crt')) },
    }),
    refused() {},
  });
  const signal = new AbortController().signal;
  const admin = new KubeClient({ access: accessOf(tokens.admin) });
  const ask = async (run: () => Promise<unknown>): Promise<ApiObject | undefined> => {
    try {
      // What the server answers with is an object of its API.
      return (await run()) as ApiObject;
    } catch (error) {
      if (isApiError(error, 404)) return undefined;
      throw error;
    }
  };
  const place = (resource: string, key: string): { readonly all: string; readonly one: string } => {
    const [namespace, name] = key.includes('/') ? key.split('/') : [undefined, key];
    const base = resource === 'endpointslices' ? '/apis/discovery.k8s.io/v1' : '/api/v1';
    const all = `${base}${namespace === undefined ? '' : `/namespaces/${namespace}`}/${resource}`;
    return { all, one: `${all}/${name}` };
  };
  const list = async (resource: string): Promise<readonly ApiObject[]> => {
    const answer: unknown = await admin.json({ path: place(resource, 'x').all, signal });
    const items: unknown = Object(answer).items;
    return Array.isArray(items) ? items : [];
  };
  const keyOf = ({ metadata: { namespace, name } }: ApiObject): string =>
    namespace === undefined ? name : `${namespace}/${name}`;
  const remove = async (resource: string, key: string): Promise<void> => {
    await ask(() => admin.json({ method: 'DELETE', path: place(resource, key).one, signal }));
  };
  const get = (resource: string, key: string) =>
    ask(() => admin.json({ path: place(resource, key).one, signal }));
  const cluster: TestCluster = {
    access: (role) => accessOf(tokens[role]),
    list,
    get,
    remove,
    async put(resource, object) {
      const { all, one } = place(resource, keyOf(object));
      const before = await get(resource, keyOf(object));
      if (before === undefined) {
        await admin.json({ method: 'POST', path: all, body: object, signal });
        return;
      }
      // Labels and annotations that are not in it any more are gone; the rest of its metadata is the server's.
      const gone = (
        had: Readonly<Record<string, string>> = {},
        has: Readonly<Record<string, string>> = {},
      ) => ({
        ...Object.fromEntries(Object.keys(had).map((name) => [name, null])),
        ...has,
      });
      const { labels, annotations } = object.metadata;
      const metadata = {
        labels: gone(before.metadata.labels, labels),
        annotations: gone(before.metadata.annotations, annotations),
      };
      const taints = resource === 'nodes' ? { taints: null } : {};
      const spec = object['spec'] === undefined ? {} : { spec: { ...taints, ...Object(object['spec']) } };
      await admin.json({
        method: 'PATCH',
        path: one,
        contentType: 'application/merge-patch+json',
        body: { ...object, ...spec, metadata },
        signal,
      });
    },
    async clear() {
      for (const resource of suiteResources)
        for (const object of await list(resource))
          if (keyOf(object) !== 'default/kubernetes') await remove(resource, keyOf(object));
    },
    async [Symbol.asyncDispose]() {
      admin.close();
      await close();
    },
  };
  try {
    const rbac = '/apis/rbac.authorization.k8s.io/v1';
    await until(async () => {
      try {
        await admin.text({ path: '/readyz', signal });
        await admin.text({ path: `${rbac}/clusterroles/cluster-admin`, signal });
        return await admin.text({ path: '/api/v1/namespaces/default', signal }).then(() => true);
      } catch {
        return false;
      }
    }, 90_000);
    for (const [name, rules] of [
      ['agent', agentRules],
      ['proxy', proxyRules],
    ] as const) {
      const head = { apiVersion: 'rbac.authorization.k8s.io/v1', metadata: { name } };
      const create = (kind: string, body: object) =>
        admin.json({ method: 'POST', path: `${rbac}/${kind}`, body: { ...head, ...body }, signal });
      await create('clusterroles', { kind: 'ClusterRole', rules });
      await create('clusterrolebindings', {
        kind: 'ClusterRoleBinding',
        roleRef: { apiGroup: 'rbac.authorization.k8s.io', kind: 'ClusterRole', name },
        subjects: [{ apiGroup: 'rbac.authorization.k8s.io', kind: 'User', name }],
      });
    }
    return cluster;
  } catch (error) {
    await close();
    throw error;
  }
}

function secret(): string {
  return randomBytes(16).toString('hex');
}
