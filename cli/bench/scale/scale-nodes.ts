// The nodes of the stores' benchmark, made by counting: each with a lease, and the Node object that Kubernetes would have for it.
import { IpAddress } from '../../../net/address.ts';
import { Mac } from '../../../net/mac.ts';
import { Prefix } from '../../../net/prefix.ts';
import { encodeNodeLease, flannelPrefix } from '../../../store/kubernetes/node-lease.ts';
import type { Lease } from '../../../store/lease.ts';
import type { LeaseRequest } from '../../../store/lease-store.ts';

/** So many /24 fit into the network beside the reader's own. */
export const mostNodes = 60_000;

export const networkText = JSON.stringify({
  Network: '10.0.0.0/8',
  SubnetLen: 24,
  Backend: { Type: 'vxlan' },
});

export interface NodeState {
  readonly number: number;
  /** How often its device was made anew: its MAC follows from it. */
  readonly generation: number;
}

/** The first so many nodes, each in its first life. */
export function firstNodes(count: number): readonly NodeState[] {
  return Array.from({ length: count }, (_, number) => ({ number, generation: 0 }));
}

export function nodeName(number: number): string {
  return `node-${number}`;
}

export function nodeLease({ number, generation }: NodeState): Lease {
  return {
    node: nodeName(number),
    subnet: new Prefix(IpAddress.parse('10.0.0.0').plus((number + 1) * 256), 24),
    subnet6: undefined,
    publicIp: IpAddress.parse('172.16.0.0').plus(number + 2),
    backendType: 'vxlan',
    backendData: { kind: 'vxlan', vni: 1, vtepMac: macOf({ number, generation }) },
  };
}

function macOf({ number, generation }: NodeState): Mac {
  const bytes = new Uint8Array(6);
  const view = new DataView(bytes.buffer);
  view.setUint16(1, generation & 0xffff);
  bytes[3] = number >> 16;
  view.setUint16(4, number & 0xffff);
  return Mac.local(bytes);
}

/** The node that the reader is, with a public address that no other one has. */
export const readerName = 'bench-node';
export const readerRequest: LeaseRequest = {
  node: readerName,
  publicIp: IpAddress.parse('172.31.255.1'),
  backendType: 'vxlan',
  backendData: { kind: 'vxlan', vni: 1, vtepMac: Mac.parse('02:ff:ff:ff:ff:01') },
};
/** What kube-controller-manager would give it. */
const readerNetwork = '10.255.255.0/24';

const images = 25;

/** What a kubelet fills a Node with: about 10 kB, as nodes have with some dozen images. */
function nodeStatus(address: string, heartbeat: number) {
  const amounts = { cpu: '8', 'ephemeral-storage': '203056560Ki', memory: '32386544Ki', pods: '110' };
  const time = new Date(1_790_000_000_000 + heartbeat * 1000).toISOString().replace(/\.\d+Z$/, 'Z');
  const condition = (type: string, status: string, reason: string) => ({
    type,
    status,
    reason,
    message: `kubelet says ${reason} of this node, as it does on all of them`,
    lastHeartbeatTime: time,
    lastTransitionTime: '2026-09-21T09:00:00Z',
  });
  return {
    capacity: amounts,
    allocatable: amounts,
    conditions: [
      condition('MemoryPressure', 'False', 'KubeletHasSufficientMemory'),
      condition('DiskPressure', 'False', 'KubeletHasNoDiskPressure'),
      condition('PIDPressure', 'False', 'KubeletHasSufficientPID'),
      condition('Ready', 'True', 'KubeletReady'),
      { ...condition('NetworkUnavailable', 'False', 'FlannelIsUp') },
    ],
    addresses: [{ type: 'InternalIP', address }],
    daemonEndpoints: { kubeletEndpoint: { Port: 10250 } },
    nodeInfo: { kernelVersion: '6.18.0', osImage: 'Debian GNU/Linux 12', kubeletVersion: 'v1.36.2' },
    images: Array.from({ length: images }, (_, i) => ({
      names: [
        `registry.example.org/team-${i % 5}/service-${i}@sha256:${'0123456789abcdef'.repeat(4)}`,
        `registry.example.org/team-${i % 5}/service-${i}:v1.${i}.0`,
      ],
      sizeBytes: 40_000_000 + i,
    })),
  };
}

const managedFields = ['kubelet', 'kube-controller-manager', 'flanneld'].map((manager) => ({
  manager,
  operation: 'Update',
  apiVersion: 'v1',
  fieldsType: 'FieldsV1',
  fieldsV1: Object.fromEntries(
    ['f:metadata', 'f:spec', 'f:status'].map((part) => [
      part,
      Object.fromEntries(Array.from({ length: 8 }, (_, i) => [`f:${manager}-field-${i}`, { '.': {} }])),
    ]),
  ),
}));

export interface NodeObject {
  readonly metadata: { readonly name: string; readonly [field: string]: unknown };
  readonly [field: string]: unknown;
}

interface NodeObjectOptions {
  readonly name: string;
  readonly network: string | undefined;
  readonly address: string;
  readonly annotations: Readonly<Record<string, string>>;
  readonly heartbeat: number;
}

function nodeObjectOf({ name, network, address, annotations, heartbeat }: NodeObjectOptions): NodeObject {
  return {
    metadata: {
      name,
      uid: `00000000-0000-4000-8000-${name.padStart(12, '0')}`,
      creationTimestamp: '2026-09-21T09:00:00Z',
      labels: {
        'beta.kubernetes.io/arch': 'amd64',
        'kubernetes.io/hostname': name,
        'kubernetes.io/os': 'linux',
        'topology.kubernetes.io/region': 'region-1',
        'topology.kubernetes.io/zone': 'zone-1',
      },
      annotations: { 'node.alpha.kubernetes.io/ttl': '300', ...annotations },
      managedFields,
    },
    spec: network === undefined ? {} : { podCIDR: network, podCIDRs: [network] },
    status: nodeStatus(address, heartbeat),
  };
}

/** How far a node that joins has come: kubelet made it, it was given a network, its agent has written its lease. */
export type NodeStage = 'made' | 'networked' | 'leased';

export function nodeObject(
  state: NodeState,
  { stage, heartbeat = 0 }: { readonly stage: NodeStage; readonly heartbeat?: number },
): NodeObject {
  const lease = nodeLease(state);
  return nodeObjectOf({
    name: nodeName(state.number),
    network: stage === 'made' ? undefined : String(lease.subnet),
    address: String(lease.publicIp),
    annotations: stage === 'leased' ? leaseAnnotations(lease) : {},
    heartbeat,
  });
}

/** The reader's own Node, before its agent has come. */
export function readerNodeObject(): NodeObject {
  return nodeObjectOf({
    name: readerName,
    network: readerNetwork,
    address: String(readerRequest.publicIp),
    annotations: {},
    heartbeat: 0,
  });
}

function leaseAnnotations(lease: Lease): Readonly<Record<string, string>> {
  const entries = [...encodeNodeLease(lease, lease)].flatMap(([key, text]) =>
    text === null ? [] : [[flannelPrefix + key, text] as const],
  );
  return Object.fromEntries(entries);
}
