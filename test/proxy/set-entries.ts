// Sets with their entries, for tests that take some away.
import {
  type Ipset,
  type IpsetAccess,
  type IpsetEntry,
  type IpsetType,
  ipsetTypes,
} from '../../kernel/ipset/objects.ts';
import type { Family } from '../../net/address.ts';

export interface SetWithEntries {
  readonly set: Ipset;
  readonly entries: readonly IpsetEntry[];
}

export function setsWithEntries(access: Pick<IpsetAccess, 'headers' | 'entries'>): readonly SetWithEntries[] {
  return access.headers().flatMap(({ name, type, family, maxElements }) => {
    const known = ipsetTypes.find((one): one is IpsetType => one === type);
    if (known === undefined) return [];
    const set = { name, type: known, family: familyOf(family), maxElements };
    return [{ set, entries: access.entries(name) ?? [] }];
  });
}

/** NFPROTO_IPV6 is 10. */
function familyOf(number: number): Family {
  return number === 10 ? 6 : 4;
}
