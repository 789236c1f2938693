// The sets that are there, as a plan wants them. Not which of them are ours: the caller says.
import type { IpsetAccess, IpsetState } from './objects.ts';
import { ipsetEntries, ipsetTypes } from './objects.ts';
import { spareSet } from './plan.ts';

/** Sets with these names, and the spare one. Of a type that is none of ours without entries. */
export function readIpsets(
  access: Pick<IpsetAccess, 'headers' | 'entries'>,
  isOurs: (name: string) => boolean,
): ReadonlyMap<string, IpsetState> {
  const found = new Map<string, IpsetState>();
  for (const header of access.headers()) {
    const { name, type } = header;
    if (name !== spareSet && !isOurs(name)) continue;
    const isKnown = name !== spareSet && ipsetTypes.some((one) => one === type);
    const entries = isKnown ? access.entries(name) : [];
    // Gone in between.
    if (entries !== undefined) found.set(name, { header, entries: ipsetEntries(entries) });
  }
  return found;
}
