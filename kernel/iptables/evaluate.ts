// Walks a packet through the tables at its hook, as the kernel would: by priority, nat only for a connection's first packet, with jumps,
// policies and NAT. Tests use it to follow packets through rules without a kernel.
import { type HookPart, isInPart } from '../hook-part.ts';
import type { Evaluation, TraceEntry } from '../nft/evaluate.ts';
import type { Hook } from '../nft/objects.ts';
import type { Packet } from '../nft/packet.ts';
import { type IptablesTableName, iptablesTables, tablePriority } from './builtin-chains.ts';
import { type MatchContext, ruleFits } from './match-packet.ts';
import type { Rule, Target } from './rule.ts';
import { ruleLine } from './rule-text.ts';
import type { FakeChain } from './table-change.ts';

export type IptablesState = Readonly<Record<IptablesTableName, ReadonlyMap<string, FakeChain>>>;

const builtinOf: Readonly<Partial<Record<Hook, string>>> = {
  prerouting: 'PREROUTING',
  input: 'INPUT',
  forward: 'FORWARD',
  output: 'OUTPUT',
  postrouting: 'POSTROUTING',
};

/** `translated`: the nat table has said what happens to the connection. */
type Decision = 'accept' | 'drop' | 'reject' | 'translated';

/**
 * The whole hook, or a part of it. The tables are those of the packet's family. The trace names matched rules as iptables-save prints
 * them.
 */
export function evaluate(
  state: IptablesState,
  packet: Packet,
  context: MatchContext & { readonly part?: HookPart | undefined },
): Evaluation {
  const chain = builtinOf[packet.hook];
  if (chain === undefined)
    throw new TypeError(`Cannot evaluate hook ${packet.hook}: iptables has no chain there`);
  const walk = new Walk(packet, context);
  for (const table of tablesAt(packet.hook, context.part)) {
    if (!state[table].has(chain) || (table === 'nat' && !wantsNat(walk.packet))) continue;
    const decision = walk.builtin(table, { chains: state[table], chain });
    if (decision === 'drop' || decision === 'reject')
      return { verdict: decision, packet: walk.packet, trace: walk.trace };
  }
  return { verdict: 'accept', packet: walk.packet, trace: walk.trace };
}

function tablesAt(hook: Hook, part: HookPart = {}): readonly IptablesTableName[] {
  return iptablesTables
    .map((table) => ({ table, priority: tablePriority(table, hook) }))
    .filter(({ priority }) => isInPart(priority, part))
    .sort((a, b) => a.priority - b.priority)
    .map(({ table }) => table);
}

function wantsNat({ ct }: Packet): boolean {
  return ct.state === 'new' && ct.natDecided !== true;
}

interface Chains {
  readonly chains: ReadonlyMap<string, FakeChain>;
  readonly table: IptablesTableName;
}

class Walk {
  readonly trace: TraceEntry[] = [];
  readonly #context: MatchContext;
  packet: Packet;

  constructor(packet: Packet, context: MatchContext) {
    this.packet = packet;
    this.#context = context;
  }

  builtin(
    table: IptablesTableName,
    { chains, chain }: { readonly chains: ReadonlyMap<string, FakeChain>; readonly chain: string },
  ): Decision {
    const decision = this.#chain(chain, { chains, table });
    if (decision !== 'ended') return decision;
    if (chains.get(chain)?.policy !== 'DROP') return 'accept';
    this.trace.push({ table, chain, rule: 'policy DROP' });
    return 'drop';
  }

  /** `ended`: nothing decided, the chain that led here goes on. */
  #chain(name: string, place: Chains): Decision | 'ended' {
    const chain = place.chains.get(name);
    if (chain === undefined) throw new TypeError(`Cannot evaluate chain "${name}": it is not there`);
    for (const rule of chain.rules) {
      if (!this.#fits(rule, place)) continue;
      this.trace.push({ table: place.table, chain: name, rule: ruleLine(name, rule) });
      const decision = rule.target === undefined ? undefined : this.#target(rule.target, place);
      if (decision !== undefined) return decision;
    }
    return 'ended';
  }

  #fits(rule: Rule, { table }: Chains): boolean {
    // Conntrack comes after raw: the connection is not known there, but for packets on their second way over loopback.
    const { packet } = this;
    const known = table !== 'raw' || packet.ct.natDecided === true;
    return ruleFits(rule, known ? packet : { ...packet, ct: { state: 'invalid' } }, this.#context);
  }

  /** Undefined: on with the next rule. */
  #target(target: Target, place: Chains): Decision | 'ended' | undefined {
    switch (target.kind) {
      case 'verdict':
        if (target.verdict === 'RETURN') return 'ended';
        return target.verdict === 'ACCEPT' ? 'accept' : 'drop';
      case 'reject':
        return 'reject';
      case 'mark':
        this.packet = { ...this.packet, mark: ((this.packet.mark & ~target.mask) ^ target.value) >>> 0 };
        return undefined;
      case 'dnat':
        this.packet = {
          ...this.packet,
          daddr: target.address,
          dport: target.port ?? this.packet.dport,
          ct: { ...this.#connection(), dnat: true },
        };
        return 'translated';
      case 'netmap':
        if (target.prefix.length > 0)
          throw new TypeError(
            `Cannot evaluate NETMAP --to ${target.prefix}: only what keeps the destination is known`,
          );
        return 'translated';
      case 'masquerade':
        this.packet = {
          ...this.packet,
          saddr: this.#context.addressOf?.(this.packet.oif, this.packet.saddr.family) ?? this.packet.saddr,
          ct: { ...this.#connection(), snat: true },
        };
        return 'translated';
      case 'jump': {
        const decision = this.#chain(target.chain, place);
        return decision === 'ended' ? undefined : decision;
      }
      case 'goto':
        return this.#chain(target.chain, place);
      default:
        return target satisfies never;
    }
  }

  /** With the ends that it had before it was translated. */
  #connection(): Packet['ct'] {
    const { saddr, daddr, sport, dport, ct } = this.packet;
    return { original: { saddr, daddr, sport, dport }, ...ct };
  }
}
