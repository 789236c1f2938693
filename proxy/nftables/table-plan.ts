// Steps that concern the table and not single service ports: made, mended, cleared of what is not ours. Pure.
import { type Table, type TableId, tableKey } from '../../kernel/nft/objects.ts';
import { planNft } from '../../kernel/nft/plan.ts';
import { sameSet, sameTable } from '../../kernel/nft/same.ts';
import type { Element, NftSet } from '../../kernel/nft/set.ts';
import type { NftStep } from '../../kernel/nft/step.ts';
import { placeIn } from './port-elements.ts';
import { isPortSetName, type PortSetName } from './proxy-sets.ts';

export function tableSteps(desired: Table, actual: Table | undefined): readonly NftStep[] {
  const key = tableKey(desired);
  return planNft(new Map([[key, desired]]), new Map(actual === undefined ? [] : [[key, actual]]));
}

/** Whether the table is one that can be mended: another version of Netloom may have made sets of other types. */
export function isMendable(desired: Table, actual: Table): boolean {
  if (!sameTable(desired, actual)) return false;
  for (const [name, set] of desired.sets) {
    const there = actual.sets.get(name);
    if (there !== undefined && !sameSet(withoutSize(set), withoutSize(there))) return false;
  }
  return true;
}

function withoutSize(set: NftSet): NftSet {
  const { size: _, ...rest } = set;
  return rest;
}

/** The table with what another has more: chains that may still be in use, and sets. Of sets that both have, elements of `classes`. */
export function withExtras(desired: Table, actual: Table): Table {
  const sets = new Map([...actual.sets, ...desired.sets]);
  const classes = desired.sets.get('classes');
  const there = actual.sets.get('classes');
  if (classes !== undefined && there !== undefined)
    sets.set('classes', { ...classes, elements: new Map([...there.elements, ...classes.elements]) });
  const extra = [...actual.chains].filter(([name]) => !desired.chains.has(name));
  return {
    ...desired,
    counters: actual.counters,
    sets,
    chains: new Map([...desired.chains, ...extra]),
    rules: new Map([
      ...desired.rules,
      ...extra.map(([name]) => [name, actual.rules.get(name) ?? []] as const),
    ]),
  };
}

/**
 * Chains that go are deleted in a transaction of their own: kernels before 6.2 refuse to delete a chain together with the map
 * element that led to it.
 */
export function inTwoTransactions(steps: readonly NftStep[]): readonly (readonly NftStep[])[] {
  const made = new Set(steps.flatMap((step) => (step.kind === 'chain-add' ? [step.chain.name] : [])));
  const later = (step: NftStep) => step.kind === 'chain-delete' && !made.has(step.chain.name);
  return [steps.filter((step) => !later(step)), steps.filter(later)].filter(({ length }) => length > 0);
}

/** Sets of a table with the sizes that they have in the kernel, where nothing asks for more. */
export function keepSizes(desired: Table, actual: Table): Table {
  const sets = [...desired.sets].map(([name, set]) => {
    const size = actual.sets.get(name)?.size;
    return [name, isPortSetName(name) || size === undefined ? set : { ...set, size }] as const;
  });
  return { ...desired, sets: new Map(sets) };
}

/** Elements for sets that the steps make: they go in before the rules that look there. */
export function withElements(
  steps: readonly NftStep[],
  elementsOf: (set: string) => Iterable<Element>,
): readonly NftStep[] {
  const filled: NftStep[] = [];
  const made: Extract<NftStep, { kind: 'set-add' }>[] = [];
  const fill = (): void => {
    for (const { table, set } of made.splice(0))
      for (const element of elementsOf(set.name)) filled.push({ kind: 'element-add', table, set, element });
  };
  for (const step of steps) {
    if (step.kind === 'set-add') made.push(step);
    if (step.kind === 'rule-add') fill();
    filled.push(step);
  }
  fill();
  return filled;
}

/** The set made anew in another size, with its elements (one may come twice) and with the rules that look into it. */
export function resizeSteps(
  table: Table,
  resize: { readonly set: PortSetName; readonly size: number; readonly elements: Iterable<Element> },
): readonly NftStep[] {
  const set = table.sets.get(resize.set);
  if (set === undefined) throw new TypeError(`Cannot resize set "${resize.set}": it is not there`);
  const elements = new Map<string | number, Element>();
  for (const one of resize.elements) elements.set(placeIn(set, one), one);
  const sets = new Map(table.sets).set(set.name, { ...set, size: resize.size });
  return withElements(tableSteps({ ...table, sets }, table), () => elements.values());
}

/** Deletes of elements, for transactions of so many. */
export function* removals(
  of: { readonly table: TableId; readonly set: NftSet; readonly elements: Iterable<Element> },
  atOnce: number,
): Generator<readonly NftStep[], void, void> {
  const { table, set } = of;
  let steps: NftStep[] = [];
  for (const element of of.elements) {
    steps.push({ kind: 'element-delete', table, set, element });
    if (steps.length < atOnce) continue;
    yield steps;
    steps = [];
  }
  if (steps.length > 0) yield steps;
}
