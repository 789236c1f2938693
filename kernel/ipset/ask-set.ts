// Whether a set has what a packet has, as xt_set asks it (`-m set --match-set NAME dst,dst,src`). Works on values; no kernel is asked.
import { Prefix } from '../../net/prefix.ts';
import { type Transport, transportNumber, transports } from '../../net/transport.ts';
import type { Packet } from '../nft/packet.ts';
import { entryText, type IpsetEntry, type IpsetType } from './objects.ts';

export type SetDirection = 'src' | 'dst';

export interface AskedSet {
  readonly type: IpsetType;
  /** NFPROTO_*; 0: both. */
  readonly family: number;
  readonly entries: ReadonlyMap<string, IpsetEntry>;
}

const familyNumbers = { 4: 2, 6: 10 } as const;

const dimensions: Readonly<Record<IpsetType, number>> = {
  'hash:ip': 1,
  'hash:ip,port': 2,
  'hash:ip,port,ip': 3,
  'hash:ip,port,net': 3,
  'bitmap:port': 1,
};

const protocols: ReadonlyMap<number, Transport> = new Map(
  transports.map((one) => [transportNumber[one], one]),
);

/** Which parts of a packet, one for each part of the set's entries. */
export interface SetQuestion {
  readonly directions: readonly SetDirection[];
  readonly packet: Pick<Packet, 'saddr' | 'daddr' | 'protocol' | 'sport' | 'dport'>;
}

/** With fewer directions than the set has parts nothing is in it; more do no harm. */
export function isInSet({ type, family, entries }: AskedSet, { directions, packet }: SetQuestion): boolean {
  if (directions.length < dimensions[type]) return false;
  if (family !== 0 && family !== familyNumbers[packet.saddr.family]) return false;
  const address = (part: number) => (directions[part] === 'src' ? packet.saddr : packet.daddr);
  const port = (part: number) => (directions[part] === 'src' ? packet.sport : packet.dport);
  const has = (entry: IpsetEntry) => entries.has(entryText(entry));
  const protocol = protocols.get(packet.protocol);
  switch (type) {
    case 'hash:ip':
      return has({ address: address(0) });
    case 'bitmap:port':
      // Which it knows to have ports (ip_set_get_ip_port): not SCTP.
      return (protocol === 'tcp' || protocol === 'udp') && has({ port: port(0) });
    case 'hash:ip,port':
      return protocol !== undefined && has({ address: address(0), protocol, port: port(1) });
    case 'hash:ip,port,ip':
    case 'hash:ip,port,net': {
      if (protocol === undefined) return false;
      const host = Prefix.host(address(2));
      const lengths = type === 'hash:ip,port,ip' ? 1 : host.bits;
      return Array.from({ length: lengths }, (_, i) =>
        has({
          address: address(0),
          protocol,
          port: port(1),
          second: new Prefix(host.address, host.bits - i).network(),
        }),
      ).includes(true);
    }
    default:
      return type satisfies never;
  }
}
