// Flows that the kernel tracks (conntrack), and which of them one means. A flow is only ever read and deleted, never made.
import type { Family, IpAddress } from '../../net/address.ts';

/** IPPROTO_* of netinet/in.h. */
export const flowProtocols = { icmp: 1, tcp: 6, udp: 17, icmp6: 58, sctp: 132 } as const;

/** One direction of a flow. */
export interface FlowTuple {
  readonly source: IpAddress;
  readonly destination: IpAddress;
  /** Of protocols that have ports. */
  readonly sourcePort?: number | undefined;
  readonly destinationPort?: number | undefined;
  /** Of ICMP and ICMPv6. */
  readonly icmp?: { readonly id: number; readonly type: number; readonly code: number } | undefined;
}

export interface Flow {
  readonly family: Family;
  readonly protocol: number;
  /** As the first packet came. */
  readonly original: FlowTuple;
  /** As answers come, before their addresses are translated back: its source is where the flow leads. */
  readonly reply: FlowTuple;
  readonly mark: number;
  /** Bits IPS_* of linux/netfilter/nf_conntrack_common.h. */
  readonly status: number;
  readonly zone: number;
  /** The kernel's own: another flow of the same addresses and ports has another. */
  readonly id: number;
}

/** All that is given must be so; {} means every flow. */
export interface FlowFilter {
  readonly family?: Family | undefined;
  readonly protocol?: number | undefined;
  readonly original?:
    | { readonly destination?: IpAddress | undefined; readonly destinationPort?: number | undefined }
    | undefined;
  readonly reply?:
    | { readonly source?: IpAddress | undefined; readonly sourcePort?: number | undefined }
    | undefined;
}

export function matchesFlow({ family, protocol, original, reply }: FlowFilter, flow: Flow): boolean {
  return (
    (family === undefined || family === flow.family) &&
    (protocol === undefined || protocol === flow.protocol) &&
    (original?.destination === undefined || original.destination.equals(flow.original.destination)) &&
    (original?.destinationPort === undefined || original.destinationPort === flow.original.destinationPort) &&
    (reply?.source === undefined || reply.source.equals(flow.reply.source)) &&
    (reply?.sourcePort === undefined || reply.sourcePort === flow.reply.sourcePort)
  );
}

/** The family of all flows that the filter means: "none" when it names both, so that no flow matches; undefined when it names none. */
export function filterFamily({ family, original, reply }: FlowFilter): Family | 'none' | undefined {
  const named = [family, original?.destination?.family, reply?.source?.family].filter(
    (one) => one !== undefined,
  );
  return new Set(named).size > 1 ? 'none' : named[0];
}
