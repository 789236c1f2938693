// Computes the steps that turn the VLANs of one bridge port (or bridge) into the wanted ones. Apart from planRoute, because who
// wants no VLANs does not read them.
import type { PortVlan } from './objects.ts';
import type { RouteStep } from './step.ts';

export interface VlanPlanOptions {
  readonly link: string;
  /** The link is the bridge itself. */
  readonly self: boolean;
}

type Membership = Pick<PortVlan, 'pvid' | 'untagged'>;

/** Joins before it leaves; `planVlans(x, x)` is empty. A new PVID takes the place of the old one. */
export function planVlans(
  wanted: readonly PortVlan[],
  actual: readonly PortVlan[],
  { link, self }: VlanPlanOptions,
): readonly RouteStep[] {
  const desired = members(wanted);
  const present = members(actual);
  const joined = [...desired].filter(([vid, membership]) => !isSame(membership, present.get(vid)));
  const left = [...present].filter(([vid]) => !desired.has(vid));
  return [
    ...ranges(joined).map((vlan): RouteStep => ({ kind: 'vlan-set', link, vlan, self })),
    ...ranges(left).map((vlan): RouteStep => ({ kind: 'vlan-delete', link, vlan, self })),
  ];
}

function isSame(one: Membership, other: Membership | undefined): boolean {
  return one.pvid === other?.pvid && one.untagged === other.untagged;
}

/** One entry a VLAN. */
export function members(vlans: readonly PortVlan[]): Map<number, Membership> {
  const found = new Map<number, Membership>();
  for (const { first, last, pvid, untagged } of vlans)
    for (let vid = first; vid <= last; vid++) found.set(vid, { pvid, untagged });
  return found;
}

/** Runs of equal neighbours together, as the kernel gives them; a PVID is always by itself. */
export function ranges(found: Iterable<readonly [vid: number, membership: Membership]>): readonly PortVlan[] {
  const vlans: PortVlan[] = [];
  for (const [vid, { pvid, untagged }] of [...found].toSorted(([a], [b]) => a - b)) {
    const before = vlans.at(-1);
    if (before?.last === vid - 1 && !pvid && isSame({ pvid, untagged }, before))
      vlans[vlans.length - 1] = { ...before, last: vid };
    else vlans.push({ first: vid, last: vid, pvid, untagged });
  }
  return vlans;
}
