// etcd as a store of the stores' benchmark: a real member, written to straight, and read through a relay that counts.
import { EtcdClient } from '../../../store/etcd/etcd-client.ts';
import { keyBytes } from '../../../store/etcd/key-range.ts';
import { leasePlaces } from '../../../store/etcd/lease-keys.ts';
import { encodeLease } from '../../../store/lease-codec.ts';
import { leaseKey } from '../../../store/lease-key.ts';
import { manifest } from '../proxy-services.ts';
import { startEtcd } from './etcd-server.ts';
import { inLanes } from './in-lanes.ts';
import { Relay } from './relay.ts';
import { type NodeState, networkText, nodeLease } from './scale-nodes.ts';
import type { ScaleStore } from './scale-store.ts';

const prefix = '/coreos.com/network';
const servicePrefix = '/netloom/services';
/** etcd takes 128 in one transaction. */
const mostInTransaction = 100;
/** Transactions on their way at a time: as many nodes join at one moment. */
const lanes = 64;
const daySeconds = 86_400;

type Operation = NonNullable<Parameters<EtcdClient['txn']>[0]['success']>[number];

export async function openEtcdScaleStore(): Promise<ScaleStore> {
  const server = await startEtcd();
  const relay = await Relay.start({ port: server.port, protocol: 'http2' });
  const client = new EtcdClient({ endpoints: [`http://127.0.0.1:${server.port}`], timeoutMs: 30_000 });
  const { signal } = new AbortController();
  const places = leasePlaces(prefix);
  const endpoints = [`http://127.0.0.1:${relay.port}`];
  // A lease under each node's key, as nodes have one. One for all of them is enough here: none of them ends.
  const lease = 1n;
  await client.grant(lease, { seconds: daySeconds, signal });
  const write = async (operations: readonly Operation[]): Promise<void> => {
    await client.txn({ success: operations }, signal);
  };
  const leaseOperation = (node: NodeState): Operation => {
    const held = nodeLease(node);
    const key = keyBytes(places.subnets + leaseKey(held));
    return { request_put: { key, value: Buffer.from(encodeLease(held)), lease } };
  };
  const serviceKey = (service: number) => keyBytes(`${servicePrefix}/service-${service}`);
  await write([{ request_put: { key: keyBytes(places.config), value: Buffer.from(networkText) } }]);
  return {
    name: 'etcd',
    relay,
    leases: { kind: 'etcd', prefix, endpoints },
    services: { kind: 'etcd', prefix: servicePrefix, endpoints },
    // A transaction a node: that is how they come.
    put: (nodes) => inLanes(nodes, lanes, (node) => write([leaseOperation(node)])),
    remove: (numbers) =>
      inLanes(numbers, lanes, (number) => {
        const key = keyBytes(places.subnets + leaseKey(nodeLease({ number, generation: 0 })));
        return write([{ request_delete_range: { key } }]);
      }),
    // Keep-alives write nothing, and others hear nothing of them.
    beginHeartbeats: () => () => {},
    async putServices(amount) {
      const below = keyBytes(`${servicePrefix}/`);
      await write([{ request_delete_range: { key: below, range_end: keyBytes(`${servicePrefix}0`) } }]);
      const starts = Array.from(
        { length: Math.ceil(amount.services / mostInTransaction) },
        (_, i) => i * mostInTransaction,
      );
      await inLanes(starts, 4, (start) =>
        write(
          Array.from({ length: Math.min(mostInTransaction, amount.services - start) }, (_, i) => ({
            request_put: {
              key: serviceKey(start + i),
              value: Buffer.from(manifest(start + i, { amount, format: 'json' })),
            },
          })),
        ),
      );
    },
    moveEndpoint: (service, to) =>
      write([
        {
          request_put: {
            key: serviceKey(service),
            value: Buffer.from(manifest(service, { ...to, format: 'json' })),
          },
        },
      ]),
    async [Symbol.asyncDispose]() {
      client.close();
      await relay[Symbol.asyncDispose]();
      await server[Symbol.asyncDispose]();
    },
  };
}
