// Whether a rule fits a packet. What then becomes of it is evaluate.ts.
import type { IpAddress } from '../../net/address.ts';
import { transportNumber } from '../../net/transport.ts';
import type { SetQuestion } from '../ipset/ask-set.ts';
import type { VirtualServerId } from '../ipvs/objects.ts';
import type { Surroundings } from '../nft/evaluate-expression.ts';
import type { CtState, Packet } from '../nft/packet.ts';
import type { RecentLookup } from './recent-lists.ts';
import type { ConntrackState, Criterion, IpvsMatch, Match, PortRange, RouteType, Rule } from './rule.ts';

/** What the kernel takes from the machine around it, given by the test: that of nft's fake, and time. */
export interface IptablesSurroundings extends Pick<Surroundings, 'addressType' | 'addressOf'> {
  /** A number below `modulus`; asked for 2^31 where `happens` is not given. */
  readonly random?: ((modulus: number) => number) | undefined;
  /** Whether something of this probability happens: lets a test take every way (every-outcome.ts). */
  readonly happens?: ((probability: number) => boolean) | undefined;
  /** Milliseconds; for the lists of match recent. 0 unless given. */
  readonly now?: (() => number) | undefined;
  /** Whether an ipset has these parts of the packet. That of the kernel's own sets, unless given. */
  readonly inSet?: ((name: string, question: SetQuestion) => boolean) | undefined;
  /** Whether the packet came over a port of a bridge; none did unless given. */
  readonly cameOverBridge?: ((packet: Packet) => boolean) | undefined;
  /** The virtual server whose connection the packet belongs to; none unless given. */
  readonly virtualServerOf?: ((packet: Packet) => VirtualServerId | undefined) | undefined;
}

export interface MatchContext extends IptablesSurroundings {
  readonly recent: (lookup: RecentLookup) => boolean;
}

const stateNames: Readonly<Record<CtState, ConntrackState>> = {
  new: 'NEW',
  established: 'ESTABLISHED',
  related: 'RELATED',
  invalid: 'INVALID',
  untracked: 'UNTRACKED',
};

/** Asks in the rule's order and stops at the first that does not fit: a recent list behind it is not touched. */
export function ruleFits(rule: Rule, packet: Packet, context: MatchContext): boolean {
  return (
    holds(rule.source, (prefix) => prefix.contains(packet.saddr)) &&
    holds(rule.destination, (prefix) => prefix.contains(packet.daddr)) &&
    holds(rule.inLink, (name) => linkFits(name, packet.iif)) &&
    holds(rule.outLink, (name) => linkFits(name, packet.oif)) &&
    holds(rule.protocol, (protocol) => protocol === packet.protocol) &&
    rule.matches.every((match) => matchFits(match, packet, context))
  );
}

function matchFits(match: Match, packet: Packet, context: MatchContext): boolean {
  switch (match.kind) {
    case 'comment':
      return true;
    case 'ports':
      return (
        holds(match.source, (ports) => within(packet.sport, ports)) &&
        holds(match.destination, (ports) => within(packet.dport, ports))
      );
    case 'conntrack':
      return conntrackFits(match, packet);
    case 'mark':
      return ((packet.mark & match.mask) >>> 0 === match.value) !== match.not;
    case 'addrtype':
      return (
        holds(match.source, (types) => types.includes(typeOf(packet.saddr, context))) &&
        holds(match.destination, (types) => types.includes(typeOf(packet.daddr, context)))
      );
    case 'statistic':
      return happens(match.parts, context) !== match.not;
    case 'recent':
      return context.recent({
        match,
        address: match.side === 'source' ? packet.saddr : packet.daddr,
        now: context.now?.() ?? 0,
      });
    case 'set':
      if (context.inSet === undefined)
        throw new TypeError(`Cannot evaluate match set: nobody can be asked about set "${match.name}"`);
      return context.inSet(match.name, { directions: match.directions, packet }) !== match.not;
    case 'physdev':
      return (context.cameOverBridge?.(packet) ?? false) !== match.not;
    case 'ipvs':
      return ipvsFits(match, context.virtualServerOf?.(packet));
    default:
      return match satisfies never;
  }
}

function holds<T>(criterion: Criterion<T> | undefined, check: (value: T) => boolean): boolean {
  return criterion === undefined || check(criterion.value) !== criterion.not;
}

function linkFits(wanted: string, link = ''): boolean {
  return wanted.endsWith('+') ? link.startsWith(wanted.slice(0, -1)) : link === wanted;
}

function within(port: number, { first, last }: PortRange): boolean {
  return first <= port && port <= last;
}

function conntrackFits(match: Extract<Match, { kind: 'conntrack' }>, packet: Packet): boolean {
  const { ct } = packet;
  const states = [
    stateNames[ct.state],
    ...(ct.snat === true ? ['SNAT' as const] : []),
    ...(ct.dnat === true ? ['DNAT' as const] : []),
  ];
  if (!holds(match.states, (wanted) => states.some((state) => wanted.includes(state)))) return false;
  // Without a connection there is no more to ask: conntrack_mt fits if only states were wanted.
  if (ct.state === 'invalid' || ct.state === 'untracked') return match.states !== undefined;
  return holds(match.originalPort, (ports) => within((ct.original ?? packet).dport, ports));
}

/** What belongs to no virtual server fits nothing that is asked about one, not even negated (ipvs_mt). */
function ipvsFits(match: IpvsMatch, server: VirtualServerId | undefined): boolean {
  if (match.isIpvs !== undefined) return (server !== undefined) !== match.isIpvs.not;
  if (server === undefined) return false;
  return (
    holds(match.protocol, (protocol) => protocol === transportNumber[server.protocol]) &&
    holds(match.address, (prefix) => prefix.contains(server.address)) &&
    holds(match.port, (port) => port === server.port)
  );
}

function typeOf(address: IpAddress, { addressType }: MatchContext): RouteType {
  const type = addressType?.(address) ?? 'unicast';
  return typeNames[type];
}

const typeNames: Readonly<Record<ReturnType<NonNullable<Surroundings['addressType']>>, RouteType>> = {
  unicast: 'UNICAST',
  local: 'LOCAL',
  broadcast: 'BROADCAST',
  anycast: 'ANYCAST',
  multicast: 'MULTICAST',
};

const whole = 2 ** 31;

function happens(parts: number, context: MatchContext): boolean {
  if (context.happens !== undefined) return context.happens(parts / whole);
  if (context.random === undefined)
    throw new TypeError('Cannot evaluate match statistic: no random numbers were given');
  return context.random(whole) < parts;
}
