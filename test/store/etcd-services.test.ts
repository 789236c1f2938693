// Services from a real etcd: everything first, then what changes, through an outage and a compaction, as a proxy hears it.
import { afterEach, describe, expect, test } from '@jest/globals';
import { EtcdServiceSource } from '../../store/etcd/etcd-service-source.ts';
import type { ServiceBatch } from '../../store/service-source.ts';
import { EtcdCluster, etcdFault, wireTo } from './etcd-cluster.ts';

const fault = etcdFault();
const describeEtcd = fault === undefined ? describe : describe.skip;
if (fault !== undefined) test.skip(`etcd: ${fault}`, () => undefined);

const prefix = '/netloom/services';
let opened: EtcdServiceSource[] = [];
let cluster: EtcdCluster | undefined;

afterEach(async () => {
  await Promise.all(opened.map((source) => source.close()));
  opened = [];
  await cluster?.[Symbol.asyncDispose]();
  cluster = undefined;
});

const service = (name: string, port = 80) =>
  JSON.stringify({
    apiVersion: 'v1',
    kind: 'Service',
    metadata: { name, namespace: 'default' },
    spec: { clusterIP: `10.96.0.${name.length}`, ports: [{ port, protocol: 'TCP' }] },
  });

const slice = (name: string, address: string) =>
  JSON.stringify({
    apiVersion: 'discovery.k8s.io/v1',
    kind: 'EndpointSlice',
    addressType: 'IPv4',
    metadata: { name: `${name}-1`, namespace: 'default', labels: { 'kubernetes.io/service-name': name } },
    ports: [{ name: '', port: 8080, protocol: 'TCP' }],
    endpoints: [{ addresses: [address], conditions: { ready: true } }],
  });

class Reading implements AsyncDisposable {
  readonly #abort = new AbortController();
  readonly #batches: AsyncIterator<ServiceBatch>;
  readonly services = new Map<string, unknown>();
  readonly slices = new Map<string, unknown>();
  /** Of the last batch. */
  named: readonly string[] = [];
  problems: ServiceBatch['problems'] = [];

  constructor(source: EtcdServiceSource) {
    opened.push(source);
    this.#batches = source.watch(this.#abort.signal)[Symbol.asyncIterator]();
  }

  async next(): Promise<void> {
    const { value, done } = await this.#batches.next();
    if (done === true) throw new Error('The watch has ended');
    for (const [to, from] of [
      [this.services, value.services],
      [this.slices, value.slices],
    ] as const)
      for (const [key, object] of from) {
        if (object === undefined) to.delete(key);
        else to.set(key, object);
      }
    this.named = [...value.services.keys(), ...value.slices.keys()];
    this.problems = value.problems;
  }

  async until(test: () => boolean): Promise<void> {
    while (!test()) await this.next();
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#abort.abort();
    await this.#batches.return?.();
  }
}

describeEtcd('services in etcd', () => {
  test('come whole, then change by change; what is wrong is told and the rest goes on', async () => {
    cluster = await EtcdCluster.start();
    await cluster.put(`${prefix}/web`, service('web'));
    await cluster.put(`${prefix}/web/endpoints`, slice('web', '10.244.0.2'));
    await cluster.put(`${prefix}x/other`, service('other'));
    await using reading = new Reading(new EtcdServiceSource({ endpoints: cluster.endpoints, prefix }));
    await reading.next();
    expect([[...reading.services.keys()], [...reading.slices.keys()]]).toEqual([
      ['default/web'],
      ['default/web-1'],
    ]);
    await cluster.put(`${prefix}/db`, service('db'));
    await reading.next();
    expect(reading.named).toEqual(['default/db']);
    await cluster.put(`${prefix}/web`, '{"kind": "Service",');
    await cluster.put(`${prefix}/yaml`, 'kind: Service');
    await reading.until(() => reading.problems.some(({ object }) => object.includes('/yaml')));
    expect(reading.problems.map(({ object }) => object.replace(/[,:].*/, ''))).toEqual(
      expect.arrayContaining([`${prefix}/web`, `${prefix}/yaml`]),
    );
    // What it had stays.
    expect([...reading.services.keys()].sort()).toEqual(['default/db', 'default/web']);
    await cluster.put(`${prefix}/web`, service('web', 81));
    await cluster.delete(`${prefix}/yaml`);
    await reading.until(() => reading.problems.length === 0);
    await cluster.delete(`${prefix}/web`);
    await reading.until(() => !reading.services.has('default/web'));
    expect([...reading.services.keys()]).toEqual(['default/db']);
  });

  test('stay as they were in an outage, and then differ by what really changed', async () => {
    cluster = await EtcdCluster.start();
    await using wire = await wireTo(cluster.portOf(0));
    for (const name of ['a', 'bb', 'ccc']) await cluster.put(`${prefix}/${name}`, service(name));
    const notes: (string | undefined)[] = [];
    const source = new EtcdServiceSource(
      { endpoints: [wire.url], prefix },
      { onStatus: (_, note) => notes.push(note) },
    );
    await using reading = new Reading(source);
    await reading.next();
    expect(reading.services.size).toBe(3);
    wire.cut();
    await reading.until(() => reading.problems.length === 1);
    expect([reading.services.size, reading.problems[0]?.object]).toEqual([3, 'etcd']);
    await cluster.put(`${prefix}/bb`, service('bb', 82));
    await cluster.delete(`${prefix}/ccc`);
    await cluster.ctl('compact', String(await cluster.revision()));
    wire.mend();
    const named: string[] = [];
    await reading.until(() => {
      named.push(...reading.named);
      return !reading.services.has('default/ccc') && reading.problems.length === 0;
    });
    expect(new Set([...named, ...reading.named])).toEqual(new Set(['default/bb', 'default/ccc']));
    expect(notes.at(-2)).toContain(wire.url);
    expect(notes.at(-1)).toBeUndefined();
  });

  test('are not said to be none before etcd has answered', async () => {
    cluster = await EtcdCluster.start();
    await using wire = await wireTo(cluster.portOf(0));
    await cluster.put(`${prefix}/a`, service('a'));
    wire.cut();
    const told = Promise.withResolvers<void>();
    const source = new EtcdServiceSource(
      { endpoints: [wire.url], prefix },
      { onStatus: () => told.resolve() },
    );
    await using reading = new Reading(source);
    const first = reading.next();
    await told.promise;
    wire.mend();
    await first;
    expect([...reading.services.keys()]).toEqual(['default/a']);
  });

  test('two thousand of them come in pages, of one moment', async () => {
    cluster = await EtcdCluster.start();
    const made = Array.from({ length: 2100 }, (_, n) => ({
      key: `${prefix}/s${n}`,
      value: service(`s${n}`),
    }));
    // As many as one transaction takes.
    for (let from = 0; from < made.length; from += 100) await cluster.putAll(made.slice(from, from + 100));
    await using reading = new Reading(new EtcdServiceSource({ endpoints: cluster.endpoints, prefix }));
    await reading.next();
    expect([reading.services.size, reading.problems.length]).toEqual([2100, 0]);
  });
});
