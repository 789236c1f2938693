// What it takes to turn our tables as they are into what they should be: steps for one transaction. Nothing here reads or writes
// the kernel.
import type { Chain, NftState, Rule, Table, TableId } from './objects.ts';
import { sameChain, sameCounter, sameElement, sameRules, sameSet, sameTable } from './same.ts';
import type { Element, NftSet } from './set.ts';
import type { NftStep, StepSet } from './step.ts';
import type { Verdict } from './verdict.ts';

/**
 * Deletes come before adds, because a name may be used again; the transaction hides the time between. Among deletes what refers
 * goes before what is referred to (rules, elements, sets, chains), among adds it is the other way round.
 */
const order: readonly NftStep['kind'][] = [
  'table-delete',
  'chain-flush',
  'element-delete',
  'set-delete',
  'chain-delete',
  'counter-delete',
  'table-add',
  'counter-add',
  'set-add',
  'chain-add',
  'chain-policy',
  'element-add',
  'rule-add',
];

/**
 * The steps from `actual` to `desired`, none when they agree. `actual` must hold only tables of ours: those that are not
 * desired are deleted. Elements of dynamic sets are the packets' and stay. A chain whose rules differ is filled anew, which
 * starts its counters at zero.
 */
export function planNft(desired: NftState, actual: NftState): readonly NftStep[] {
  const steps: NftStep[] = [];
  for (const [key, table] of actual) {
    const wanted = desired.get(key);
    if (wanted === undefined) steps.push({ kind: 'table-delete', table: idOf(table) });
    else if (sameTable(wanted, table)) steps.push(...planTable(wanted, table));
    else steps.push({ kind: 'table-delete', table: idOf(table) }, ...newTable(wanted));
  }
  for (const [key, table] of desired) if (!actual.has(key)) steps.push(...newTable(table));
  return sorted(steps);
}

function sorted(steps: readonly NftStep[]): readonly NftStep[] {
  const rank = new Map(order.map((kind, i) => [kind, i]));
  return steps.toSorted((a, b) => (rank.get(a.kind) ?? 0) - (rank.get(b.kind) ?? 0));
}

function idOf(table: TableId): TableId {
  return { family: table.family, name: table.name };
}

function newTable(table: Table): readonly NftStep[] {
  const { comment, dormant } = table;
  const properties = {
    ...idOf(table),
    ...(comment === undefined ? {} : { comment }),
    ...(dormant === true ? { dormant } : {}),
  };
  const empty: Table = {
    ...table,
    counters: new Map(),
    sets: new Map(),
    chains: new Map(),
    rules: new Map(),
  };
  return [{ kind: 'table-add', table: properties }, ...planTable(table, empty)];
}

/** Names that cannot stay as they are: whatever refers to them is taken away and put back. */
interface Replaced {
  readonly counters: ReadonlySet<string>;
  readonly sets: ReadonlySet<string>;
  readonly chains: ReadonlySet<string>;
}

function planTable(desired: Table, actual: Table): readonly NftStep[] {
  const table = idOf(desired);
  const replaced: Replaced = {
    counters: changed(desired.counters, { actual: actual.counters, same: sameCounter }),
    sets: changed(desired.sets, { actual: actual.sets, same: sameSet }),
    chains: changed(desired.chains, { actual: actual.chains, same: sameChain }),
  };
  const steps: NftStep[] = [];
  for (const [name, counter] of actual.counters)
    if (replaced.counters.has(name)) steps.push({ kind: 'counter-delete', table, counter });
  for (const [name, counter] of desired.counters)
    if (isNew(name, { replaced: replaced.counters, actual: actual.counters }))
      steps.push({ kind: 'counter-add', table, counter });
  planSets(steps, { table, desired, actual, replaced });
  planChains(steps, { table, desired, actual, replaced });
  return steps;
}

/** Names that are there but not wanted, or wanted otherwise. */
function changed<T>(
  desired: ReadonlyMap<string, T>,
  options: { readonly actual: ReadonlyMap<string, T>; readonly same: (a: T, b: T) => boolean },
): ReadonlySet<string> {
  const names = new Set<string>();
  for (const [name, there] of options.actual) {
    const wanted = desired.get(name);
    if (wanted === undefined || !options.same(wanted, there)) names.add(name);
  }
  return names;
}

function isNew(
  name: string,
  {
    replaced,
    actual,
  }: { readonly replaced: ReadonlySet<string>; readonly actual: ReadonlyMap<string, unknown> },
): boolean {
  return replaced.has(name) || !actual.has(name);
}

interface Difference {
  readonly table: TableId;
  readonly desired: Table;
  readonly actual: Table;
  readonly replaced: Replaced;
}

function planSets(steps: NftStep[], { table, desired, actual, replaced }: Difference): void {
  for (const [name, there] of actual.sets)
    if (replaced.sets.has(name)) steps.push({ kind: 'set-delete', table, set: withoutElements(there) });
  for (const [name, wanted] of desired.sets) {
    const set = withoutElements(wanted);
    const there = isNew(name, { replaced: replaced.sets, actual: actual.sets })
      ? undefined
      : actual.sets.get(name);
    if (there === undefined) steps.push({ kind: 'set-add', table, set });
    if (there !== undefined && wanted.flags.includes('dynamic')) continue;
    planElements(steps, {
      table,
      set,
      wanted: wanted.elements,
      there: there?.elements ?? new Map(),
      replaced,
    });
  }
}

function withoutElements(set: NftSet): Omit<NftSet, 'elements'> {
  const { elements: _, ...rest } = set;
  return rest;
}

function planElements(
  steps: NftStep[],
  options: {
    readonly table: TableId;
    readonly set: StepSet;
    readonly wanted: ReadonlyMap<string, Element>;
    readonly there: ReadonlyMap<string, Element>;
    readonly replaced: Replaced;
  },
): void {
  const { table, set, wanted, there, replaced } = options;
  const stays = (key: string): boolean => {
    const element = there.get(key);
    const other = wanted.get(key);
    return (
      element !== undefined &&
      other !== undefined &&
      sameElement(set, element, other) &&
      !leadsTo(element.data, replaced.chains)
    );
  };
  for (const [key, element] of there)
    if (!stays(key)) steps.push({ kind: 'element-delete', table, set, element });
  for (const [key, element] of wanted)
    if (!stays(key)) steps.push({ kind: 'element-add', table, set, element });
}

function leadsTo(data: Element['data'], chains: ReadonlySet<string>): boolean {
  return chains.size > 0 && data !== undefined && 'kind' in data && leads(data, chains);
}

function leads(verdict: Verdict, chains: ReadonlySet<string>): boolean {
  return 'chain' in verdict && chains.has(verdict.chain);
}

function planChains(steps: NftStep[], { table, desired, actual, replaced }: Difference): void {
  for (const [name, chain] of actual.chains) {
    const there = actual.rules.get(name) ?? [];
    const goes = replaced.chains.has(name);
    const refill = goes || !rulesStay(desired.rules.get(name), { there, replaced });
    // Also of a chain that goes: its rules may jump to others that go.
    if (refill && there.length > 0) steps.push({ kind: 'chain-flush', table, chain });
    if (goes) steps.push({ kind: 'chain-delete', table, chain });
  }
  for (const [name, chain] of desired.chains) {
    const there = isNew(name, { replaced: replaced.chains, actual: actual.chains })
      ? undefined
      : actual.chains.get(name);
    if (there === undefined) steps.push({ kind: 'chain-add', table, chain });
    else if (policyOf(there) !== policyOf(chain)) steps.push({ kind: 'chain-policy', table, chain });
    const rules = desired.rules.get(name) ?? [];
    if (there !== undefined && rulesStay(rules, { there: actual.rules.get(name) ?? [], replaced })) continue;
    for (const rule of rules) steps.push({ kind: 'rule-add', table, rule });
  }
}

function policyOf(chain: Chain): string | undefined {
  return chain.base?.policy;
}

function rulesStay(
  wanted: readonly Rule[] | undefined,
  { there, replaced }: { readonly there: readonly Rule[]; readonly replaced: Replaced },
): boolean {
  return sameRules(wanted, there) && !there.some((rule) => refersTo(rule, replaced));
}

function refersTo(rule: Rule, replaced: Replaced): boolean {
  return rule.expressions.some((one) => {
    switch (one.kind) {
      case 'verdict':
        return leads(one.verdict, replaced.chains);
      case 'lookup':
        if (typeof one.set === 'string') return replaced.sets.has(one.set);
        return one.set.elements.some((element) => leadsTo(element.data, replaced.chains));
      case 'dynset':
        return replaced.sets.has(one.set);
      case 'objref':
        return replaced.counters.has(one.name);
      default:
        return false;
    }
  });
}
