// VLANs of bridge ports as rtnetlink messages of family AF_BRIDGE (IFLA_AF_SPEC with struct bridge_vlan_info, linux/if_bridge.h).
// Not whether a bridge heeds them: that is an option of the bridge (wire-link-detail.ts).
import { at, attributeTable, listOf, nest, type TableValue } from '../netlink/attribute-table.ts';
import { type ByteReader, type ByteWriter, DecodeError } from '../netlink/bytes.ts';
import { type Codec, struct, text, u16, u32 } from '../netlink/codec.ts';
import type { PortVlan } from './objects.ts';
import { AF_BRIDGE, ifinfomsg, type LinkIndexes, messageOf } from './rtnetlink.ts';
import type { VlanChange } from './step.ts';

const BRIDGE_FLAGS_SELF = 2;
const BRIDGE_VLAN_INFO_PVID = 2;
const BRIDGE_VLAN_INFO_UNTAGGED = 4;
const BRIDGE_VLAN_INFO_RANGE_BEGIN = 8;
const BRIDGE_VLAN_INFO_RANGE_END = 16;
/** Dumps carry VLANs, and runs of equal ones as ranges. */
const RTEXT_FILTER_BRVLAN_COMPRESSED = 4;

/** VLAN_N_VID - 1 is reserved, as 0 is (IEEE 802.1Q). */
const lastVlan = 4094;

const target = attributeTable({ IFLA_BRIDGE_FLAGS: at(0, u16) });
const infos = listOf(at(2, struct({ flags: u16, vid: u16 })));

interface BridgeSpec {
  readonly flags?: number | undefined;
  /** Each a VLAN, or the first or the last of a range. */
  readonly infos: readonly { readonly flags: number; readonly vid: number }[];
}

/** Attributes of which one kind is repeated. */
const bridgeSpec: Codec<BridgeSpec> = {
  write(out, value) {
    target.write(out, { IFLA_BRIDGE_FLAGS: value.flags });
    infos.write(out, value.infos);
  },
  read: (input) => ({ infos: infos.read(input) }),
};

const vlanMessage = messageOf(
  ifinfomsg,
  attributeTable({
    IFLA_IFNAME: at(3, text),
    IFLA_AF_SPEC: nest(26, bridgeSpec),
    IFLA_EXT_MASK: at(29, u32),
  }),
);

const header: TableValue<typeof ifinfomsg> = { family: AF_BRIDGE, type: 0, index: 0, flags: 0, change: 0 };

/** Body of RTM_SETLINK or RTM_DELLINK. Throws RangeError for a range that cannot be, KernelError when the link is not there. */
export function writeVlan(out: ByteWriter, { link, vlan, self }: VlanChange, links: LinkIndexes): void {
  const { first, last, pvid } = vlan;
  if (!Number.isInteger(first) || !Number.isInteger(last) || first < 1 || last > lastVlan || first > last)
    throw new RangeError(
      `Cannot use VLANs ${first} to ${last} of "${link}": want 1 to ${lastVlan}, in order`,
    );
  if (pvid && first !== last)
    throw new RangeError(`Cannot make VLANs ${first} to ${last} the PVID of "${link}": it can only be one`);
  vlanMessage.write(out, {
    header: { ...header, index: links.indexOf(link) },
    attributes: {
      IFLA_AF_SPEC: { flags: self ? BRIDGE_FLAGS_SELF : undefined, infos: encodeRange(vlan) },
    },
  });
}

function encodeRange({ first, last, pvid, untagged }: PortVlan): BridgeSpec['infos'] {
  const flags = (pvid ? BRIDGE_VLAN_INFO_PVID : 0) | (untagged ? BRIDGE_VLAN_INFO_UNTAGGED : 0);
  if (first === last) return [{ flags, vid: first }];
  return [
    { flags: flags | BRIDGE_VLAN_INFO_RANGE_BEGIN, vid: first },
    { flags: flags | BRIDGE_VLAN_INFO_RANGE_END, vid: last },
  ];
}

/** Body of RTM_GETLINK that dumps the VLANs of all ports and bridges. */
export function writeVlanDump(out: ByteWriter): void {
  vlanMessage.write(out, { header, attributes: { IFLA_EXT_MASK: RTEXT_FILTER_BRVLAN_COMPRESSED } });
}

/** Reads the body of a message of that dump. */
export function readVlans(
  input: ByteReader,
): { readonly link: string; readonly vlans: readonly PortVlan[] } | undefined {
  const { IFLA_IFNAME: link, IFLA_AF_SPEC: spec } = vlanMessage.read(input).attributes;
  return link === undefined ? undefined : { link, vlans: decodeRanges(link, spec?.infos ?? []) };
}

function decodeRanges(link: string, rows: BridgeSpec['infos']): readonly PortVlan[] {
  const vlans: PortVlan[] = [];
  let begin: number | undefined;
  for (const { flags, vid } of rows) {
    if ((flags & BRIDGE_VLAN_INFO_RANGE_BEGIN) !== 0) {
      begin = vid;
      continue;
    }
    const isEnd = (flags & BRIDGE_VLAN_INFO_RANGE_END) !== 0;
    if (isEnd !== (begin !== undefined))
      throw new DecodeError(
        `Cannot read the VLANs of "${link}": a range that ends at ${vid} has half its ends`,
      );
    vlans.push({
      first: begin ?? vid,
      last: vid,
      pvid: (flags & BRIDGE_VLAN_INFO_PVID) !== 0,
      untagged: (flags & BRIDGE_VLAN_INFO_UNTAGGED) !== 0,
    });
    begin = undefined;
  }
  return vlans;
}
