// Which VLANs a port or a bridge of the fake kernel is a member of. Whether the bridge filters by them makes no difference here.
import type { PortVlan } from './objects.ts';

/** By number of the VLAN. */
export type VlanMembers = Map<number, Pick<PortVlan, 'pvid' | 'untagged'>>;

/** What a bridge and its ports begin with (IFLA_BR_VLAN_DEFAULT_PVID), whether frames are filtered or not. */
export function firstVlan(): VlanMembers {
  return new Map([[1, { pvid: true, untagged: true }]]);
}

/** The PVID is one: a new one takes it over. */
export function joinVlans(members: VlanMembers, { first, last, pvid, untagged }: PortVlan): void {
  for (let vid = first; vid <= last; vid++) {
    if (pvid) for (const [other, row] of members) members.set(other, { ...row, pvid: false });
    members.set(vid, { pvid, untagged });
  }
}

export function leaveVlans(members: VlanMembers, { first, last }: PortVlan): void {
  for (let vid = first; vid <= last; vid++) members.delete(vid);
}
