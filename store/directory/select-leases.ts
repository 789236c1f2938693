// Which of the lease files count, purely: live, inside of the network, overlapping no other, no two with one public address.
import { DisjointPrefixes } from '../disjoint-prefixes.ts';
import { subnetsOf } from '../lease.ts';
import type { StoreProblem } from '../lease-store.ts';
import type { NetworkConfig } from '../network-config.ts';
import type { LeaseFile } from './lease-directory.ts';

/** A lease file that can be used. */
export type UsableFile = LeaseFile & { readonly lease: NonNullable<LeaseFile['lease']> };

export type SelectInput = {
  readonly files: readonly LeaseFile[];
  readonly config: NetworkConfig;
  readonly isExpired: (file: LeaseFile) => boolean;
  /** The key of this node's own lease, which nothing evicts. */
  readonly own: string | undefined;
  /** `holderOf` what was selected last time. */
  readonly incumbents: ReadonlySet<string>;
};

export type Selection = {
  readonly selected: readonly UsableFile[];
  readonly problems: readonly StoreProblem[];
};

/** Who holds what: the same after a renewal or a change of attributes. */
export function holderOf({ key, lease }: UsableFile): string {
  return `${key} ${lease.node ?? lease.publicIp ?? lease.publicIp6}`;
}

/**
 * Where two leases exclude each other, the first of this order stays: our own; those that counted before (renewals move
 * times, so time alone would swap the winner at every renewal, and a latecomer could date itself back); the longest not
 * renewed; the smaller key.
 */
export function selectLeases({ files, config, isExpired, own, incumbents }: SelectInput): Selection {
  const rank = (file: UsableFile) => (file.key === own ? 0 : incumbents.has(holderOf(file)) ? 1 : 2);
  const candidates = files
    .filter((file): file is UsableFile => file.lease !== undefined && !isExpired(file))
    .map((file) => ({ file, rank: rank(file) }))
    .sort(
      (a, b) => a.rank - b.rank || a.file.renewedAt - b.file.renewedAt || (a.file.key < b.file.key ? -1 : 1),
    );
  const problems: StoreProblem[] = [];
  const selected: UsableFile[] = [];
  const subnets = new DisjointPrefixes<UsableFile>();
  const addresses = new Map<string, UsableFile>();
  for (const { file } of candidates) {
    const message = whyOutside(config, file) ?? whyExcluded(file, { subnets, addresses });
    if (message !== undefined) {
      problems.push({ object: file.path, message: `Cannot use lease "${file.path}": ${message}` });
      continue;
    }
    selected.push(file);
    for (const subnet of subnetsOf(file.subnets)) subnets.add(subnet, file);
    for (const address of addressesOf(file)) addresses.set(address, file);
  }
  return { selected, problems };
}

function whyOutside(config: NetworkConfig, { subnets }: UsableFile): string | undefined {
  for (const subnet of subnetsOf(subnets)) {
    const network = (subnet.family === 4 ? config.ip4 : config.ip6)?.network;
    if (network === undefined) return `the network has no IPv${subnet.family}, but it holds "${subnet}"`;
    if (!network.contains(subnet)) return `"${subnet}" is outside of the network "${network}"`;
  }
  return undefined;
}

function whyExcluded(
  file: UsableFile,
  before: {
    readonly subnets: DisjointPrefixes<UsableFile>;
    readonly addresses: ReadonlyMap<string, UsableFile>;
  },
): string | undefined {
  for (const subnet of subnetsOf(file.subnets)) {
    const other = before.subnets.overlapping(subnet);
    if (other !== undefined) return `"${subnet}" overlaps "${other.prefix}" of ${nameOf(other.owner)}`;
  }
  for (const address of addressesOf(file)) {
    const other = before.addresses.get(address);
    if (other !== undefined) return `the public address "${address}" is also that of ${nameOf(other)}`;
  }
  return undefined;
}

function addressesOf({ lease }: UsableFile): readonly string[] {
  return [lease.publicIp, lease.publicIp6].filter((address) => address !== undefined).map(String);
}

/** How messages name the holder of a lease. */
export function nameOf({ lease, path }: UsableFile): string {
  return lease.node === undefined ? `"${path}"` : `node "${lease.node}" in "${path}"`;
}
