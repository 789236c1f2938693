// The tables of the fake kernel while a transaction changes them, with the checks that the kernel makes. Steps throw KernelError;
// the transaction around them is fake.ts.
import { constants } from 'node:os';
import { KernelError } from '../kernel-error.ts';
import { elementKey } from './declare.ts';
import type { DynsetStep } from './evaluate-expression.ts';
import { checkGraph } from './fake-graph.ts';
import { bounds, compareBytes, orderedBytes } from './interval.ts';
import type { Chain, Counter, Rule, Table, TableId } from './objects.ts';
import { tableKey } from './objects.ts';
import type { Element, NftSet } from './set.ts';
import type { NftStep } from './step.ts';
import { stepObject, stepOperation } from './step-text.ts';
import { verdictsOf } from './verdicts-of.ts';

const { EBUSY, EEXIST, EINVAL, ENFILE, ENOENT, EOPNOTSUPP } = constants.errno;

interface MutableTable extends Table {
  readonly counters: Map<string, Counter>;
  readonly sets: Map<string, NftSet & { readonly elements: Map<string, Element> }>;
  readonly chains: Map<string, Chain>;
  readonly rules: Map<string, readonly Rule[]>;
}

export class FakeRuleset {
  readonly tables: Map<string, MutableTable>;
  #handle: bigint;
  /** Sets and tables copied by this transaction: they may be written to. */
  readonly #own = new WeakSet<object>();

  constructor(from?: FakeRuleset) {
    this.tables = new Map(from?.tables);
    this.#handle = from === undefined ? 1n : from.#handle;
  }

  apply(step: NftStep): void {
    const fail = (errno: number): never => {
      throw new KernelError({ operation: stepOperation(step), object: stepObject(step), errno });
    };
    if (step.kind === 'table-add') {
      if (this.tables.has(tableKey(step.table))) fail(EEXIST);
      this.#addTable(step.table);
      return;
    }
    const table = this.#writable(step.table) ?? fail(ENOENT);
    switch (step.kind) {
      case 'table-delete':
        this.tables.delete(tableKey(step.table));
        break;
      case 'counter-add':
        if (table.counters.has(step.counter.name)) fail(EEXIST);
        table.counters.set(step.counter.name, { ...step.counter, packets: 0n, bytes: 0n });
        break;
      case 'counter-delete':
        if (!table.counters.has(step.counter.name)) fail(ENOENT);
        if (uses(table, (one) => one.kind === 'objref' && one.name === step.counter.name)) fail(EBUSY);
        table.counters.delete(step.counter.name);
        break;
      case 'set-add': {
        if (table.sets.has(step.set.name)) fail(EEXIST);
        const set = { ...step.set, elements: new Map<string, Element>() };
        this.#own.add(set);
        table.sets.set(step.set.name, set);
        break;
      }
      case 'set-delete':
        if (!table.sets.has(step.set.name)) fail(ENOENT);
        if (isBound(table, step.set.name)) fail(EBUSY);
        table.sets.delete(step.set.name);
        break;
      case 'element-add':
        addElement(table, {
          set: this.#writableSet(table, step.set.name) ?? fail(ENOENT),
          element: step.element,
          fail,
        });
        break;
      case 'element-delete': {
        const set = this.#writableSet(table, step.set.name) ?? fail(ENOENT);
        if (!set.elements.delete(elementKey(set, step.element))) fail(ENOENT);
        break;
      }
      case 'chain-add':
        if (table.chains.has(step.chain.name)) fail(EEXIST);
        table.chains.set(step.chain.name, step.chain);
        break;
      case 'chain-policy': {
        const { base } = table.chains.get(step.chain.name) ?? fail(ENOENT);
        const policy = step.chain.base?.policy;
        if (base === undefined || policy === undefined) {
          fail(EOPNOTSUPP);
          break;
        }
        table.chains.set(step.chain.name, { ...step.chain, base: { ...base, policy } });
        break;
      }
      case 'chain-delete':
        if (!table.chains.has(step.chain.name)) fail(ENOENT);
        table.rules.delete(step.chain.name);
        if (isJumpedTo(table, step.chain.name)) fail(EBUSY);
        table.chains.delete(step.chain.name);
        break;
      case 'chain-flush':
        if (!table.chains.has(step.chain.name)) fail(ENOENT);
        table.rules.delete(step.chain.name);
        break;
      case 'rule-add':
        this.#addRule(table, step.rule, fail);
        break;
      default:
        step satisfies never;
    }
  }

  /** What the kernel checks of a table as a whole. `step` is whose fault it would be. */
  checkGraph(step: NftStep): void {
    const table = this.tables.get(tableKey(step.table));
    const errno = table === undefined ? undefined : checkGraph(table);
    if (errno !== undefined)
      throw new KernelError({ operation: stepOperation(step), object: stepObject(step), errno });
  }

  #addTable(table: Extract<NftStep, { kind: 'table-add' }>['table']): void {
    const { family, name, comment, dormant } = table;
    const made: MutableTable = {
      family,
      name,
      ...(comment === undefined ? {} : { comment }),
      ...(dormant === true ? { dormant } : {}),
      counters: new Map(),
      sets: new Map(),
      chains: new Map(),
      rules: new Map(),
    };
    this.#own.add(made);
    this.tables.set(tableKey(table), made);
  }

  /** The table, copied when the state before the transaction still holds it. */
  #writable(id: TableId): MutableTable | undefined {
    const table = this.tables.get(tableKey(id));
    if (table === undefined || this.#own.has(table)) return table;
    const copy: MutableTable = {
      ...table,
      counters: new Map(table.counters),
      sets: new Map(table.sets),
      chains: new Map(table.chains),
      rules: new Map(table.rules),
    };
    this.#own.add(copy);
    this.tables.set(tableKey(id), copy);
    return copy;
  }

  #writableSet(
    table: MutableTable,
    name: string,
  ): (NftSet & { readonly elements: Map<string, Element> }) | undefined {
    const set = table.sets.get(name);
    if (set === undefined || this.#own.has(set)) return set;
    const copy = { ...set, elements: new Map(set.elements) };
    this.#own.add(copy);
    table.sets.set(name, copy);
    return copy;
  }

  #addRule(table: MutableTable, rule: Rule, fail: (errno: number) => never): void {
    if (!table.chains.has(rule.chain)) fail(ENOENT);
    for (const one of rule.expressions) {
      if (one.kind === 'lookup' && typeof one.set === 'string' && !table.sets.has(one.set)) fail(ENOENT);
      if (one.kind === 'dynset') checkDynset(table.sets.get(one.set) ?? fail(ENOENT), { one, fail });
      if (one.kind === 'objref' && !table.counters.has(one.name)) fail(ENOENT);
      if (one.kind === 'numgen' && one.modulus === 0) fail(EINVAL);
    }
    for (const verdict of verdictsOf(rule))
      if ('chain' in verdict) checkTarget(table, { chain: verdict.chain, fail });
    const handle = this.#handle;
    this.#handle += 1n;
    const expressions = rule.expressions.map((one) =>
      one.kind === 'counter' ? { ...one, packets: 0n, bytes: 0n } : one,
    );
    table.rules.set(rule.chain, [...(table.rules.get(rule.chain) ?? []), { ...rule, expressions, handle }]);
  }

  /** Changes a set as a rule on the packet path does: an element that is there keeps all but its counts. */
  dynset(id: TableId, step: DynsetStep): boolean {
    const table = this.#writable(id);
    const set = table === undefined ? undefined : this.#writableSet(table, step.set);
    if (set === undefined) return false;
    const key = elementKey(set, step.element);
    if (step.op === 'delete') return set.elements.delete(key);
    const there = set.elements.get(key);
    if (there !== undefined) {
      set.elements.set(key, counted(there, step.element));
      return true;
    }
    if (set.size !== undefined && set.elements.size >= set.size) return false;
    set.elements.set(key, step.element);
    return true;
  }
}

function counted(element: Element, by: Element): Element {
  const { counter } = element;
  if (counter === undefined || by.counter === undefined) return element;
  const packets = counter.packets + by.counter.packets;
  return { ...element, counter: { packets, bytes: counter.bytes + by.counter.bytes } };
}

/** What the kernel's nft_dynset_init refuses. */
function checkDynset(
  set: NftSet,
  {
    one,
    fail,
  }: {
    readonly one: Extract<Rule['expressions'][number], { kind: 'dynset' }>;
    readonly fail: (errno: number) => never;
  },
): void {
  if (!set.flags.includes('dynamic')) fail(EOPNOTSUPP);
  if (one.timeout !== undefined && !set.flags.includes('timeout')) fail(EOPNOTSUPP);
  if (one.data === undefined && set.data !== undefined) fail(EINVAL);
  if (one.data !== undefined && (set.data === undefined || set.data === 'verdict')) fail(EOPNOTSUPP);
}

function checkTarget(
  table: Table,
  { chain, fail }: { readonly chain: string; readonly fail: (errno: number) => never },
): void {
  const target = table.chains.get(chain) ?? fail(ENOENT);
  if (target.base !== undefined) fail(EOPNOTSUPP);
}

function addElement(
  table: Table,
  add: {
    readonly set: NftSet & { readonly elements: Map<string, Element> };
    readonly element: Element;
    readonly fail: (errno: number) => never;
  },
): void {
  const { set, element, fail } = add;
  const { data } = element;
  if ((data === undefined) !== (set.data === undefined)) fail(EINVAL);
  if (element.timeout !== undefined && !set.flags.includes('timeout')) fail(EINVAL);
  if (data !== undefined && 'chain' in data) checkTarget(table, { chain: data.chain, fail });
  const key = elementKey(set, element);
  if (set.elements.has(key)) fail(EEXIST);
  if (set.flags.includes('interval') && [...set.elements.values()].some((one) => overlaps(set, one, element)))
    fail(EEXIST);
  if (set.size !== undefined && set.elements.size >= set.size) fail(ENFILE);
  set.elements.set(key, element);
}

function overlaps(set: NftSet, a: Element, b: Element): boolean {
  if (a.key === 'default' || b.key === 'default') return false;
  const others = b.key;
  return a.key.every((part, i) => {
    const type = set.key[i];
    const other = others[i];
    if (type === undefined || other === undefined) return false;
    const [one, two] = [bounds(part), bounds(other)];
    return (
      compareBytes(orderedBytes(type, one.first), orderedBytes(type, two.last)) <= 0 &&
      compareBytes(orderedBytes(type, two.first), orderedBytes(type, one.last)) <= 0
    );
  });
}

function uses(table: Table, matches: (expression: Rule['expressions'][number]) => boolean): boolean {
  return [...table.rules.values()].some((rules) => rules.some((rule) => rule.expressions.some(matches)));
}

function isBound(table: Table, set: string): boolean {
  return uses(table, (one) => (one.kind === 'lookup' || one.kind === 'dynset') && one.set === set);
}

function isJumpedTo(table: Table, chain: string): boolean {
  const leads = (verdict: { readonly kind: string; readonly chain?: string }) => verdict.chain === chain;
  if ([...table.rules.values()].some((rules) => rules.some((rule) => verdictsOf(rule).some(leads))))
    return true;
  return [...table.sets.values()].some(
    (set) =>
      set.data === 'verdict' &&
      [...set.elements.values()].some(({ data }) => data !== undefined && 'kind' in data && leads(data)),
  );
}
