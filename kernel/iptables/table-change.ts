// A change of one of the fake's tables: iptables-restore's commands carried out on a copy, checked as the kernel checks it at COMMIT, and
// then taken over whole.
import { transportNumber } from '../../net/transport.ts';
import { builtinChains, type IptablesTableName } from './builtin-chains.ts';
import { chainName } from './chain-name.ts';
import type { RestoreCommand } from './restore-text.ts';
import { chainAfter, type Rule } from './rule.ts';
import { ruleText } from './rule-text.ts';
import { targetForms } from './target-words.ts';

export interface FakeChain {
  /** "-" for a chain that is not built in. */
  readonly policy: string;
  readonly rules: readonly Rule[];
}

/** NFT_JUMP_STACK_SIZE. */
const deepest = 16;

/** Where a target may stand: the table, and the built-in chains that lead to it. */
const targetPlaces: Readonly<
  Record<string, { readonly table: IptablesTableName; readonly chains: readonly string[] }>
> = {
  dnat: { table: 'nat', chains: ['PREROUTING', 'OUTPUT'] },
  masquerade: { table: 'nat', chains: ['POSTROUTING'] },
  reject: { table: 'filter', chains: ['INPUT', 'FORWARD', 'OUTPUT'] },
};

interface Before {
  readonly chains: ReadonlyMap<string, FakeChain>;
  readonly uses: ReadonlyMap<string, number>;
  readonly commit: (chains: ReadonlyMap<string, FakeChain>, uses: ReadonlyMap<string, number>) => void;
}

/** What the kernel or the program would refuse, in words like theirs. */
export class TableRefusal extends Error {}

/** Throws TableRefusal, or SyntaxError for a name that no chain can have. */
export class TableChange {
  readonly #table: IptablesTableName;
  readonly #chains: Map<string, FakeChain>;
  readonly #uses: Map<string, number>;
  readonly #commit: Before['commit'];
  /** The lists of rules that this change made: the others belong to what is there. */
  readonly #own = new Map<string, Rule[]>();

  constructor(table: IptablesTableName, { chains, uses, commit }: Before) {
    this.#table = table;
    this.#chains = new Map(chains);
    this.#uses = new Map(uses);
    this.#commit = commit;
  }

  run(command: RestoreCommand): void {
    switch (command.kind) {
      case 'declare':
        this.#declare(command.chain, command.policy);
        return;
      case 'policy':
        if (!this.#isBuiltin(command.chain)) throw new TableRefusal('Bad built-in chain name');
        this.#chains.set(command.chain, { ...this.#chain(command.chain), policy: command.policy });
        return;
      case 'new':
        if (this.#chains.has(command.chain)) throw new TableRefusal('Chain already exists');
        this.#make(command.chain);
        return;
      case 'append':
        this.#insert(command.chain, { rule: command.rule });
        return;
      case 'insert':
        this.#insert(command.chain, command);
        return;
      case 'delete':
        this.#delete(command.chain, command.rule);
        return;
      case 'flush':
        for (const name of command.chain === undefined ? [...this.#chains.keys()] : [command.chain])
          this.#flush(name);
        return;
      case 'remove':
        for (const name of command.chain === undefined ? this.#userChains() : [command.chain])
          this.#remove(name);
        return;
      default:
        command satisfies never;
    }
  }

  /** What the kernel looks at when a table is taken over. */
  commit(): void {
    for (const name of builtinChains[this.#table])
      this.#walk(name, { builtin: name, above: new Set(), seen: new Map() });
    this.#commit(this.#chains, this.#uses);
  }

  #isBuiltin(name: string): boolean {
    return builtinChains[this.#table].includes(name);
  }

  #userChains(): readonly string[] {
    return [...this.#chains.keys()].filter((name) => !this.#isBuiltin(name));
  }

  #chain(name: string): FakeChain {
    const chain = this.#chains.get(name);
    if (chain === undefined) throw new TableRefusal(`No chain/target/match by that name ("${name}")`);
    return chain;
  }

  /** The chain's rules, to be changed. */
  #rules(name: string): Rule[] {
    const chain = this.#chain(name);
    return this.#own.get(name) ?? this.#put(name, { ...chain, rules: [...chain.rules] });
  }

  #put(name: string, chain: { readonly policy: string; readonly rules: Rule[] }): Rule[] {
    this.#chains.set(name, chain);
    this.#own.set(name, chain.rules);
    return chain.rules;
  }

  #declare(name: string, policy: string): void {
    if (this.#isBuiltin(name)) {
      // With --noflush a built-in chain keeps its rules.
      if (policy !== '-') this.#chains.set(name, { ...this.#chain(name), policy });
      return;
    }
    if (policy !== '-')
      throw new TableRefusal(`Can't set policy "${policy}" on "${name}": Bad built-in chain name`);
    if (this.#chains.has(name)) this.#flush(name);
    else this.#make(name);
  }

  #make(name: string): void {
    chainName(name);
    if (name.startsWith('-')) throw new TableRefusal("chain name not allowed to start with '-'");
    if (targetForms.has(name)) throw new TableRefusal('chain name may not clash with target name');
    this.#put(name, { policy: '-', rules: [] });
  }

  #insert(name: string, { rule, number }: { readonly rule: Rule; readonly number?: number }): void {
    const rules = this.#rules(name);
    if (number !== undefined && number > rules.length + 1)
      throw new TableRefusal('Index of insertion too big');
    this.#refuseMisplaced(name, rule);
    const next = chainAfter(rule);
    if (next !== undefined) {
      if (this.#isBuiltin(next)) throw new TableRefusal(`Cannot jump to built-in chain "${next}"`);
      if (!this.#chains.has(next)) throw new TableRefusal(`Chain "${next}" does not exist`);
      this.#uses.set(next, (this.#uses.get(next) ?? 0) + 1);
    }
    rules.splice(number === undefined ? rules.length : number - 1, 0, rule);
  }

  #refuseMisplaced(name: string, { inLink, outLink, protocol, target }: Rule): void {
    if (inLink !== undefined && (name === 'OUTPUT' || name === 'POSTROUTING'))
      throw new TableRefusal(`Can't use -i with ${name}`);
    if (outLink !== undefined && (name === 'PREROUTING' || name === 'INPUT'))
      throw new TableRefusal(`Can't use -o with ${name}`);
    if (this.#table === 'nat' && target?.kind === 'verdict' && target.verdict === 'DROP')
      throw new TableRefusal(
        'The "nat" table is not intended for filtering, the use of DROP is therefore inhibited',
      );
    const isTcp = protocol?.value === transportNumber.tcp && !protocol.not;
    if (target?.kind === 'reject' && target.with === 'tcp-reset' && !isTcp)
      throw new TableRefusal('Invalid argument: tcp-reset answers only what is asked for with -p tcp');
    const place = target === undefined ? undefined : targetPlaces[target.kind];
    if (place !== undefined && place.table !== this.#table)
      throw new TableRefusal(`Invalid argument: target ${target?.kind} belongs to table ${place.table}`);
  }

  #delete(name: string, which: Rule | number): void {
    const rules = this.#rules(name);
    const at = typeof which === 'number' ? which - 1 : indexOf(rules, which);
    const rule = rules[at];
    if (rule === undefined)
      throw new TableRefusal(
        typeof which === 'number'
          ? 'Index of deletion too big'
          : 'Bad rule (does a matching rule exist in that chain?)',
      );
    this.#release([rule]);
    rules.splice(at, 1);
  }

  #flush(name: string): void {
    const chain = this.#chain(name);
    this.#release(chain.rules);
    this.#put(name, { policy: chain.policy, rules: [] });
  }

  #release(rules: readonly Rule[]): void {
    for (const rule of rules) {
      const next = chainAfter(rule);
      if (next !== undefined) this.#uses.set(next, (this.#uses.get(next) ?? 0) - 1);
    }
  }

  #remove(name: string): void {
    const chain = this.#chain(name);
    if (this.#isBuiltin(name)) throw new TableRefusal('No chain/target/match by that name (built in)');
    if (chain.rules.length > 0) throw new TableRefusal(`Device or resource busy: chain "${name}" has rules`);
    if ((this.#uses.get(name) ?? 0) > 0)
      throw new TableRefusal(`Device or resource busy: a rule leads to chain "${name}"`);
    this.#chains.delete(name);
    this.#uses.delete(name);
    this.#own.delete(name);
  }

  /** Follows all jumps from a built-in chain: no loops, not too deep, no target where its hook does not lead. */
  #walk(name: string, way: Way): void {
    const { builtin, above, seen } = way;
    if (above.has(name)) throw new TableRefusal(`Too many links: chain "${name}" leads to itself`);
    if (above.size > deepest) throw new TableRefusal(`Too many links: chain "${name}" is too deep`);
    // Seen from as deep as this or deeper: nothing new.
    if ((seen.get(name) ?? -1) >= above.size) return;
    seen.set(name, above.size);
    const { kinds, next } = contentsOf(this.#chain(name).rules);
    for (const kind of kinds)
      if (targetPlaces[kind]?.chains.includes(builtin) === false)
        throw new TableRefusal(
          `Invalid argument: target ${kind} in chain "${name}", which ${builtin} leads to`,
        );
    above.add(name);
    for (const chain of next) this.#walk(chain, way);
    above.delete(name);
  }
}

interface Way {
  readonly builtin: string;
  /** The chains that lead here. */
  readonly above: Set<string>;
  /** Chain -> how deep it was seen. */
  readonly seen: Map<string, number>;
}

/** What the check at COMMIT asks of a chain's rules. */
interface Contents {
  readonly kinds: ReadonlySet<string>;
  readonly next: ReadonlySet<string>;
}

/** A table may have tens of thousands of rules, and lists do not change once a change has come to its COMMIT. */
const contents = new WeakMap<readonly Rule[], Contents>();

function contentsOf(rules: readonly Rule[]): Contents {
  const known = contents.get(rules);
  if (known !== undefined) return known;
  const kinds = new Set(rules.flatMap(({ target }) => target?.kind ?? []));
  const made = { kinds, next: new Set(rules.flatMap((rule) => chainAfter(rule) ?? [])) };
  contents.set(rules, made);
  return made;
}

function indexOf(rules: readonly Rule[], wanted: Rule): number {
  const text = ruleText(wanted);
  return rules.findIndex((rule) => ruleText(rule) === text);
}
