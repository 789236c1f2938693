// What expressions load of a packet: header bytes, metadata, its connection. Numbers are in the host's order; undefined is what
// ends a rule in the kernel.
import type { Expression, MetaKey } from './expressions.ts';
import { networkHeader, type Packet, packetLength, transportHeader } from './packet.ts';
import { ctStates, ctStatuses } from './value-text.ts';

type Value = Uint8Array | number | undefined;

export function payloadValue(packet: Packet, load: Extract<Expression, { kind: 'payload' }>): Value {
  const { base, offset, length } = load;
  const header =
    base === 'network' ? networkHeader(packet) : base === 'transport' ? transportHeader(packet) : undefined;
  if (header === undefined || offset + length > header.length) return undefined;
  return header.subarray(offset, offset + length);
}

export function metaValue(packet: Packet, key: MetaKey, indexOf?: (link: string) => number): Value {
  switch (key) {
    case 'mark':
      return packet.mark;
    case 'priority':
      return packet.priority;
    case 'l4proto':
      return packet.protocol;
    case 'nfproto':
      return packet.saddr.family === 4 ? 2 : 10;
    case 'length':
      return packetLength(packet);
    case 'iifname':
    case 'oifname': {
      const name = Buffer.alloc(16);
      name.write(linkAt(packet, key === 'iifname' ? 'in' : 'out') ?? '', 0, 15, 'utf8');
      return name;
    }
    case 'iif':
    case 'oif': {
      const link = linkAt(packet, key === 'iif' ? 'in' : 'out');
      return link === undefined ? undefined : (indexOf?.(link) ?? 0);
    }
    case 'pkttype':
      return 0;
    default:
      return undefined;
  }
}

/** Packets of the machine itself come in over no link, and where they leave is not known before routing. */
function linkAt(packet: Packet, way: 'in' | 'out'): string | undefined {
  const { hook } = packet;
  if (way === 'in') return hook === 'output' ? undefined : packet.iif;
  return hook === 'prerouting' || hook === 'input' ? undefined : packet.oif;
}

export function ctValue(packet: Packet, load: Extract<Expression, { kind: 'ct' }>): Value {
  const { ct } = packet;
  if (load.key === 'state') return ctStates[ct.state];
  if (ct.state === 'untracked' || ct.state === 'invalid') return undefined;
  const original = load.direction === 'original' ? (ct.original ?? packet) : undefined;
  switch (load.key) {
    case 'status':
      return (ct.dnat === true ? ctStatuses.dnat : 0) | (ct.snat === true ? ctStatuses.snat : 0);
    case 'mark':
      return ct.mark ?? 0;
    case 'direction':
      return ct.direction === 'reply' ? 1 : 0;
    case 'protocol':
      return packet.protocol;
    case 'saddr':
    case 'ip saddr':
    case 'ip6 saddr':
      return original?.saddr.bytes;
    case 'daddr':
    case 'ip daddr':
    case 'ip6 daddr':
      return original?.daddr.bytes;
    case 'proto-src':
      return original === undefined ? undefined : portBytes(original.sport);
    case 'proto-dst':
      return original === undefined ? undefined : portBytes(original.dport);
    default:
      return undefined;
  }
}

function portBytes(port: number): Uint8Array {
  return Uint8Array.of(port >> 8, port & 0xff);
}
