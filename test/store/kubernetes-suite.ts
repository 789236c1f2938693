// What the Kubernetes stores do, whatever API server is behind them: run against the fake one (store/kubernetes/) and a real one
// (kube-apiserver.test.ts).
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test } from '@jest/globals';
import { IpAddress } from '../../net/address.ts';
import { Mac } from '../../net/mac.ts';
import { errorMessage } from '../../runtime/error-text.ts';
import { KubeClient } from '../../store/kubernetes/api/kube-client.ts';
import { KubernetesLeaseStore } from '../../store/kubernetes/kubernetes-lease-store.ts';
import { createKubernetesServiceSource } from '../../store/kubernetes/kubernetes-service-source.ts';
import { followOwnNode } from '../../store/kubernetes/own-node.ts';
import type { LeaseRequest, LeaseSnapshot } from '../../store/lease-store.ts';
import type { ServiceBatch, ServiceSource } from '../../store/service-source.ts';
import { isStoreError, type StoreErrorCode } from '../../store/store-error.ts';
import type { ApiObject } from './fake-api-server.ts';
import type { TestCluster } from './test-cluster.ts';
import { until } from './until.ts';

const prefix = 'flannel.alpha.coreos.com/';
const retry = { min: 10, max: 100 };

/** A Node as flannel left it. */
export function flannelNode(name: string, i: number, more: Readonly<Record<string, string>> = {}): ApiObject {
  const annotations = {
    'backend-data': `{"VNI":1,"VtepMAC":"0a:00:00:00:00:${String(i).padStart(2, '0')}"}`,
    'backend-type': 'vxlan',
    'kube-subnet-manager': 'true',
    'public-ip': `192.0.2.${i}`,
    ...more,
  };
  return {
    ...bareNode(name, `10.244.${i}.0/24`),
    metadata: {
      name,
      annotations: Object.fromEntries(Object.entries(annotations).map(([key, text]) => [prefix + key, text])),
    },
  };
}

export function bareNode(name: string, network?: string): ApiObject {
  return {
    apiVersion: 'v1',
    kind: 'Node',
    metadata: { name },
    spec: network === undefined ? {} : { podCIDR: network, podCIDRs: [network] },
  };
}

export function requestOf(node: string, i: number): LeaseRequest {
  return {
    node,
    publicIp: IpAddress.parse(`192.0.2.${i}`),
    backendType: 'vxlan',
    backendData: {
      kind: 'vxlan',
      vni: 1,
      vtepMac: Mac.parse(`0a:00:00:00:00:${String(i).padStart(2, '0')}`),
    },
  };
}

export function serviceObject(
  name: string,
  ip: string,
  labels: Readonly<Record<string, string>> = {},
): ApiObject {
  return {
    apiVersion: 'v1',
    kind: 'Service',
    metadata: { namespace: 'default', name, labels },
    spec: {
      type: 'ClusterIP',
      clusterIP: ip,
      clusterIPs: [ip],
      ports: [{ protocol: 'TCP', port: 80, targetPort: 8080 }],
    },
  };
}

export function sliceObject(
  service: string,
  addresses: readonly string[],
  labels: Readonly<Record<string, string>> = {},
): ApiObject {
  return {
    apiVersion: 'discovery.k8s.io/v1',
    kind: 'EndpointSlice',
    metadata: {
      namespace: 'default',
      name: `${service}-1`,
      labels: { 'kubernetes.io/service-name': service, ...labels },
    },
    addressType: 'IPv4',
    ports: [{ name: '', protocol: 'TCP', port: 8080 }],
    endpoints: addresses.map((address) => ({ addresses: [address], conditions: { ready: true } })),
  };
}

export function kubernetesSuite(open: () => Promise<TestCluster>): void {
  let cluster: TestCluster;
  let directory: string;
  let configPath: string;
  let stores: KubernetesLeaseStore[];
  const signal = new AbortController().signal;

  beforeAll(async () => {
    cluster = await open();
  }, 120_000);
  afterAll(async () => {
    await cluster[Symbol.asyncDispose]();
  });
  beforeEach(() => {
    directory = mkdtempSync(join(tmpdir(), 'netloom-kube-'));
    configPath = join(directory, 'net-conf.json');
    writeFileSync(configPath, '{"Network":"10.244.0.0/16","Backend":{"Type":"vxlan"}}');
    stores = [];
  });
  afterEach(async () => {
    await Promise.all(stores.map((store) => store.close()));
    await cluster.clear();
    rmSync(directory, { recursive: true });
  });

  function openStore(): KubernetesLeaseStore {
    const client = new KubeClient({ access: cluster.access('agent') });
    const store = new KubernetesLeaseStore({ client, configPath, retry, configLookMs: 20 });
    stores.push(store);
    return store;
  }

  /** Keeps the newest snapshot. */
  function watched(store: KubernetesLeaseStore): { readonly now: () => LeaseSnapshot | undefined } {
    let now: LeaseSnapshot | undefined;
    void (async () => {
      for await (const next of store.watch(signal)) now = next;
    })();
    return { now: () => now };
  }

  const annotationsOf = async (name: string) => {
    const all = (await cluster.get('nodes', name))?.metadata.annotations ?? {};
    return Object.fromEntries(
      Object.entries(all).flatMap(([key, text]) =>
        key.startsWith(prefix) ? [[key.slice(prefix.length), text]] : [],
      ),
    );
  };

  async function codeOf(promise: Promise<unknown>): Promise<[StoreErrorCode | undefined, string]> {
    try {
      await promise;
      return [undefined, 'it went well'];
    } catch (error) {
      return [isStoreError(error) ? error.code : undefined, errorMessage(error)];
    }
  }

  describe('leases', () => {
    test('a lease is flannel’s annotations on our own Node, and nothing else changes', async () => {
      const node = bareNode('n1', '10.244.1.0/24');
      await cluster.put('nodes', {
        ...node,
        metadata: { name: 'n1', labels: { 'example.com/a': 'b' }, annotations: { 'example.com/c': 'd' } },
      });
      const lease = await openStore().acquire(requestOf('n1', 1), signal);
      expect(String(lease.subnet)).toBe('10.244.1.0/24');
      expect(lease.expiresAt).toBeUndefined();
      const after = await cluster.get('nodes', 'n1');
      expect(after?.metadata.annotations).toMatchObject({
        'example.com/c': 'd',
        [`${prefix}backend-data`]: '{"VNI":1,"VtepMAC":"0a:00:00:00:00:01"}',
        [`${prefix}backend-type`]: 'vxlan',
        [`${prefix}kube-subnet-manager`]: 'true',
        [`${prefix}public-ip`]: '192.0.2.1',
      });
      expect(Object.keys(await annotationsOf('n1'))).toHaveLength(4);
      expect(after?.metadata.labels).toMatchObject({ 'example.com/a': 'b' });
      expect(after?.['spec']).toMatchObject({ podCIDR: '10.244.1.0/24' });
    });

    test('who asks again for the same writes nothing', async () => {
      await cluster.put('nodes', bareNode('n1', '10.244.1.0/24'));
      await openStore().acquire(requestOf('n1', 1), signal);
      const version = (await cluster.get('nodes', 'n1'))?.metadata.resourceVersion;
      const lease = await openStore().acquire(requestOf('n1', 1), signal);
      await openStore().renew(lease, signal);
      expect((await cluster.get('nodes', 'n1'))?.metadata.resourceVersion).toBe(version);
    });

    test('what it said of a family that it has no more is taken away', async () => {
      const old = { 'public-ipv6': 'fd00::1', 'backend-v6-data': '{"VNI":1,"VtepMAC":"0a:00:00:00:00:99"}' };
      await cluster.put('nodes', flannelNode('n1', 1, old));
      await openStore().acquire(requestOf('n1', 1), signal);
      expect(Object.keys(await annotationsOf('n1')).sort()).toEqual([
        'backend-data',
        'backend-type',
        'kube-subnet-manager',
        'public-ip',
      ]);
    });

    test('nodes of flannel come, change and go; those that nobody manages are passed over', async () => {
      await cluster.put('nodes', bareNode('n1', '10.244.1.0/24'));
      await cluster.put('nodes', bareNode('stranger', '10.244.77.0/24'));
      const store = openStore();
      const { now } = watched(store);
      await store.acquire(requestOf('n1', 1), signal);
      await cluster.put('nodes', flannelNode('n2', 2));
      await until(() => [...(now()?.leases.keys() ?? [])].join() === '10.244.1.0-24,10.244.2.0-24');
      expect(now()?.problems).toEqual([]);
      const own = now()?.leases.get('10.244.1.0-24');
      await cluster.put('nodes', flannelNode('n2', 2, { 'public-ip': '192.0.2.222' }));
      await until(() => String(now()?.leases.get('10.244.2.0-24')?.publicIp) === '192.0.2.222');
      // One that did not change is the same object.
      expect(now()?.leases.get('10.244.1.0-24')).toBe(own);
      await cluster.remove('nodes', 'n2');
      await until(() => now()?.leases.size === 1);
    });

    test('the state once, without following it', async () => {
      await cluster.put('nodes', flannelNode('n2', 2));
      const { leases, problems } = await openStore().snapshot(signal);
      expect([...leases.keys()]).toEqual(['10.244.2.0-24']);
      expect(problems).toEqual([]);
    });

    test('a lease that overlaps, lies outside, shares an address or is nonsense is refused and shown; ours stays', async () => {
      await cluster.put('nodes', bareNode('n1', '10.244.1.0/24'));
      const store = openStore();
      const { now } = watched(store);
      await store.acquire(requestOf('n1', 1), signal);
      await until(() => now()?.leases.size === 1);
      const bad = (name: string, i: number, network: string, more = {}) =>
        cluster.put('nodes', {
          ...flannelNode(name, i, more),
          spec: { podCIDR: network, podCIDRs: [network] },
        });
      await bad('inside', 11, '10.244.1.128/25');
      await bad('outside', 12, '10.99.0.0/24');
      await bad('shared', 13, '10.244.13.0/24', { 'public-ip': '192.0.2.1' });
      await bad('shell', 14, '10.244.14.0/24', { 'public-ip': '$(reboot)' });
      await bad('good', 15, '10.244.15.0/24');
      await until(() => now()?.problems.length === 4 && now()?.leases.size === 2);
      const said = Object.fromEntries(
        (now()?.problems ?? []).map(({ object, message }) => [object, message]),
      );
      expect(said['nodes/inside']).toContain('"10.244.1.128/25" overlaps "10.244.1.0/24" of node "n1"');
      expect(said['nodes/outside']).toContain('"10.99.0.0/24" is outside of the network "10.244.0.0/16"');
      expect(said['nodes/shared']).toContain('the public address "192.0.2.1" is also that of node "n1"');
      expect(said['nodes/shell']).toContain('"$(reboot)" is not an IPv4 address');
      expect([...(now()?.leases.keys() ?? [])].sort()).toEqual(['10.244.1.0-24', '10.244.15.0-24']);
      await cluster.remove('nodes', 'inside');
      await until(() => now()?.problems.length === 3);
    });

    test('a lease that turns bad stays as it was, and is shown', async () => {
      await cluster.put('nodes', flannelNode('n2', 2));
      const { now } = watched(openStore());
      await until(() => now()?.leases.size === 1);
      await cluster.put('nodes', flannelNode('n2', 2, { 'backend-data': '{"VNI":1,"VtepMAC":"; reboot"}' }));
      await until(() => now()?.problems.length === 1);
      expect(now()?.problems[0]?.message).toMatch(/"; reboot" is not a MAC address.*stays$/);
      expect(now()?.leases.size).toBe(1);
      await cluster.put('nodes', flannelNode('n2', 2));
      await until(() => now()?.problems.length === 0);
    });

    test('a node without a network, one that is not there, one whose address another has', async () => {
      await cluster.put('nodes', bareNode('n1'));
      const store = openStore();
      expect(await codeOf(store.acquire(requestOf('n1', 1), signal))).toEqual([
        'invalid',
        expect.stringContaining('spec.podCIDRs: there is no IPv4 network'),
      ]);
      expect(await codeOf(store.acquire(requestOf('n9', 9), signal))).toEqual([
        'missing',
        expect.stringContaining('Cannot find "nodes/n9"'),
      ]);
      await cluster.put('nodes', flannelNode('n2', 2));
      await cluster.put('nodes', bareNode('n3', '10.244.3.0/24'));
      expect(await codeOf(store.acquire(requestOf('n3', 2), signal))).toEqual([
        'conflict',
        expect.stringContaining('its public address "192.0.2.2" is held by "nodes/n2"'),
      ]);
      expect(await annotationsOf('n3')).toEqual({});
    });

    test('an operator’s address is published in place of ours', async () => {
      const node = bareNode('n1', '10.244.1.0/24');
      await cluster.put('nodes', {
        ...node,
        metadata: { name: 'n1', annotations: { [`${prefix}public-ip-overwrite`]: '203.0.113.5' } },
      });
      const lease = await openStore().acquire(requestOf('n1', 1), signal);
      expect(String(lease.publicIp)).toBe('203.0.113.5');
      expect((await annotationsOf('n1'))['public-ip']).toBe('203.0.113.5');
    });

    test('what was taken away is put back at the renewal; what is another machine’s is left; a Node that is gone is lost', async () => {
      await cluster.put('nodes', bareNode('n1', '10.244.1.0/24'));
      const store = openStore();
      const lease = await store.acquire(requestOf('n1', 1), signal);
      const { 'public-ip': _, ...rest } = await annotationsOf('n1');
      const write = (annotations: object) =>
        cluster.put('nodes', {
          ...bareNode('n1', '10.244.1.0/24'),
          metadata: {
            name: 'n1',
            annotations: Object.fromEntries(
              Object.entries(annotations).map(([key, text]) => [prefix + key, text]),
            ),
          },
        });
      await write(rest);
      await store.renew(lease, signal);
      expect((await annotationsOf('n1'))['public-ip']).toBe('192.0.2.1');
      await write({ ...rest, 'public-ip': '192.0.2.66' });
      await store.renew(lease, signal);
      expect((await annotationsOf('n1'))['public-ip']).toBe('192.0.2.66');
      await cluster.remove('nodes', 'n1');
      expect((await codeOf(store.renew(lease, signal)))[0]).toBe('lost');
      await cluster.put('nodes', bareNode('n1', '10.244.8.0/24'));
      expect(await codeOf(store.renew(lease, signal))).toEqual([
        'lost',
        expect.stringContaining('its Node has "10.244.8.0-24" now'),
      ]);
    });

    test('giving the lease back takes our annotations away, and only ours', async () => {
      await cluster.put('nodes', bareNode('n1', '10.244.1.0/24'));
      const store = openStore();
      const lease = await store.acquire(requestOf('n1', 1), signal);
      await store.release({ ...lease, publicIp: IpAddress.parse('192.0.2.99') }, signal);
      expect(Object.keys(await annotationsOf('n1'))).toHaveLength(4);
      await store.release(lease, signal);
      expect(await annotationsOf('n1')).toEqual({});
    });

    test('a configuration that is missing or wrong is told; the last good one stays', async () => {
      rmSync(configPath);
      await cluster.put('nodes', flannelNode('n2', 2));
      const store = openStore();
      expect(await codeOf(store.networkConfig(signal))).toEqual([
        'missing',
        expect.stringContaining('there is no such file'),
      ]);
      const { now } = watched(store);
      await until(() => now()?.problems.length === 1);
      expect(now()?.config).toBeUndefined();
      writeFileSync(configPath, '{"Network":"10.244.0.0/16","Backend":{"Type":"vxlan"}}');
      await until(() => now()?.leases.size === 1);
      writeFileSync(configPath, '{"Network":');
      await until(() => now()?.problems.length === 1);
      expect(now()?.leases.size).toBe(1);
      expect(now()?.config).toBeDefined();
      writeFileSync(configPath, '{"Network":"10.245.0.0/16","Backend":{"Type":"vxlan"}}');
      await until(() => now()?.leases.size === 0);
      expect(now()?.problems[0]?.message).toContain('is outside of the network "10.245.0.0/16"');
    });

    test('a node that is ready says so on its Node, once, and to whoever asks for events', async () => {
      await cluster.put('nodes', bareNode('n1', '10.244.1.0/24'));
      const store = openStore();
      const { now } = watched(store);
      await store.acquire(requestOf('n1', 1), signal);
      await until(() => now()?.leases.size === 1);
      const report = {
        ready: true,
        blockers: [],
        problems: [{ object: 'nodes/n1', message: 'something to know' }],
      };
      const condition = async (): Promise<unknown> =>
        Object(Object(await cluster.get('nodes', 'n1'))['status'])['conditions']?.find(
          (one: unknown) => Object(one).type === 'NetworkUnavailable',
        );
      await until(async () => {
        store.report(report);
        return (await condition()) !== undefined;
      });
      expect(await condition()).toMatchObject({
        status: 'False',
        reason: 'NetloomIsUp',
        message: 'Netloom is running on this node',
      });
      await until(async () => (await cluster.list('events')).length >= 2);
      const events = (await cluster.list('events')).map(({ reason, involvedObject }) => [
        reason,
        Object(involvedObject).name,
      ]);
      expect(events).toEqual(
        expect.arrayContaining([
          ['LeaseRefused', 'n1'],
          ['NetworkReady', 'n1'],
        ]),
      );
    });
  });

  describe('services', () => {
    let source: ServiceSource;
    let batches: ServiceBatch[];

    afterEach(async () => {
      await source.close();
    });

    function follow(proxyName?: string): void {
      source = createKubernetesServiceSource({
        client: new KubeClient({ access: cluster.access('proxy') }),
        proxyName,
        retry,
      });
      batches = [];
      void (async () => {
        for await (const batch of source.watch(signal)) batches.push(batch);
      })();
    }

    /** What a reader has of all batches. */
    const services = () => {
      const all = new Map<string, unknown>();
      for (const batch of batches)
        for (const [key, service] of batch.services) {
          if (service === undefined) all.delete(key);
          else all.set(key, service);
        }
      // A real server has its own.
      all.delete('default/kubernetes');
      return [...all.keys()].sort().join();
    };
    const addresses = () =>
      String(
        batches
          .flatMap(({ slices }) => [...slices])
          .findLast(([key]) => key === 'default/web-1')?.[1]
          ?.endpoints.map(({ address }) => address),
      );

    test('the first batch is all there is; then what changes', async () => {
      await cluster.put('services', serviceObject('web', '10.96.0.10'));
      await cluster.put('endpointslices', sliceObject('web', ['10.244.1.5']));
      follow();
      await until(() => batches.length === 1);
      expect(services()).toBe('default/web');
      expect(addresses()).toBe('10.244.1.5');
      await cluster.put('endpointslices', sliceObject('web', ['10.244.1.5', '10.244.1.6']));
      await until(() => addresses() === '10.244.1.5,10.244.1.6');
      expect(batches.at(-1)?.services.size).toBe(0);
      await cluster.put('services', serviceObject('other', '10.96.0.11'));
      await until(() => services() === 'default/other,default/web');
      await cluster.remove('services', 'default/web');
      await until(() => services() === 'default/other');
    });

    test('nothing at all is a batch too', async () => {
      follow();
      await until(() => batches.length === 1);
      expect(services()).toBe('');
    });

    test('labels for others take a service away, and bring it back', async () => {
      await cluster.put('services', serviceObject('web', '10.96.0.10'));
      follow();
      await until(() => services() === 'default/web');
      for (const label of ['service.kubernetes.io/service-proxy-name', 'service.kubernetes.io/headless']) {
        await cluster.put('services', serviceObject('web', '10.96.0.10', { [label]: 'x' }));
        await until(() => services() === '');
        await cluster.put('services', serviceObject('web', '10.96.0.10'));
        await until(() => services() === 'default/web');
      }
    });

    test('a proxy of a name of its own takes the services that name it', async () => {
      await cluster.put('services', serviceObject('web', '10.96.0.10'));
      await cluster.put(
        'services',
        serviceObject('own', '10.96.0.11', { 'service.kubernetes.io/service-proxy-name': 'netloom' }),
      );
      follow('netloom');
      await until(() => services() === 'default/own');
    });

    test('a change that no proxy sees is no batch', async () => {
      await cluster.put('services', serviceObject('web', '10.96.0.10'));
      follow();
      await until(() => batches.length === 1);
      await cluster.put('services', serviceObject('web', '10.96.0.10', { 'example.com/team': 'a' }));
      await cluster.put('services', serviceObject('last', '10.96.0.12'));
      await until(() => services() === 'default/last,default/web');
      expect(
        batches.flatMap((batch) => [...batch.services.keys()]).filter((key) => key === 'default/web'),
      ).toHaveLength(1);
    });
  });

  test('the proxy’s own Node: where it is, and whether it still gets traffic', async () => {
    const client = new KubeClient({ access: cluster.access('proxy') });
    const node = followOwnNode({ client, name: 'n1', retry });
    try {
      // Before the first word, and while the server is away.
      expect(node.state.isEligible).toBe(true);
      await until(() => node.state.isKnown);
      expect(node.state.isEligible).toBe(false);
      const object = bareNode('n1', '10.244.1.0/24');
      const labels = { 'topology.kubernetes.io/zone': 'z1' };
      await cluster.put('nodes', { ...object, metadata: { name: 'n1', labels } });
      await until(() => node.state.isEligible);
      expect(node.state.zone).toBe('z1');
      expect(node.state.podNetworks.join()).toBe('10.244.1.0/24');
      const taints = [{ key: 'ToBeDeletedByClusterAutoscaler', value: '1', effect: 'NoSchedule' }];
      await cluster.put('nodes', {
        ...object,
        metadata: { name: 'n1', labels },
        spec: { ...Object(object['spec']), taints },
      });
      await until(() => !node.state.isEligible);
      await cluster.put('nodes', { ...object, metadata: { name: 'n1', labels } });
      await until(() => node.state.isEligible);
      await cluster.remove('nodes', 'n1');
      await until(() => !node.state.isEligible);
      expect(node.state.zone).toBe('z1');
    } finally {
      await node.close();
      client.close();
    }
  });
}
