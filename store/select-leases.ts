// Which of the lease files count, purely: inside of the network, overlapping no other, no two with one public address.

import { LeaseClaims } from './lease-claims.ts';
import type { UsableRecord } from './lease-record.ts';
import type { StoreProblem } from './lease-store.ts';
import type { NetworkConfig } from './network-config.ts';

export type SelectInput = {
  /** Those that have not ended. */
  readonly files: readonly UsableRecord[];
  readonly config: NetworkConfig;
  /** The key of this node's own lease, which nothing evicts. */
  readonly own: string | undefined;
  /** `holderOf` what was selected last time. */
  readonly incumbents: ReadonlySet<string>;
};

export type Selection = {
  readonly selected: readonly UsableRecord[];
  readonly problems: readonly StoreProblem[];
  /** What the selected ones hold. */
  readonly claims: LeaseClaims;
};

/** Who holds what: the same after a renewal or a change of attributes. */
export function holderOf({ key, lease }: UsableRecord): string {
  return `${key} ${lease.node ?? lease.publicIp ?? lease.publicIp6}`;
}

/**
 * Where two leases exclude each other, the first of this order stays: our own; those that counted before (renewals move
 * times, so time alone would swap the winner at every renewal, and a latecomer could date itself back); the longest not
 * renewed; the smaller key.
 */
export function selectLeases({ files, config, own, incumbents }: SelectInput): Selection {
  const rank = (file: UsableRecord) => (file.key === own ? 0 : incumbents.has(holderOf(file)) ? 1 : 2);
  const candidates = files
    .map((file) => ({ file, rank: rank(file) }))
    .sort(
      (a, b) => a.rank - b.rank || a.file.renewedAt - b.file.renewedAt || (a.file.key < b.file.key ? -1 : 1),
    );
  const problems: StoreProblem[] = [];
  const selected: UsableRecord[] = [];
  const claims = new LeaseClaims(config);
  for (const { file } of candidates) {
    const message = claims.add(file);
    if (message === undefined) selected.push(file);
    else problems.push({ object: file.path, message: `Cannot use lease "${file.path}": ${message}` });
  }
  return { selected, problems, claims };
}
