// Virtual servers, real servers and timeouts as messages of generic netlink's family "IPVS" (linux/ip_vs.h). Numbers are of the machine's
// own byte order; ports and addresses of the network's.
import { type Family, IpAddress } from '../../net/address.ts';
import { type Transport, transportNumber, transports } from '../../net/transport.ts';
import { at, attributeTable, nest, type TableValue } from '../netlink/attribute-table.ts';
import { type ByteReader, type ByteWriter, DecodeError } from '../netlink/bytes.ts';
import { be16, bytes, type Codec, struct, text, u16, u32 } from '../netlink/codec.ts';
import { genericMessage } from '../netlink/generic-family.ts';
import { familyNumber, familyOf } from '../route/rtnetlink.ts';
import type {
  IpvsTimeouts,
  RealServer,
  RealServerId,
  RealServerState,
  VirtualServer,
  VirtualServerId,
  VirtualServerState,
} from './objects.ts';

export const ipvsFamilyName = 'IPVS';
/** IPVS_GENL_VERSION. */
const interfaceVersion = 1;

/** IPVS_CMD_*. */
export const ipvsCommands = {
  newService: 1,
  setService: 2,
  deleteService: 3,
  getService: 4,
  newDestination: 5,
  setDestination: 6,
  deleteDestination: 7,
  getDestination: 8,
  setConfig: 12,
  getConfig: 13,
} as const;
export type IpvsCommand = (typeof ipvsCommands)[keyof typeof ipvsCommands];

/** IP_VS_SVC_F_*. */
const flagBits = {
  persistent: 0x1,
  onePacket: 0x4,
  scheduler1: 0x8,
  scheduler2: 0x10,
  scheduler3: 0x20,
} as const;
const otherFlags = flagBits.onePacket | flagBits.scheduler1 | flagBits.scheduler3;
/** All that a change sets or clears: not "hashed" (0x2), which is the kernel's own. */
const flagMask = flagBits.persistent | flagBits.scheduler2 | otherFlags;

/** IP_VS_CONN_F_FWD_MASK, and IP_VS_CONN_F_MASQ in it. */
const forwardMask = 0x7;
const forwardNat = 0;

/** union nf_inet_addr: 16 bytes, of which IPv4 takes the first four. Which family it is stands elsewhere. */
const addressSize = 16;
const addressBytes: Codec<Uint8Array> = {
  write(out, value) {
    out.raw(value);
    out.zeros(addressSize - value.length);
  },
  read: (input) => bytes.read(input),
};

const service = attributeTable({
  IPVS_SVC_ATTR_AF: at(1, u16),
  IPVS_SVC_ATTR_PROTOCOL: at(2, u16),
  IPVS_SVC_ATTR_ADDR: at(3, addressBytes),
  IPVS_SVC_ATTR_PORT: at(4, be16),
  IPVS_SVC_ATTR_FWMARK: at(5, u32),
  IPVS_SVC_ATTR_SCHED_NAME: at(6, text),
  IPVS_SVC_ATTR_FLAGS: at(7, struct({ flags: u32, mask: u32 })),
  IPVS_SVC_ATTR_TIMEOUT: at(8, u32),
  // IPv4: a mask as four bytes; IPv6: a prefix length as a number.
  IPVS_SVC_ATTR_NETMASK: at(9, u32),
  IPVS_SVC_ATTR_PE_NAME: at(11, text),
});

const destination = attributeTable({
  IPVS_DEST_ATTR_ADDR: at(1, addressBytes),
  IPVS_DEST_ATTR_PORT: at(2, be16),
  IPVS_DEST_ATTR_FWD_METHOD: at(3, u32),
  IPVS_DEST_ATTR_WEIGHT: at(4, u32),
  IPVS_DEST_ATTR_U_THRESH: at(5, u32),
  IPVS_DEST_ATTR_L_THRESH: at(6, u32),
  IPVS_DEST_ATTR_ACTIVE_CONNS: at(7, u32),
  IPVS_DEST_ATTR_INACT_CONNS: at(8, u32),
  IPVS_DEST_ATTR_PERSIST_CONNS: at(9, u32),
  // Kernels before 3.18 do not say it: the family is the virtual server's.
  IPVS_DEST_ATTR_ADDR_FAMILY: at(11, u16),
});

export const ipvsMessage = genericMessage(
  attributeTable({
    IPVS_CMD_ATTR_SERVICE: nest(1, service),
    IPVS_CMD_ATTR_DEST: nest(2, destination),
    IPVS_CMD_ATTR_TIMEOUT_TCP: at(4, u32),
    IPVS_CMD_ATTR_TIMEOUT_TCP_FIN: at(5, u32),
    IPVS_CMD_ATTR_TIMEOUT_UDP: at(6, u32),
  }),
);

export type IpvsAttributes = TableValue<typeof ipvsMessage>['attributes'];

const wholeAddress: Readonly<Record<Family, number>> = { 4: 0xffffffff, 6: 128 };

/** What names a virtual server. */
export function serverIdAttributes({ protocol, address, port }: VirtualServerId): IpvsAttributes {
  return {
    IPVS_CMD_ATTR_SERVICE: {
      IPVS_SVC_ATTR_AF: familyNumber(address.family),
      IPVS_SVC_ATTR_PROTOCOL: transportNumber[protocol],
      IPVS_SVC_ATTR_ADDR: address.bytes,
      IPVS_SVC_ATTR_PORT: port,
    },
  };
}

/** All of a virtual server, as additions and changes have it: the kernel wants every one of these. */
export function serverAttributes(server: VirtualServer): IpvsAttributes {
  const { scheduler, persistentSeconds, hashesPort } = server;
  const flags =
    (persistentSeconds === undefined ? 0 : flagBits.persistent) | (hashesPort ? flagBits.scheduler2 : 0);
  return {
    IPVS_CMD_ATTR_SERVICE: {
      ...serverIdAttributes(server).IPVS_CMD_ATTR_SERVICE,
      IPVS_SVC_ATTR_SCHED_NAME: scheduler,
      IPVS_SVC_ATTR_FLAGS: { flags, mask: flagMask },
      IPVS_SVC_ATTR_TIMEOUT: persistentSeconds ?? 0,
      IPVS_SVC_ATTR_NETMASK: wholeAddress[server.address.family],
    },
  };
}

/** What names a real server of a virtual server. */
export function realIdAttributes(server: VirtualServerId, { address, port }: RealServerId): IpvsAttributes {
  return {
    ...serverIdAttributes(server),
    IPVS_CMD_ATTR_DEST: {
      IPVS_DEST_ATTR_ADDR: address.bytes,
      IPVS_DEST_ATTR_PORT: port,
      IPVS_DEST_ATTR_ADDR_FAMILY: familyNumber(address.family),
    },
  };
}

/** All of a real server. Without thresholds: it takes as many connections as come. */
export function realAttributes(server: VirtualServerId, real: RealServer): IpvsAttributes {
  const id = realIdAttributes(server, real);
  return {
    ...id,
    IPVS_CMD_ATTR_DEST: {
      ...id.IPVS_CMD_ATTR_DEST,
      IPVS_DEST_ATTR_FWD_METHOD: forwardNat,
      IPVS_DEST_ATTR_WEIGHT: real.weight,
      IPVS_DEST_ATTR_U_THRESH: 0,
      IPVS_DEST_ATTR_L_THRESH: 0,
    },
  };
}

export function timeoutAttributes({ tcp, tcpFin, udp }: IpvsTimeouts): IpvsAttributes {
  const unlessZero = (seconds: number) => (seconds === 0 ? undefined : seconds);
  return {
    IPVS_CMD_ATTR_TIMEOUT_TCP: unlessZero(tcp),
    IPVS_CMD_ATTR_TIMEOUT_TCP_FIN: unlessZero(tcpFin),
    IPVS_CMD_ATTR_TIMEOUT_UDP: unlessZero(udp),
  };
}

/** Body of a request. */
export function writeIpvs(out: ByteWriter, command: IpvsCommand, attributes: IpvsAttributes = {}): void {
  ipvsMessage.write(out, { command, version: interfaceVersion, attributes });
}

/** Undefined for one by firewall mark, or of a protocol that has no ports. */
export function readServer(input: ByteReader): VirtualServerState | undefined {
  const { IPVS_CMD_ATTR_SERVICE: of } = ipvsMessage.read(input).attributes;
  const family = familyOf(of?.IPVS_SVC_ATTR_AF ?? 0);
  const protocol = transportOf(of?.IPVS_SVC_ATTR_PROTOCOL);
  const { IPVS_SVC_ATTR_ADDR: address, IPVS_SVC_ATTR_PORT: port } = of ?? {};
  if (of === undefined || family === undefined || protocol === undefined) return undefined;
  if (of.IPVS_SVC_ATTR_FWMARK !== undefined || address === undefined || port === undefined) return undefined;
  const flags = of.IPVS_SVC_ATTR_FLAGS?.flags ?? 0;
  const isPersistent = (flags & flagBits.persistent) !== 0;
  const isMasked = isPersistent && of.IPVS_SVC_ATTR_NETMASK !== wholeAddress[family];
  return {
    protocol,
    address: addressOf(address, family),
    port,
    scheduler: of.IPVS_SVC_ATTR_SCHED_NAME ?? 'none',
    persistentSeconds: isPersistent ? (of.IPVS_SVC_ATTR_TIMEOUT ?? 0) : undefined,
    hashesPort: (flags & flagBits.scheduler2) !== 0,
    hasOtherOptions: (flags & otherFlags) !== 0 || isMasked || of.IPVS_SVC_ATTR_PE_NAME !== undefined,
  };
}

/** A real server of a virtual server of this family; undefined when the message has none. */
export function readReal(input: ByteReader, family: Family): RealServerState | undefined {
  const { IPVS_CMD_ATTR_DEST: of } = ipvsMessage.read(input).attributes;
  const { IPVS_DEST_ATTR_ADDR: address, IPVS_DEST_ATTR_PORT: port } = of ?? {};
  if (of === undefined || address === undefined || port === undefined) return undefined;
  return {
    address: addressOf(address, familyOf(of.IPVS_DEST_ATTR_ADDR_FAMILY ?? 0) ?? family),
    port,
    weight: of.IPVS_DEST_ATTR_WEIGHT ?? 0,
    isNat: ((of.IPVS_DEST_ATTR_FWD_METHOD ?? 0) & forwardMask) === forwardNat,
    activeConnections: of.IPVS_DEST_ATTR_ACTIVE_CONNS ?? 0,
    inactiveConnections: of.IPVS_DEST_ATTR_INACT_CONNS ?? 0,
    persistentConnections: of.IPVS_DEST_ATTR_PERSIST_CONNS ?? 0,
  };
}

export function readTimeouts(input: ByteReader): IpvsTimeouts {
  const { attributes } = ipvsMessage.read(input);
  return {
    tcp: attributes.IPVS_CMD_ATTR_TIMEOUT_TCP ?? 0,
    tcpFin: attributes.IPVS_CMD_ATTR_TIMEOUT_TCP_FIN ?? 0,
    udp: attributes.IPVS_CMD_ATTR_TIMEOUT_UDP ?? 0,
  };
}

function transportOf(number: number | undefined): Transport | undefined {
  return transports.find((transport) => transportNumber[transport] === number);
}

function addressOf(value: Uint8Array, family: Family): IpAddress {
  const size = family === 4 ? 4 : addressSize;
  if (value.length < size)
    throw new DecodeError(`Cannot read an IPv${family} address of ${value.length} bytes`);
  return IpAddress.fromBytes(value.subarray(0, size));
}
