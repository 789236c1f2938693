// What flannel reads from and writes to a store, to the byte: its etcd registry and its annotations on Node objects. Written from its
// formats (store/lease-codec.ts reads them); nothing of ours encodes here, so that both sides cannot be wrong alike.
import { KubeClient } from '../../store/kubernetes/api/kube-client.ts';
import type { EtcdCluster } from '../store/etcd-cluster.ts';
import type { ApiObject } from '../store/fake-api-server.ts';
import type { TestCluster as KubeCluster } from '../store/test-cluster.ts';

/** What one node tells the others. */
export interface FlannelAttributes {
  readonly publicIp: string;
  readonly backendType: 'vxlan' | 'host-gw';
  /** Compact JSON; undefined where the backend has none. */
  readonly backendData: string | undefined;
}

export interface FlannelStore {
  /** The node's subnet, "10.244.2.0/24", once what it says is stored. */
  acquire(attributes: FlannelAttributes, previous: string | undefined): Promise<string>;
  /** By subnet: all that it takes for leases. */
  leases(): Promise<ReadonlyMap<string, FlannelAttributes>>;
  close(): void;
}

export const etcdPrefix = '/coreos.com/network';
/** Seconds. */
const etcdTtl = 86_400;

/** The value of a lease as Go's json.Marshal writes LeaseAttrs. */
export function flannelValue({ publicIp, backendType, backendData }: FlannelAttributes): string {
  const data = backendData === undefined ? '' : `,"BackendData":${backendData}`;
  return `{"PublicIP":"${publicIp}","PublicIPv6":null,"BackendType":"${backendType}"${data}}`;
}

export function vxlanData(mac: string): string {
  return `{"VNI":1,"VtepMAC":"${mac}"}`;
}

/** subnet/etcd: subnets are the /24s of 10.244.0.0/16. */
export function flannelEtcd(etcd: EtcdCluster): FlannelStore {
  const leases = async (): Promise<ReadonlyMap<string, FlannelAttributes>> => {
    const found = new Map<string, FlannelAttributes>();
    for (const [key, value] of await etcd.values(`${etcdPrefix}/subnets/`)) {
      const subnet = key.slice(`${etcdPrefix}/subnets/`.length).replace(/-(\d+)$/, '/$1');
      const { PublicIP, BackendType, BackendData } = JSON.parse(value);
      const backendData = BackendData === undefined ? undefined : JSON.stringify(BackendData);
      found.set(subnet, { publicIp: PublicIP, backendType: BackendType, backendData });
    }
    return found;
  };
  return {
    leases,
    async acquire(attributes, previous) {
      const taken = await leases();
      const own = [...taken].find(([, { publicIp }]) => publicIp === attributes.publicIp)?.[0];
      const isFree = (subnet: string | undefined): subnet is string =>
        subnet !== undefined && !taken.has(subnet);
      const free = Array.from({ length: 100 }, (_, i) => `10.244.${i + 1}.0/24`).filter(isFree);
      const subnet =
        own ?? (isFree(previous) ? previous : free[Math.floor(Math.random() * free.length)]) ?? '';
      // A new lease of etcd's each time; the one before ends by itself.
      const granted = await etcd.ctl('lease', 'grant', String(etcdTtl));
      const [, id = ''] = /^lease (\S+) granted/.exec(granted) ?? [];
      const key = `${etcdPrefix}/subnets/${subnet.replace('/', '-')}`;
      await etcd.ctl('put', `--lease=${id}`, '--', key, flannelValue(attributes));
      return subnet;
    },
    close() {},
  };
}

const annotation = (name: string): string => `flannel.alpha.coreos.com/${name}`;

/** As flannel's kube subnet manager annotates a Node; the other annotations stay. */
export function flannelAnnotations({
  publicIp,
  backendType,
  backendData = 'null',
}: FlannelAttributes): Readonly<Record<string, string>> {
  return {
    [annotation('backend-data')]: backendData,
    [annotation('backend-type')]: backendType,
    [annotation('kube-subnet-manager')]: 'true',
    [annotation('public-ip')]: publicIp,
  };
}

export function flannelNodes(cluster: KubeCluster, node: string): FlannelStore {
  const client = new KubeClient({ access: cluster.access('agent') });
  const { signal } = new AbortController();
  const subnetOf = (object: ApiObject): string => Object(object['spec']).podCIDR ?? '';
  const patch = (body: object) =>
    client.json({
      method: 'PATCH',
      path: `/api/v1/nodes/${node}/status`,
      contentType: 'application/strategic-merge-patch+json',
      body,
      signal,
    });
  return {
    async leases() {
      const list: unknown = await client.json({ path: '/api/v1/nodes', signal });
      const items: readonly ApiObject[] = Object(list).items ?? [];
      const found = new Map<string, FlannelAttributes>();
      for (const object of items) {
        const { annotations = {} } = object.metadata;
        const of = (name: string): string => annotations[annotation(name)] ?? '';
        if (of('kube-subnet-manager') !== 'true') continue;
        const type = of('backend-type');
        const backendData = of('backend-data') === 'null' ? undefined : of('backend-data');
        const backendType = type === 'vxlan' ? 'vxlan' : 'host-gw';
        found.set(subnetOf(object), { publicIp: of('public-ip'), backendType, backendData });
      }
      return found;
    },
    async acquire(attributes) {
      // What it answers with is the Node.
      const object = (await patch({
        metadata: { annotations: flannelAnnotations(attributes) },
      })) as ApiObject;
      const now = new Date().toISOString();
      const condition = {
        type: 'NetworkUnavailable',
        status: 'False',
        reason: 'FlannelIsUp',
        message: 'Flannel is running on this node',
        lastTransitionTime: now,
        lastHeartbeatTime: now,
      };
      await patch({ status: { conditions: [condition] } });
      return subnetOf(object);
    },
    close: () => client.close(),
  };
}
