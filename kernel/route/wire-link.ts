// Links and bridge ports as rtnetlink messages (struct ifinfomsg, IFLA_* of linux/if_link.h). What a kind adds is in
// wire-link-detail.ts.
import { Mac } from '../../net/mac.ts';
import { at, attributeTable, nest } from '../netlink/attribute-table.ts';
import { type ByteReader, type ByteWriter, DecodeError } from '../netlink/bytes.ts';
import { bytes, text, u8, u32 } from '../netlink/codec.ts';
import { linkChanges } from './link-changes.ts';
import type { BridgePort, Link } from './objects.ts';
import { bareText, ifinfomsg, type LinkIndexes, type LinkNames, messageOf } from './rtnetlink.ts';
import {
  bridgePortAttributes,
  decodeDetail,
  decodePort,
  encodeBridge,
  encodeDetail,
  encodePort,
  linkInfo,
} from './wire-link-detail.ts';

const IFF_UP = 0x1;
const IFF_RUNNING = 0x40;
const IFF_PROMISC = 0x100;
/** No statistics in a dump: they are most of a link's message. */
const RTEXT_FILTER_SKIP_STATS = 8;

const noHeader = { family: 0, type: 0, index: 0, flags: 0, change: 0 };

export const linkMessage = messageOf(
  ifinfomsg,
  attributeTable({
    // Not a MAC for every link: a tunnel's is an IPv4 address.
    IFLA_ADDRESS: at(1, bytes),
    IFLA_IFNAME: at(3, text),
    IFLA_MTU: at(4, u32),
    IFLA_MASTER: at(10, u32),
    IFLA_TXQLEN: at(13, u32),
    IFLA_OPERSTATE: at(16, u8),
    IFLA_LINKINFO: nest(18, linkInfo),
    IFLA_IFALIAS: at(20, bareText),
    IFLA_GROUP: at(27, u32),
    IFLA_EXT_MASK: at(29, u32),
    IFLA_LINK_NETNSID: at(37, u32),
  }),
);

/** RTM_NEWLINK and RTM_DELLINK of family AF_BRIDGE: the same header, but port options in IFLA_PROTINFO. */
const portMessage = messageOf(
  ifinfomsg,
  attributeTable({
    IFLA_IFNAME: at(3, text),
    IFLA_MASTER: at(10, u32),
    IFLA_PROTINFO: nest(12, bridgePortAttributes),
  }),
);

/** Body of RTM_NEWLINK that makes a link, but for its late options (link-changes.ts). Throws KernelError when its master or underlay is not there. */
export function writeLinkAdd(out: ByteWriter, link: Link, links: LinkIndexes): void {
  const { up, promiscuous } = link;
  linkMessage.write(out, {
    header: {
      ...noHeader,
      ...flagsOf({ up: up === true || undefined, promiscuous: promiscuous === true || undefined }),
    },
    attributes: {
      IFLA_ADDRESS: link.mac?.bytes,
      IFLA_IFNAME: link.name,
      IFLA_MTU: link.detail.kind === 'bridge' ? undefined : link.mtu,
      IFLA_MASTER: link.master === '' ? undefined : masterIndex(link.master, links),
      IFLA_TXQLEN: link.txQueueLength,
      IFLA_LINKINFO: encodeDetail(link.detail, links),
    },
  });
}

/** ifi_flags, and in ifi_change those of them that count. */
function flagsOf({ up, promiscuous }: Partial<Link>): { readonly flags: number; readonly change: number } {
  const bits = (wanted: boolean | undefined, flag: number) => (wanted === true ? flag : 0);
  return {
    flags: bits(up, IFF_UP) | bits(promiscuous, IFF_PROMISC),
    change: bits(up !== undefined, IFF_UP) | bits(promiscuous !== undefined, IFF_PROMISC),
  };
}

/** Body of RTM_SETLINK, or of RTM_NEWLINK if the detail changes: only what `link` wants otherwise than `was`. */
export function writeLinkSet(
  out: ByteWriter,
  link: Link,
  options: { readonly was: Partial<Link>; readonly links: LinkIndexes },
): void {
  const changes = linkChanges(link, options.was);
  const { mac, mtu, master, txQueueLength, alias, detail } = changes;
  linkMessage.write(out, {
    header: { ...noHeader, ...flagsOf(changes) },
    attributes: {
      IFLA_ADDRESS: mac?.bytes,
      IFLA_IFNAME: link.name,
      IFLA_MTU: mtu,
      IFLA_MASTER: masterIndex(master, options.links),
      IFLA_TXQLEN: txQueueLength,
      IFLA_LINKINFO: detail?.kind === 'bridge' ? encodeBridge(detail) : undefined,
      IFLA_IFALIAS: alias,
    },
  });
}

/** Zero takes a link out of its bridge. */
function masterIndex(master: string | undefined, links: LinkIndexes): number | undefined {
  if (master === undefined) return undefined;
  return master === '' ? 0 : links.indexOf(master);
}

/** Body of RTM_DELLINK or RTM_GETLINK of one link. */
export function writeLinkQuery(
  out: ByteWriter,
  link: { readonly name: string } | { readonly index: number },
): void {
  if ('name' in link) linkMessage.write(out, { header: noHeader, attributes: { IFLA_IFNAME: link.name } });
  else linkMessage.write(out, { header: { ...noHeader, index: link.index }, attributes: {} });
}

/** Body of RTM_SETLINK that puts a link into a group. */
export function writeLinkGroup(
  out: ByteWriter,
  link: { readonly index: number; readonly group: number },
): void {
  const { index, group } = link;
  linkMessage.write(out, { header: { ...noHeader, index }, attributes: { IFLA_GROUP: group } });
}

/** Body of RTM_DELLINK of all links of a group. Every link is of group 0 unless somebody said otherwise: that one throws RangeError. */
export function writeGroupDelete(out: ByteWriter, group: number): void {
  if (group === 0) throw new RangeError('Cannot delete the links of group 0: that is nearly all of them');
  linkMessage.write(out, { header: noHeader, attributes: { IFLA_GROUP: group } });
}

/** Body of RTM_GETLINK that dumps all links. */
export function writeLinkDump(out: ByteWriter): void {
  linkMessage.write(out, { header: noHeader, attributes: { IFLA_EXT_MASK: RTEXT_FILTER_SKIP_STATS } });
}

/** Body of RTM_NEWLINK that sets port options by the link's name: it may share a batch with the message that makes the link. */
export function writePort(out: ByteWriter, port: BridgePort): void {
  linkMessage.write(out, {
    header: noHeader,
    attributes: {
      IFLA_IFNAME: port.link,
      IFLA_LINKINFO: { IFLA_INFO_SLAVE_KIND: 'bridge', IFLA_INFO_SLAVE_DATA: encodePort(port) },
    },
  });
}

/** What a message about a link says. `port` only for a link that is a port of a bridge. */
export interface LinkReport {
  readonly index: number;
  readonly link: Link;
  readonly port: BridgePort | undefined;
}

/** Reads the body of RTM_NEWLINK or RTM_DELLINK of family AF_UNSPEC. */
export function readLink(input: ByteReader, names: LinkNames): LinkReport {
  const { header, attributes } = linkMessage.read(input);
  const name = attributes.IFLA_IFNAME;
  if (name === undefined || name === '') throw new DecodeError(`Cannot read link ${header.index}: no name`);
  const info = attributes.IFLA_LINKINFO;
  const mac = attributes.IFLA_ADDRESS;
  const up = (header.flags & IFF_UP) !== 0;
  const master = attributes.IFLA_MASTER ?? 0;
  const link: Link = {
    name,
    detail: decodeDetail(info, { names, foreign: attributes.IFLA_LINK_NETNSID !== undefined }),
    mac: mac?.length === 6 ? Mac.fromBytes(mac) : undefined,
    mtu: attributes.IFLA_MTU,
    up,
    promiscuous: (header.flags & IFF_PROMISC) !== 0,
    master: master === 0 ? '' : (names.nameOf(master) ?? ''),
    alias: attributes.IFLA_IFALIAS ?? '',
    txQueueLength: attributes.IFLA_TXQLEN,
    index: header.index,
    running: up && (header.flags & IFF_RUNNING) !== 0,
  };
  const slave = info?.IFLA_INFO_SLAVE_DATA;
  return { index: header.index, link, port: slave && decodePort(name, slave) };
}

/** Number and name only: enough to know the links before the rest of a dump is understood. */
export function readLinkName(
  input: ByteReader,
): { readonly index: number; readonly name: string } | undefined {
  const { header, attributes } = linkMessage.read(input);
  return attributes.IFLA_IFNAME === undefined
    ? undefined
    : { index: header.index, name: attributes.IFLA_IFNAME };
}

/** The same and the group: what a deletion needs. */
export function readLinkGroup(
  input: ByteReader,
): { readonly index: number; readonly name: string; readonly group: number } | undefined {
  const { header, attributes } = linkMessage.read(input);
  const { IFLA_IFNAME: name, IFLA_GROUP: group = 0 } = attributes;
  return name === undefined ? undefined : { index: header.index, name, group };
}

/** Reads the body of a message of family AF_BRIDGE: a port's options, or undefined for the bridge itself. */
export function readPort(input: ByteReader): BridgePort | undefined {
  const { attributes } = portMessage.read(input);
  const { IFLA_IFNAME: name, IFLA_PROTINFO: options, IFLA_MASTER: master } = attributes;
  return name === undefined || master === undefined ? undefined : decodePort(name, options ?? {});
}
