// etcd does what every store of leases does.
import { afterAll, beforeAll, test } from '@jest/globals';
import { EtcdLeaseStore } from '../../store/etcd/etcd-lease-store.ts';
import { EtcdCluster, etcdFault } from './etcd-cluster.ts';
import { leaseStoreSuite } from './lease-store-suite.ts';

const fault = etcdFault();
let cluster: EtcdCluster;
let made = 0;

if (fault !== undefined) test.skip(`etcd: ${fault}`, () => undefined);
else {
  beforeAll(async () => {
    cluster = await EtcdCluster.start();
  });
  afterAll(() => cluster[Symbol.asyncDispose]());

  leaseStoreSuite('etcd', async () => {
    const prefix = `/suite-${++made}/network`;
    const subnets = `${prefix}/subnets/`;
    const textOf = (value: object | string) => (typeof value === 'string' ? value : JSON.stringify(value));
    return {
      open: () => new EtcdLeaseStore({ endpoints: cluster.endpoints, prefix }),
      configure: (config) =>
        config === undefined
          ? cluster.delete(`${prefix}/config`)
          : cluster.put(`${prefix}/config`, textOf(config)),
      put: (key, value) => cluster.put(subnets + key, textOf(value)),
      remove: (key) => cluster.delete(subnets + key),
      async values() {
        const values = await cluster.values(subnets);
        return new Map([...values].map(([key, value]) => [key.slice(subnets.length), value]));
      },
      async [Symbol.asyncDispose]() {
        await cluster.ctl('del', '--prefix', '--', prefix);
      },
    };
  });
}
