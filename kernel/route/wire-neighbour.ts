// Neighbours and forwarding database rows as rtnetlink messages (struct ndmsg, NDA_* of linux/neighbour.h).
import type { IpAddress } from '../../net/address.ts';
import { Mac } from '../../net/mac.ts';
import { at, attributeTable } from '../netlink/attribute-table.ts';
import { type ByteReader, type ByteWriter, DecodeError } from '../netlink/bytes.ts';
import { bytes, ipAddress, u16, u32 } from '../netlink/codec.ts';
import type { FdbEntry, Neighbour, NeighbourState } from './objects.ts';
import {
  AF_BRIDGE,
  familyNumber,
  familyOf,
  type LinkIndexes,
  type LinkNames,
  messageOf,
  ndmsg,
  numbered,
} from './rtnetlink.ts';

const NTF_SELF = 0x02;
const NTF_MASTER = 0x04;

const states = numbered({
  none: 0,
  incomplete: 0x01,
  reachable: 0x02,
  stale: 0x04,
  delay: 0x08,
  probe: 0x10,
  failed: 0x20,
  noarp: 0x40,
  permanent: 0x80,
} satisfies Record<NeighbourState, number>);

export const neighbourMessage = messageOf(
  ndmsg,
  attributeTable({
    NDA_DST: at(1, ipAddress),
    NDA_LLADDR: at(2, bytes),
    NDA_VLAN: at(5, u16),
    NDA_MASTER: at(9, u32),
  }),
);

/** Body of RTM_NEWNEIGH and RTM_DELNEIGH. */
export function writeNeighbour(out: ByteWriter, neighbour: Neighbour, links: LinkIndexes): void {
  neighbourMessage.write(out, {
    header: {
      family: familyNumber(neighbour.address.family),
      index: links.indexOf(neighbour.link),
      state: states.numberOf(neighbour.state),
      flags: 0,
      type: 0,
    },
    attributes: { NDA_DST: neighbour.address, NDA_LLADDR: neighbour.mac?.bytes },
  });
}

/** Body of RTM_NEWNEIGH and RTM_DELNEIGH of family AF_BRIDGE. */
export function writeFdbEntry(out: ByteWriter, entry: FdbEntry, links: LinkIndexes): void {
  neighbourMessage.write(out, {
    header: {
      family: AF_BRIDGE,
      index: links.indexOf(entry.link),
      state: states.numberOf(entry.state),
      flags: entry.self ? NTF_SELF : NTF_MASTER,
      type: 0,
    },
    attributes: { NDA_DST: entry.remote, NDA_LLADDR: entry.mac.bytes },
  });
}

/** Body of RTM_GETNEIGH that dumps the neighbours of a family, or all forwarding databases. */
export function writeNeighbourDump(out: ByteWriter, family: 4 | 6 | 'bridge'): void {
  const number = family === 'bridge' ? AF_BRIDGE : familyNumber(family);
  neighbourMessage.write(out, {
    header: { family: number, index: 0, state: 0, flags: 0, type: 0 },
    attributes: {},
  });
}

export type NeighbourReport =
  | { readonly kind: 'neighbour'; readonly neighbour: Neighbour }
  | { readonly kind: 'fdb'; readonly entry: FdbEntry };

/** `bridge fdb` sets "noarp" beside "permanent": as it prints, the permanent bit decides. */
function stateOf(bits: number): NeighbourState {
  if ((bits & states.numberOf('permanent')) !== 0) return 'permanent';
  return states.nameOf(bits) ?? 'none';
}

/** Undefined for a family that is not ours, a link without a name, a row without a MAC, of one VLAN of a bridge, or of the kernel's own. */
export function readNeighbour(input: ByteReader, names: LinkNames): NeighbourReport | undefined {
  const { header, attributes } = neighbourMessage.read(input);
  const link = names.nameOf(header.index);
  if (link === undefined) return undefined;
  const bytes = attributes.NDA_LLADDR;
  const mac = bytes?.length === 6 ? Mac.fromBytes(bytes) : undefined;
  const state = stateOf(header.state);
  const address = attributes.NDA_DST;
  if (header.family === AF_BRIDGE) {
    const self = (header.flags & NTF_SELF) !== 0;
    if (mac === undefined || attributes.NDA_VLAN !== undefined) return undefined;
    // The kernel's own: a link's multicast filter is dumped as if it were rows, and a bridge's row of itself.
    if (self && mac.isMulticast && address === undefined) return undefined;
    if (!self && attributes.NDA_MASTER === header.index) return undefined;
    return { kind: 'fdb', entry: { link, mac, remote: address, self, state } };
  }
  const family = familyOf(header.family);
  if (family === undefined) return undefined;
  return { kind: 'neighbour', neighbour: { link, address: checked(address, family), mac, state } };
}

function checked(address: IpAddress | undefined, family: 4 | 6): IpAddress {
  if (address?.family !== family) throw new DecodeError(`Cannot read an IPv${family} neighbour: no address`);
  return address;
}
