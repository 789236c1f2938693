// A Node's lease: flannel's annotations and spec.podCIDRs to a lease, and a lease to the annotations that flannel reads. Whoever may
// write to a Node chooses these texts (CVE-2026-32241 came this way): each is parsed strictly, and none of them names a program.
import { IpAddress } from '../../net/address.ts';
import { whyNotNodeAddress } from '../address-fields.ts';
import { type JsonValue, largestValue, printGoJson } from '../go-json.ts';
import type { Lease } from '../lease.ts';
import { decodeLease, encodeBackendData } from '../lease-codec.ts';
import { type LeaseSubnets, leaseKey, parseLeaseKey } from '../lease-key.ts';
import type { LeaseRequest } from '../lease-store.ts';
import type { NetworkConfig } from '../network-config.ts';
import { type FieldProblem, quote, StoreError } from '../store-error.ts';
import type { KubeNode } from './parse-node.ts';

/** flannel's --kube-annotation-prefix, and the slash. */
export const flannelPrefix = 'flannel.alpha.coreos.com/';

/** Behind the prefix: annotations.go of flannel. */
const keys = {
  managed: 'kube-subnet-manager',
  type: 'backend-type',
  data: 'backend-data',
  data6: 'backend-v6-data',
  ip: 'public-ip',
  ip6: 'public-ipv6',
  /** Written by an operator: it takes the place of what the node found out. */
  overwrite: 'public-ip-overwrite',
  overwrite6: 'public-ipv6-overwrite',
} as const;

/** What each field of a stored lease is called on a Node. */
const fieldKeys: ReadonlyMap<string, string> = new Map([
  ['PublicIP', keys.ip],
  ['PublicIPv6', keys.ip6],
  ['BackendType', keys.type],
  ['BackendData', keys.data],
  ['BackendV6Data', keys.data6],
]);

export interface NodeLeaseOptions {
  readonly config: NetworkConfig;
  readonly annotationPrefix: string;
}

/** How problems and messages name a Node. */
export function nodeObject(name: string): string {
  return `nodes/${name}`;
}

/** Whether an agent looks after it: flannel's and we pass over the others. */
export function isManaged({ annotations }: Pick<KubeNode, 'annotations'>): boolean {
  return annotations.get(keys.managed) === 'true';
}

/** The pod networks of the families that the cluster's network has. Throws StoreError that names what is missing or wrong. */
export function nodeSubnets(
  { name, podNetworks, notes }: Pick<KubeNode, 'name' | 'podNetworks' | 'notes'>,
  { ip4, ip6 }: Pick<NetworkConfig, 'ip4' | 'ip6'>,
): LeaseSubnets {
  const object = nodeObject(name);
  const problems: FieldProblem[] = notes
    .filter((note) => note.startsWith('spec.podCIDR'))
    .map((note) => ({ field: '', message: note }));
  const of = (family: 4 | 6, range: NetworkConfig['ip4']) => {
    if (range === undefined) return undefined;
    const network = podNetworks.find((one) => one.family === family);
    if (network === undefined) {
      problems.push({
        field: 'spec.podCIDRs',
        message: `there is no IPv${family} network; kube-controller-manager gives one with --allocate-node-cidrs and --cluster-cidr`,
      });
    } else if (!range.network.contains(network)) {
      problems.push({
        field: 'spec.podCIDRs',
        message: `"${network}" is outside of the network "${range.network}"`,
      });
    }
    return network;
  };
  const subnets = { subnet: of(4, ip4), subnet6: of(6, ip6) };
  if (problems.length > 0)
    throw new StoreError(`Cannot use "${object}"`, { code: 'invalid', object, problems });
  // Ranges and lengths that no node can have are refused there.
  return parseLeaseKey(leaseKey(subnets), object);
}

/** Throws StoreError `invalid` with every problem found, by annotation. */
export function decodeNodeLease(node: KubeNode, { config, annotationPrefix }: NodeLeaseOptions): Lease {
  const object = nodeObject(node.name);
  const subnets = nodeSubnets(node, config);
  const { annotations } = node;
  const problems: FieldProblem[] = [];
  const name = (key: string) => `metadata.annotations[${JSON.stringify(annotationPrefix + key)}]`;
  const value: Record<string, JsonValue> = { Node: node.name };
  const take = (field: string, key: string, isWanted: boolean, parse: (text: string) => JsonValue) => {
    const text = isWanted ? annotations.get(key) : undefined;
    if (text === undefined || text === '') return;
    try {
      value[field] = parse(text);
    } catch {
      problems.push({ field: name(key), message: `it is not JSON: ${quote(text)}` });
    }
  };
  const plain = (text: string): JsonValue => text;
  const json = (text: string): JsonValue => JSON.parse(text);
  const { subnet, subnet6 } = subnets;
  take('PublicIP', keys.ip, subnet !== undefined, plain);
  take('PublicIPv6', keys.ip6, subnet6 !== undefined, plain);
  take('BackendType', keys.type, true, plain);
  take('BackendData', keys.data, subnet !== undefined, json);
  take('BackendV6Data', keys.data6, subnet6 !== undefined, json);
  if (problems.length === 0) {
    const text = JSON.stringify(value);
    if (text.length <= largestValue) {
      try {
        return decodeLease(subnets, text, { object });
      } catch (error) {
        if (!(error instanceof StoreError)) throw error;
        for (const { field, message } of error.problems) {
          const [first = '', ...rest] = field.split('.');
          const key = fieldKeys.get(first);
          problems.push({ field: key === undefined ? field : [name(key), ...rest].join('.'), message });
        }
      }
    } else
      problems.push({ field: 'metadata.annotations', message: `want at most ${largestValue} characters` });
  }
  throw new StoreError(`Cannot read lease "${object}"`, { code: 'invalid', object, problems });
}

/** The addresses that an operator wrote to the Node in place of those found. Throws StoreError `invalid` for what is no address. */
export function overwrittenAddresses(
  { name, annotations }: Pick<KubeNode, 'name' | 'annotations'>,
  annotationPrefix: string,
): { readonly publicIp?: IpAddress; readonly publicIp6?: IpAddress } {
  const read = (key: string, family: 4 | 6): IpAddress | undefined => {
    const text = annotations.get(key);
    if (text === undefined || text === '') return undefined;
    const address = IpAddress.tryParse(text);
    const reason = address?.family === family ? whyNotNodeAddress(address) : `is not an IPv${family} address`;
    if (address !== undefined && reason === undefined) return address;
    throw new StoreError(`Cannot use "${nodeObject(name)}"`, {
      code: 'invalid',
      object: nodeObject(name),
      problems: [
        {
          field: `metadata.annotations[${JSON.stringify(annotationPrefix + key)}]`,
          message: `${quote(text)} ${reason}`,
        },
      ],
    });
  };
  const publicIp = read(keys.overwrite, 4);
  const publicIp6 = read(keys.overwrite6, 6);
  return {
    ...(publicIp === undefined ? {} : { publicIp }),
    ...(publicIp6 === undefined ? {} : { publicIp6 }),
  };
}

/**
 * Annotations by key behind the prefix; null: it is not to be there. As flannel writes them, to the byte: its own node finds the MAC
 * by cutting the text.
 */
export function encodeNodeLease(
  lease: Pick<LeaseRequest, 'publicIp' | 'publicIp6' | 'backendType' | 'backendData' | 'backendDataV6'>,
  { subnet, subnet6 }: LeaseSubnets,
): ReadonlyMap<string, string | null> {
  const data = (one: Lease['backendData']) =>
    one === undefined ? 'null' : printGoJson(encodeBackendData(one));
  const of = (has: unknown, text: string | undefined): string | null =>
    has === undefined ? null : (text ?? null);
  return new Map([
    [keys.managed, 'true'],
    [keys.type, lease.backendType],
    [keys.data, of(subnet, data(lease.backendData))],
    [keys.ip, of(subnet, lease.publicIp?.toString())],
    [keys.data6, of(subnet6, data(lease.backendDataV6))],
    [keys.ip6, of(subnet6, lease.publicIp6?.toString())],
  ]);
}

/** All that `encodeNodeLease` may write, taken away. */
export function withoutNodeLease(): ReadonlyMap<string, null> {
  return new Map(
    [keys.managed, keys.type, keys.data, keys.ip, keys.data6, keys.ip6].map((key) => [key, null]),
  );
}

/** What of the wanted is not on the Node. */
export function differingAnnotations(
  { annotations }: Pick<KubeNode, 'annotations'>,
  wanted: ReadonlyMap<string, string | null>,
): ReadonlyMap<string, string | null> {
  return new Map([...wanted].filter(([key, text]) => (annotations.get(key) ?? null) !== text));
}
