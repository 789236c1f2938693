// Where ip_vs stands on a packet's way, and what its answer makes of a hook. Not which virtual servers there are: that is asked.
import type { IpAddress } from '../net/address.ts';
import type { HookOutcome } from './hook-outcome.ts';
import type { HookPart } from './hook-part.ts';
import type { RealServerId } from './ipvs/objects.ts';
import type { Hook } from './nft/objects.ts';
import type { Packet } from './nft/packet.ts';

/** What ip_vs does with the first packet of a connection: undefined when no virtual server wants it. */
export type IpvsAnswer =
  | { readonly kind: 'sent'; readonly real: RealServerId }
  /** No usable real server: the sender gets ICMP port unreachable. */
  | { readonly kind: 'refused' };

export type AskIpvs = (packet: Packet) => IpvsAnswer | undefined;

/** Of ip_vs_remote_request and ip_vs_local_request (net/netfilter/ipvs/ip_vs_core.c): around nat's of the hook. */
const priorities: Readonly<Partial<Record<Hook, number>>> = { input: 99, output: -98 };

export interface IpvsHop<Entry> extends HookOutcome<Entry> {
  /** What else stands at the hook has not seen it: it was sent on as if this machine had sent it. */
  readonly isStolen: boolean;
}

interface HopOptions<Entry> {
  readonly at: (packet: Packet, part?: HookPart) => HookOutcome<Entry>;
  readonly ipvs: AskIpvs | undefined;
  readonly isLocal: (address: IpAddress) => boolean;
}

/** The packet's hook, with ip_vs in it if there is one. */
export function hopWithIpvs<Entry>(packet: Packet, { at, ipvs, isLocal }: HopOptions<Entry>): IpvsHop<Entry> {
  const priority = priorities[packet.hook];
  // Packets of connections that it does not know begin none, and those of its own it has seen.
  if (ipvs === undefined || priority === undefined || packet.byIpvs === true || packet.ct.state !== 'new')
    return { ...at(packet), isStolen: false };
  const before = at(packet, { below: priority });
  if (before.verdict !== 'accept') return { ...before, isStolen: false };
  const answer = ipvs(before.packet);
  if (answer?.kind === 'refused') return { ...before, verdict: 'reject', isStolen: false };
  const now = answer === undefined ? before.packet : sentTo(answer.real, before.packet);
  if (answer !== undefined && !isLocal(now.daddr)) return { ...before, packet: now, isStolen: true };
  const after = at(now, { from: priority });
  return { ...after, trace: [...before.trace, ...after.trace], isStolen: false };
}

function sentTo({ address, port }: RealServerId, packet: Packet): Packet {
  const { saddr, daddr, sport, dport } = packet;
  const ct = { original: { saddr, daddr, sport, dport }, ...packet.ct };
  return { ...packet, daddr: address, dport: port, ct, byIpvs: true };
}
