// A packet as rules see it, for walking it through tables without a kernel (evaluate.ts), and its headers as bytes.
import type { IpAddress } from '../../net/address.ts';
import type { Hook } from './objects.ts';

export type CtState = 'new' | 'established' | 'related' | 'invalid' | 'untracked';

/** The connection that the packet belongs to. */
export interface Connection {
  readonly state: CtState;
  readonly direction?: 'original' | 'reply' | undefined;
  readonly mark?: number | undefined;
  /** Destination or source of its first packet was rewritten. */
  readonly dnat?: boolean | undefined;
  readonly snat?: boolean | undefined;
  /**
   * What NAT does to it is settled: chains of type nat do not see its packets, though its state is still new (the kernel's
   * nf_nat_initialized). So with a packet from this machine to itself, when it comes in again after it went out.
   */
  readonly natDecided?: boolean | undefined;
  /** As the first packet was before any rewriting; absent: as this one is. */
  readonly original?: {
    readonly saddr: IpAddress;
    readonly daddr: IpAddress;
    readonly sport: number;
    readonly dport: number;
  };
}

export interface Packet {
  readonly hook: Hook;
  readonly saddr: IpAddress;
  readonly daddr: IpAddress;
  /** IPPROTO_*. */
  readonly protocol: number;
  /** Of ICMP: type and code stand in the first two bytes of the ports' place. */
  readonly sport: number;
  readonly dport: number;
  readonly iif?: string | undefined;
  readonly oif?: string | undefined;
  readonly mark: number;
  readonly priority: number;
  readonly ct: Connection;
  /** ip_vs has rewritten its destination (the kernel's skb->ipvs_property). Conntrack does not call that DNAT. */
  readonly byIpvs?: boolean | undefined;
  /** TCP flags; SYN for the first packet of a connection. */
  readonly tcpFlags?: number | undefined;
  /** Bytes with all headers. */
  readonly length?: number | undefined;
}

/** A packet that begins a connection, with what is not said left at its usual. */
export function packet(
  given: Pick<Packet, 'hook' | 'saddr' | 'daddr' | 'protocol'> & Partial<Packet>,
): Packet {
  if (given.saddr.family !== given.daddr.family)
    throw new TypeError(`Cannot make a packet from "${given.saddr}" to "${given.daddr}": families differ`);
  return { sport: 40000, dport: 0, mark: 0, priority: 0, ct: { state: 'new' }, ...given };
}

const TCP_SYN = 2;

/** Bytes with all headers. */
export function packetLength(of: Packet): number {
  return of.length ?? (of.saddr.family === 4 ? 60 : 80);
}

export function networkHeader(of: Packet): Uint8Array {
  const four = of.saddr.family === 4;
  const bytes = Buffer.alloc(four ? 20 : 40);
  const length = packetLength(of);
  if (four) {
    bytes.writeUInt8(0x45, 0);
    bytes.writeUInt16BE(length, 2);
    bytes.writeUInt8(64, 8);
    bytes.writeUInt8(of.protocol, 9);
    bytes.set(of.saddr.bytes, 12);
    bytes.set(of.daddr.bytes, 16);
  } else {
    bytes.writeUInt8(0x60, 0);
    bytes.writeUInt16BE(length - 40, 4);
    bytes.writeUInt8(of.protocol, 6);
    bytes.writeUInt8(64, 7);
    bytes.set(of.saddr.bytes, 8);
    bytes.set(of.daddr.bytes, 24);
  }
  return bytes;
}

export function transportHeader(of: Packet): Uint8Array {
  const bytes = Buffer.alloc(20);
  bytes.writeUInt16BE(of.sport, 0);
  bytes.writeUInt16BE(of.dport, 2);
  bytes.writeUInt8(0x50, 12);
  bytes.writeUInt8(of.tcpFlags ?? TCP_SYN, 13);
  return bytes;
}
