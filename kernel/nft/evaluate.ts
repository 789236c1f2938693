// Walks a packet through the base chains of a hook, as the kernel would: by priority, with jumps, policies and NAT. Tests use it to
// follow packets through rules without a kernel.
import type { IpAddress } from '../../net/address.ts';
import { type HookPart, isInPart } from '../hook-part.ts';
import {
  type DynsetStep,
  evaluateRule,
  type Rewrite,
  type RuleContext,
  type Surroundings,
} from './evaluate-expression.ts';
import type { Chain, NftState, Table } from './objects.ts';
import { tableKey } from './objects.ts';
import type { Packet } from './packet.ts';
import { ruleText } from './rule-text.ts';
import type { Verdict } from './verdict.ts';

/** A rule that the packet matched, or a policy that decided. */
export interface TraceEntry {
  /** "ip netloom". */
  readonly table: string;
  readonly chain: string;
  /** As `nft list` prints it; "policy drop" for a chain's end. */
  readonly rule: string;
}

export interface Evaluation {
  readonly verdict: 'accept' | 'drop' | 'reject';
  /** As it leaves the hook: rewritten, with its mark and connection. */
  readonly packet: Packet;
  readonly trace: readonly TraceEntry[];
}

/** NFT_JUMP_STACK_SIZE. */
const deepest = 16;

type Decision = 'accept' | 'drop' | 'reject' | 'nat' | undefined;

/**
 * Evaluates the packet's hook, or a part of it. `dynset` receives what rules add to sets; without it such rules leave no trace.
 */
export function evaluate(
  state: NftState,
  packet: Packet,
  options: Surroundings & {
    readonly dynset?: (table: Table, step: DynsetStep) => boolean;
    readonly part?: HookPart | undefined;
  },
): Evaluation {
  const walk = new Walk(packet, options);
  const { part = {} } = options;
  const bases = basesAt(state, packet).filter(({ chain }) => isInPart(chain.base?.priority ?? 0, part));
  for (const { table, chain } of bases) {
    if (chain.base?.type === 'nat' && !walk.wantsNat()) continue;
    const decision = walk.base(table, chain);
    if (decision === 'drop' || decision === 'reject')
      return { verdict: decision, packet: walk.packet, trace: walk.trace };
  }
  return { verdict: 'accept', packet: walk.packet, trace: walk.trace };
}

function basesAt(
  state: NftState,
  packet: Packet,
): readonly { readonly table: Table; readonly chain: Chain }[] {
  const families = packet.saddr.family === 4 ? ['ip', 'inet'] : ['ip6', 'inet'];
  return [...state.values()]
    .filter((table) => families.includes(table.family) && table.dormant !== true)
    .flatMap((table) => [...table.chains.values()].map((chain) => ({ table, chain })))
    .filter(({ chain }) => chain.base?.hook === packet.hook)
    .sort((a, b) => (a.chain.base?.priority ?? 0) - (b.chain.base?.priority ?? 0));
}

class Walk {
  readonly trace: TraceEntry[] = [];
  readonly #options: Parameters<typeof evaluate>[2];
  packet: Packet;
  #translated = false;

  constructor(packet: Packet, options: Parameters<typeof evaluate>[2]) {
    this.packet = packet;
    this.#options = options;
  }

  /** Chains of type nat see only packets that begin a connection, and only until one has decided. */
  wantsNat(): boolean {
    const { ct } = this.packet;
    return ct.state === 'new' && ct.natDecided !== true && !this.#translated;
  }

  base(table: Table, chain: Chain): Decision {
    const decision = this.#chain(table, chain.name, 0);
    if (decision !== undefined) return decision;
    const policy = chain.base?.policy ?? 'accept';
    if (policy === 'drop') this.#note(table, chain.name, 'policy drop');
    return policy;
  }

  #note(table: Table, chain: string, rule: string): void {
    this.trace.push({ table: tableKey(table), chain, rule });
  }

  /** Undefined: it ended without a decision, the caller goes on. */
  #chain(table: Table, name: string, depth: number): Decision {
    if (depth > deepest)
      throw new TypeError(`Cannot evaluate chain "${name}": jumps are nested deeper than ${deepest}`);
    if (!table.chains.has(name)) throw new TypeError(`Cannot evaluate chain "${name}": it is not there`);
    for (const rule of table.rules.get(name) ?? []) {
      const outcome = evaluateRule(rule.expressions, this.packet, this.#context(table));
      this.packet = outcome.packet;
      if (!outcome.matched) continue;
      this.#note(table, name, ruleText(rule, table.family));
      const { verdict } = outcome;
      if (verdict === undefined) continue;
      if (verdict.kind === 'nat') {
        this.#rewrite(verdict.rewrite);
        return 'nat';
      }
      if (verdict.kind === 'reject') return 'reject';
      const next = this.#follow(table, verdict, depth);
      if (next === 'ended') return undefined;
      if (next !== undefined) return next;
    }
    return undefined;
  }

  /** `ended`: this chain is over (return, or a goto whose chain ended). Undefined: on with the next rule. */
  #follow(table: Table, verdict: Verdict, depth: number): Decision | 'ended' {
    switch (verdict.kind) {
      case 'accept':
      case 'drop':
        return verdict.kind;
      case 'return':
        return 'ended';
      case 'jump':
        return this.#chain(table, verdict.chain, depth + 1);
      case 'goto':
        return this.#chain(table, verdict.chain, depth + 1) ?? 'ended';
      case 'continue':
        return undefined;
      case 'other':
        throw new TypeError(`Cannot evaluate verdict ${verdict.code}`);
      default:
        return verdict satisfies never;
    }
  }

  #context(table: Table): RuleContext {
    return {
      ...this.#options,
      set: (name) => table.sets.get(name),
      dynset: (step) => this.#options.dynset?.(table, step) ?? true,
    };
  }

  #rewrite({ type, address, port }: Rewrite): void {
    this.#translated = true;
    const { packet } = this;
    const { saddr, daddr, sport, dport } = packet;
    const ct = { original: { saddr, daddr, sport, dport }, ...packet.ct };
    this.packet =
      type === 'dnat'
        ? { ...packet, daddr: address ?? daddr, dport: port ?? dport, ct: { ...ct, dnat: true } }
        : { ...packet, saddr: address ?? saddr, sport: port ?? sport, ct: { ...ct, snat: true } };
  }
}

/** Source and destination as text, for tables of expected rewriting. */
export function flowText(packet: {
  readonly saddr: IpAddress;
  readonly daddr: IpAddress;
  readonly sport: number;
  readonly dport: number;
}): string {
  return `${packet.saddr}:${packet.sport} > ${packet.daddr}:${packet.dport}`;
}
