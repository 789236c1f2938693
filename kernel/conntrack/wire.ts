// Flows as ctnetlink messages (struct nfgenmsg and CTA_* of linux/netfilter/nfnetlink_conntrack.h).
import type { Family, IpAddress } from '../../net/address.ts';
import { type AttributesOf, at, attributeTable, nest, type TableValue } from '../netlink/attribute-table.ts';
import type { ByteReader, ByteWriter } from '../netlink/bytes.ts';
import { be16, be32, ipAddress, struct, u8, u16, u32 } from '../netlink/codec.ts';
import { familyNumber, familyOf, messageOf } from '../route/rtnetlink.ts';
import { type Flow, type FlowFilter, type FlowTuple, filterFamily, flowProtocols } from './objects.ts';

const nfgenmsg = struct({ family: u8, version: u8, resource: u16 });

const address = {
  CTA_IP_V4_SRC: at(1, ipAddress),
  CTA_IP_V4_DST: at(2, ipAddress),
  CTA_IP_V6_SRC: at(3, ipAddress),
  CTA_IP_V6_DST: at(4, ipAddress),
};
const protocol = {
  CTA_PROTO_NUM: at(1, u8),
  CTA_PROTO_SRC_PORT: at(2, be16),
  CTA_PROTO_DST_PORT: at(3, be16),
  CTA_PROTO_ICMP_ID: at(4, be16),
  CTA_PROTO_ICMP_TYPE: at(5, u8),
  CTA_PROTO_ICMP_CODE: at(6, u8),
  CTA_PROTO_ICMPV6_ID: at(7, be16),
  CTA_PROTO_ICMPV6_TYPE: at(8, u8),
  CTA_PROTO_ICMPV6_CODE: at(9, u8),
};
const tuple = attributeTable({
  CTA_TUPLE_IP: nest(1, attributeTable(address)),
  CTA_TUPLE_PROTO: nest(2, attributeTable(protocol)),
});

/** Which parts of a tuple in a request are meant (CTA_FILTER_FLAG in the kernel's nf_internals.h). */
const filterFlags = { source: 1, destination: 2, protocol: 8, sourcePort: 16, destinationPort: 32 } as const;

export const flowMessage = messageOf(
  nfgenmsg,
  attributeTable({
    CTA_TUPLE_ORIG: nest(1, tuple),
    CTA_TUPLE_REPLY: nest(2, tuple),
    CTA_STATUS: at(3, be32),
    CTA_MARK: at(8, be32),
    CTA_ID: at(12, be32),
    CTA_ZONE: at(18, be16),
    CTA_FILTER: nest(
      25,
      attributeTable({ CTA_FILTER_ORIG_FLAGS: at(1, u32), CTA_FILTER_REPLY_FLAGS: at(2, u32) }),
    ),
  }),
);

type Tuple = TableValue<typeof tuple>;
type Attributes = TableValue<typeof flowMessage>['attributes'];

function addresses(part: {
  readonly source?: IpAddress | undefined;
  readonly destination?: IpAddress | undefined;
}): AttributesOf<typeof address> {
  const { source, destination } = part;
  return {
    CTA_IP_V4_SRC: source?.family === 4 ? source : undefined,
    CTA_IP_V4_DST: destination?.family === 4 ? destination : undefined,
    CTA_IP_V6_SRC: source?.family === 6 ? source : undefined,
    CTA_IP_V6_DST: destination?.family === 6 ? destination : undefined,
  };
}

function wholeTuple(number: number, { icmp, ...part }: FlowTuple): Tuple {
  const is6 = number === flowProtocols.icmp6;
  return {
    CTA_TUPLE_IP: addresses(part),
    CTA_TUPLE_PROTO: {
      CTA_PROTO_NUM: number,
      CTA_PROTO_SRC_PORT: part.sourcePort,
      CTA_PROTO_DST_PORT: part.destinationPort,
      ...(icmp !== undefined &&
        (is6
          ? {
              CTA_PROTO_ICMPV6_ID: icmp.id,
              CTA_PROTO_ICMPV6_TYPE: icmp.type,
              CTA_PROTO_ICMPV6_CODE: icmp.code,
            }
          : { CTA_PROTO_ICMP_ID: icmp.id, CTA_PROTO_ICMP_TYPE: icmp.type, CTA_PROTO_ICMP_CODE: icmp.code })),
    },
  };
}

/** Body of a request about exactly this flow. */
export function writeFlow(out: ByteWriter, { family, protocol: number, original, zone, id }: Flow): void {
  flowMessage.write(out, {
    header: { family: familyNumber(family), version: 0, resource: 0 },
    attributes: {
      CTA_TUPLE_ORIG: wholeTuple(number, original),
      CTA_ID: id,
      CTA_ZONE: zone === 0 ? undefined : zone,
    },
  });
}

/** A filter as the kernel takes it. */
export interface KernelFilter {
  /** Undefined: both. */
  readonly family: Family | undefined;
  readonly attributes: Attributes;
  /** False when the filter means less than the attributes can say: what comes back is to be looked at again. */
  readonly isWhole: boolean;
}

/**
 * The kernel filters one family at a time, and by ports only beside a protocol. It is never given an IPv6 address: it compares those the
 * wrong way round (ctnetlink_filter_match_tuple takes ipv6_addr_cmp for "is equal", seen in 6.18) and would give, or delete, all flows
 * but the ones that were asked for.
 */
export function kernelFilter(filter: FlowFilter): KernelFilter {
  const { protocol: number, original, reply } = filter;
  const family = filterFamily(filter);
  if (family === undefined || family === 'none') return { family: undefined, attributes: {}, isWhole: false };
  const destination = family === 4 ? original?.destination : undefined;
  const source = family === 4 ? reply?.source : undefined;
  const isNarrower = destination !== original?.destination || source !== reply?.source;
  const hasPorts = original?.destinationPort !== undefined || reply?.sourcePort !== undefined;
  const ports = number === undefined ? {} : { from: reply?.sourcePort, to: original?.destinationPort };
  const fromReply = source !== undefined || ports.from !== undefined;
  const inOriginal = number !== undefined || destination !== undefined;
  return {
    family,
    isWhole: (inOriginal || fromReply) && !isNarrower && (number !== undefined || !hasPorts),
    attributes: {
      CTA_TUPLE_ORIG: inOriginal
        ? {
            CTA_TUPLE_IP: addresses({ destination }),
            CTA_TUPLE_PROTO: { CTA_PROTO_NUM: number, CTA_PROTO_DST_PORT: ports.to },
          }
        : undefined,
      CTA_TUPLE_REPLY: fromReply
        ? {
            CTA_TUPLE_IP: addresses({ source }),
            CTA_TUPLE_PROTO: { CTA_PROTO_NUM: number, CTA_PROTO_SRC_PORT: ports.from },
          }
        : undefined,
      CTA_FILTER: {
        CTA_FILTER_ORIG_FLAGS:
          (destination === undefined ? 0 : filterFlags.destination) |
          (number === undefined ? 0 : filterFlags.protocol) |
          (ports.to === undefined ? 0 : filterFlags.destinationPort),
        CTA_FILTER_REPLY_FLAGS:
          (source === undefined ? 0 : filterFlags.source) |
          (ports.from === undefined ? 0 : filterFlags.protocol | filterFlags.sourcePort),
      },
    },
  };
}

/** Body of a request about all flows of a filter. */
export function writeFilter(out: ByteWriter, { family, attributes }: KernelFilter): void {
  flowMessage.write(out, {
    header: { family: family === undefined ? 0 : familyNumber(family), version: 0, resource: 0 },
    attributes,
  });
}

/** Reads a flow; undefined for one that is not of IP. */
export function readFlow(input: ByteReader): Flow | undefined {
  const { header, attributes } = flowMessage.read(input);
  const family = familyOf(header.family);
  const original = readTuple(attributes.CTA_TUPLE_ORIG);
  const reply = readTuple(attributes.CTA_TUPLE_REPLY);
  if (family === undefined || original === undefined || reply === undefined) return undefined;
  return {
    family,
    protocol: original.number,
    original: original.tuple,
    reply: reply.tuple,
    mark: attributes.CTA_MARK ?? 0,
    status: attributes.CTA_STATUS ?? 0,
    zone: attributes.CTA_ZONE ?? 0,
    id: attributes.CTA_ID ?? 0,
  };
}

function readTuple(
  value: Tuple | undefined,
): { readonly number: number; readonly tuple: FlowTuple } | undefined {
  const { CTA_TUPLE_IP: ip, CTA_TUPLE_PROTO: part } = value ?? {};
  const source = ip?.CTA_IP_V4_SRC ?? ip?.CTA_IP_V6_SRC;
  const destination = ip?.CTA_IP_V4_DST ?? ip?.CTA_IP_V6_DST;
  const number = part?.CTA_PROTO_NUM;
  if (part === undefined || number === undefined || source === undefined || destination === undefined)
    return undefined;
  const id = part.CTA_PROTO_ICMP_ID ?? part.CTA_PROTO_ICMPV6_ID;
  const type = part.CTA_PROTO_ICMP_TYPE ?? part.CTA_PROTO_ICMPV6_TYPE ?? 0;
  const code = part.CTA_PROTO_ICMP_CODE ?? part.CTA_PROTO_ICMPV6_CODE ?? 0;
  return {
    number,
    tuple: {
      source,
      destination,
      ...(part.CTA_PROTO_SRC_PORT !== undefined && { sourcePort: part.CTA_PROTO_SRC_PORT }),
      ...(part.CTA_PROTO_DST_PORT !== undefined && { destinationPort: part.CTA_PROTO_DST_PORT }),
      ...(id !== undefined && { icmp: { id, type, code } }),
    },
  };
}
