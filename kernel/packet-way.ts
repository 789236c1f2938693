// The whole way of a packet through one machine: from hook to hook, with the routing decision in between, and ip_vs where it stands.
// What rules do at a hook is the caller's: nft's fake, the fake of iptables, or both one after the other.
import type { IpAddress } from '../net/address.ts';
import type { Prefix } from '../net/prefix.ts';
import type { HookOutcome } from './hook-outcome.ts';
import type { HookPart } from './hook-part.ts';
import type { Hook } from './nft/objects.ts';
import type { Packet } from './nft/packet.ts';
import { type AskIpvs, hopWithIpvs } from './packet-way-ipvs.ts';

export interface Hop<Entry> extends HookOutcome<Entry> {
  readonly hook: Hook;
}

export interface PacketWay<Entry> {
  /** `accept`: delivered here, or sent on. */
  readonly verdict: 'accept' | 'drop' | 'reject';
  /** As it ended, with the hook it ended at. */
  readonly packet: Packet;
  readonly masqueraded: boolean;
  readonly hops: readonly Hop<Entry>[];
}

export interface WayOptions {
  /** At hook `prerouting` if it came in by its `iif`, `output` if a process of this machine sends it. */
  readonly packet: Packet;
  /** This machine's; loopback's are, too. */
  readonly localAddresses: readonly (IpAddress | Prefix)[];
  /** The link that the routing table has for an address. */
  readonly linkTo?: ((address: IpAddress) => string | undefined) | undefined;
  /** Without it there is no ip_vs. */
  readonly ipvs?: AskIpvs | undefined;
}

const loopback = 'lo';

/**
 * Follows a packet that begins a connection: prerouting, then input, or forward and postrouting; output and postrouting, and for one
 * to this machine itself prerouting and input after that. What ip_vs sends on from input or output passes output anew, and postrouting.
 * Sources and destinations that the kernel would not route are not told apart (martians): rules see them all.
 *
 * `at` runs the packet's hook, or the part of it; hooks are run in parts only with `ipvs`.
 */
export function walkPacket<Entry>(
  at: (packet: Packet, part?: HookPart) => HookOutcome<Entry>,
  { packet, localAddresses, linkTo, ipvs }: WayOptions,
): PacketWay<Entry> {
  const hops: Hop<Entry>[] = [];
  const isLocal = (address: IpAddress) =>
    address.isLoopback || localAddresses.some((one) => covers(one, address));
  let now = packet;
  let hook: Hook | undefined = firstHook(packet);
  while (hook !== undefined) {
    now = atHook(now, { hook, link: isLocal(now.daddr) ? loopback : linkTo?.(now.daddr) });
    const { isStolen, ...outcome } = hopWithIpvs(now, { at, ipvs, isLocal });
    now = outcome.packet;
    hops.push({ ...outcome, hook });
    if (outcome.verdict !== 'accept') return { ...ended(now, hops), verdict: outcome.verdict };
    hook = isStolen ? 'output' : nextHook(hook, isLocal(now.daddr));
  }
  return { ...ended(now, hops), verdict: 'accept' };
}

function ended<Entry>(packet: Packet, hops: readonly Hop<Entry>[]): Omit<PacketWay<Entry>, 'verdict'> {
  return { packet, masqueraded: packet.ct.snat === true, hops };
}

function covers(one: IpAddress | Prefix, address: IpAddress): boolean {
  return 'contains' in one ? one.contains(address) : one.equals(address);
}

function firstHook({ hook }: Packet): Hook {
  if (hook === 'prerouting' || hook === 'output') return hook;
  throw new TypeError(`Cannot walk a packet from hook ${hook}: its way begins at prerouting or output`);
}

function nextHook(hook: Hook, local: boolean): Hook | undefined {
  switch (hook) {
    case 'prerouting':
      return local ? 'input' : 'forward';
    case 'forward':
    case 'output':
      return 'postrouting';
    case 'postrouting':
      return local ? 'prerouting' : undefined;
    default:
      return undefined;
  }
}

/** The packet with the links that it has at the hook: after a rewrite the way out is looked up anew. */
function atHook(
  packet: Packet,
  { hook, link }: { readonly hook: Hook; readonly link: string | undefined },
): Packet {
  switch (hook) {
    case 'prerouting':
      if (packet.hook !== 'postrouting') return { ...packet, hook, oif: undefined };
      return { ...packet, hook, iif: loopback, oif: undefined, ct: { ...packet.ct, natDecided: true } };
    case 'input':
      return { ...packet, hook, oif: undefined };
    case 'output':
      return { ...packet, hook, iif: undefined, oif: link, ct: atOutput(packet) };
    default:
      return { ...packet, hook, oif: link, ct: behindOutput(packet) };
  }
}

/** Where ip_vs sends to is no matter for nat any more, which has let the packet come to it. Whom it says it is from, is. */
function atOutput({ byIpvs, ct }: Packet): Packet['ct'] {
  return byIpvs === true ? { ...ct, natDecided: true } : ct;
}

function behindOutput({ hook, byIpvs, ct }: Packet): Packet['ct'] {
  return byIpvs === true && hook === 'output' ? { ...ct, natDecided: undefined } : ct;
}
