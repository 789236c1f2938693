// What a link's kind adds to its message (IFLA_LINKINFO, linux/if_link.h): kind, data of the kind, data of the port.
import type { IpAddress } from '../../net/address.ts';
import {
  type AttributesOf,
  at,
  attributeTable,
  nest,
  nestBy,
  type TableValue,
} from '../netlink/attribute-table.ts';
import { be16, bool8, bytes, flag, ipAddress, struct, text, u8, u32 } from '../netlink/codec.ts';
import type { BridgeDetail, BridgePort, IpipDetail, LinkDetail, VethDetail, VxlanDetail } from './objects.ts';
import { ifinfomsg, type LinkIndexes, type LinkNames, messageOf } from './rtnetlink.ts';

const portTable = {
  IFLA_BRPORT_MODE: at(4, bool8),
  IFLA_BRPORT_LEARNING: at(8, bool8),
  IFLA_BRPORT_ISOLATED: at(33, bool8),
};

/** Options of a bridge port: the payload of IFLA_INFO_SLAVE_DATA of kind "bridge" and of IFLA_PROTINFO in AF_BRIDGE messages. */
export const bridgePortAttributes = attributeTable(portTable);

const peerMessage = messageOf(
  ifinfomsg,
  attributeTable({
    IFLA_ADDRESS: at(1, bytes),
    IFLA_IFNAME: at(3, text),
    IFLA_MTU: at(4, u32),
    IFLA_NET_NS_FD: at(28, u32),
  }),
);

const vethTable = { VETH_INFO_PEER: nest(1, peerMessage) };
const vxlanTable = {
  IFLA_VXLAN_ID: at(1, u32),
  IFLA_VXLAN_LINK: at(3, u32),
  IFLA_VXLAN_LOCAL: at(4, ipAddress),
  IFLA_VXLAN_LEARNING: at(7, bool8),
  IFLA_VXLAN_PORT_RANGE: at(10, struct({ low: be16, high: be16 })),
  IFLA_VXLAN_PORT: at(15, be16),
  IFLA_VXLAN_LOCAL6: at(17, ipAddress),
  IFLA_VXLAN_GBP: at(23, flag),
};
const bridgeTable = { IFLA_BR_VLAN_FILTERING: at(7, bool8) };
const tunTable = { IFLA_TUN_TYPE: at(3, u8), IFLA_TUN_PERSIST: at(6, bool8) };
const ipipTable = { IFLA_IPTUN_LOCAL: at(2, ipAddress), IFLA_IPTUN_REMOTE: at(3, ipAddress) };

/** IFLA_LINKINFO. The data's codec goes by the kind above it; data of a kind that is not here is skipped. */
export const linkInfo = attributeTable({
  IFLA_INFO_KIND: at(1, text),
  IFLA_INFO_DATA: nestBy(2, {
    sibling: 'IFLA_INFO_KIND',
    codecs: {
      veth: attributeTable(vethTable),
      bridge: attributeTable(bridgeTable),
      vxlan: attributeTable(vxlanTable),
      tun: attributeTable(tunTable),
      ipip: attributeTable(ipipTable),
    },
  }),
  IFLA_INFO_SLAVE_KIND: at(4, text),
  IFLA_INFO_SLAVE_DATA: nestBy(5, {
    sibling: 'IFLA_INFO_SLAVE_KIND',
    codecs: { bridge: bridgePortAttributes },
  }),
});

export type LinkInfo = TableValue<typeof linkInfo>;

const IFF_TUN = 1;

/** What the kernel calls the kind of a link. */
export function kernelKind(detail: LinkDetail): string {
  return detail.kind === 'other' ? detail.type : detail.kind;
}

export function encodeDetail(detail: LinkDetail, links: LinkIndexes): LinkInfo {
  const IFLA_INFO_KIND = kernelKind(detail);
  switch (detail.kind) {
    case 'veth':
      return detail.peer === undefined
        ? { IFLA_INFO_KIND }
        : { IFLA_INFO_KIND, IFLA_INFO_DATA: encodePeer(detail.peer) };
    case 'bridge':
      // Off at creation; a kernel without VLAN filtering refuses to be told so.
      return detail.vlanFiltering === true ? encodeBridge(detail) : { IFLA_INFO_KIND };
    case 'vxlan':
      return { IFLA_INFO_KIND, IFLA_INFO_DATA: encodeVxlan(detail, links) };
    case 'ipip':
      return {
        IFLA_INFO_KIND,
        IFLA_INFO_DATA: { IFLA_IPTUN_LOCAL: detail.local, IFLA_IPTUN_REMOTE: detail.remote },
      };
    default:
      return { IFLA_INFO_KIND };
  }
}

/** The options of a bridge, at creation or later. */
export function encodeBridge({ kind, vlanFiltering }: BridgeDetail): LinkInfo {
  return { IFLA_INFO_KIND: kind, IFLA_INFO_DATA: { IFLA_BR_VLAN_FILTERING: vlanFiltering } };
}

/** The peer must not be up at creation: the kernel opens it before its other end is ready (ENOTCONN). */
function encodePeer(peer: NonNullable<VethDetail['peer']>): AttributesOf<typeof vethTable> {
  return {
    VETH_INFO_PEER: {
      header: { family: 0, type: 0, index: 0, flags: 0, change: 0 },
      attributes: {
        IFLA_ADDRESS: peer.mac?.bytes,
        IFLA_IFNAME: peer.name,
        IFLA_MTU: peer.mtu,
        IFLA_NET_NS_FD: peer.netns?.fd,
      },
    },
  };
}

function encodeVxlan(detail: VxlanDetail, links: LinkIndexes): AttributesOf<typeof vxlanTable> {
  const { vni, local, underlay, learning, port, gbp } = detail;
  return {
    IFLA_VXLAN_ID: vni,
    IFLA_VXLAN_LINK: underlay === undefined ? undefined : links.indexOf(underlay),
    IFLA_VXLAN_LOCAL: local?.family === 4 ? local : undefined,
    IFLA_VXLAN_LEARNING: learning,
    IFLA_VXLAN_PORT: port,
    IFLA_VXLAN_LOCAL6: local?.family === 6 ? local : undefined,
    IFLA_VXLAN_GBP: gbp === true ? true : undefined,
  };
}

/** `foreign`: numbers of links in the message count in another namespace (IFLA_LINK_NETNSID). */
export function decodeDetail(
  info: LinkInfo | undefined,
  options: { readonly names: LinkNames; readonly foreign: boolean },
): LinkDetail {
  const kind = info?.IFLA_INFO_KIND;
  const data = info?.IFLA_INFO_DATA;
  // The table's codec of IFLA_INFO_DATA was chosen by this very kind.
  switch (kind) {
    case 'vxlan':
      return decodeVxlan((data ?? {}) as AttributesOf<typeof vxlanTable>, options);
    case 'tun': {
      const type = (data as AttributesOf<typeof tunTable> | undefined)?.IFLA_TUN_TYPE;
      return type === undefined || type === IFF_TUN ? { kind: 'tun' } : { kind: 'other', type: 'tap' };
    }
    case 'ipip':
      return decodeIpip((data ?? {}) as AttributesOf<typeof ipipTable>);
    case 'bridge':
      return {
        kind,
        vlanFiltering: (data as AttributesOf<typeof bridgeTable> | undefined)?.IFLA_BR_VLAN_FILTERING,
      };
    case 'veth':
    case 'ifb':
    case 'dummy':
    case 'wireguard':
      return { kind };
    default:
      return { kind: 'other', type: kind ?? '' };
  }
}

function decodeVxlan(
  data: AttributesOf<typeof vxlanTable>,
  options: { readonly names: LinkNames; readonly foreign: boolean },
): VxlanDetail {
  const link = data.IFLA_VXLAN_LINK ?? 0;
  return {
    kind: 'vxlan',
    vni: data.IFLA_VXLAN_ID ?? 0,
    port: data.IFLA_VXLAN_PORT ?? 0,
    local: data.IFLA_VXLAN_LOCAL ?? data.IFLA_VXLAN_LOCAL6,
    underlay: link === 0 || options.foreign ? undefined : options.names.nameOf(link),
    learning: data.IFLA_VXLAN_LEARNING ?? false,
    gbp: data.IFLA_VXLAN_GBP ?? false,
  };
}

function decodeIpip(data: AttributesOf<typeof ipipTable>): IpipDetail {
  return {
    kind: 'ipip',
    local: specified(data.IFLA_IPTUN_LOCAL),
    remote: specified(data.IFLA_IPTUN_REMOTE),
  };
}

function specified(address: IpAddress | undefined): IpAddress | undefined {
  return address?.isUnspecified === true ? undefined : address;
}

export function encodePort(port: BridgePort): TableValue<typeof bridgePortAttributes> {
  return {
    IFLA_BRPORT_MODE: port.hairpin,
    IFLA_BRPORT_LEARNING: port.learning,
    IFLA_BRPORT_ISOLATED: port.isolated,
  };
}

export function decodePort(link: string, data: TableValue<typeof bridgePortAttributes>): BridgePort {
  return {
    link,
    hairpin: data.IFLA_BRPORT_MODE,
    isolated: data.IFLA_BRPORT_ISOLATED,
    learning: data.IFLA_BRPORT_LEARNING,
  };
}
