// From the sets that are there to those that should be: the steps between. Pure.
import { familyOfSet } from './attributes.ts';
import type { Ipset, IpsetEntry, IpsetState, IpsetStep } from './objects.ts';

export interface WantedIpset {
  /** With `maxElements` for a set that is made; one that is there keeps its own as long as the entries fit. */
  readonly set: Ipset;
  /** By their text (ipsetEntries). The very map of the state that is there: nothing to compare. */
  readonly entries: ReadonlyMap<string, IpsetEntry>;
}

/** In this order, so that rules can be changed in between: those that ask a set come after `add`, and go before `destroy`. */
export interface IpsetPlan {
  /** Sets that are missing, too small, or of another kind. */
  readonly make: readonly IpsetStep[];
  readonly add: readonly IpsetStep[];
  readonly delete: readonly IpsetStep[];
  /** Sets that are wanted no more. */
  readonly destroy: readonly IpsetStep[];
}

/** The name under which a set is filled that takes the place of one; ours, and of no other use. */
export const spareSet = 'NETLOOM-SPARE';

/** `actual`: the sets of ours that are there; what is not wanted of them goes. */
export function planIpsets(
  wanted: readonly WantedIpset[],
  actual: ReadonlyMap<string, IpsetState>,
): IpsetPlan {
  const each = wanted.map((one) => planSet(one, actual.get(one.set.name)));
  const names = new Set(wanted.map(({ set }) => set.name));
  const gone = [...actual.keys()].filter((name) => !names.has(name) && name !== spareSet);
  return {
    // Left by a plan that was cut short.
    make: [...(actual.has(spareSet) ? [destroyed(spareSet)] : []), ...each.flatMap(({ make }) => make)],
    add: each.flatMap(({ add }) => add),
    delete: each.flatMap((one) => one.delete),
    destroy: gone.map(destroyed),
  };
}

/** All of it, for who has no rules to change in between. */
export function ipsetSteps(plan: IpsetPlan): readonly IpsetStep[] {
  return [...plan.make, ...plan.add, ...plan.delete, ...plan.destroy];
}

type SetPlan = Omit<IpsetPlan, 'destroy'>;

const nothing: SetPlan = { make: [], add: [], delete: [] };

function planSet({ set, entries }: WantedIpset, actual: IpsetState | undefined): SetPlan {
  if (actual === undefined) return made(set, entries);
  const { header } = actual;
  if (header.type !== set.type || header.family !== familyOfSet(set)) {
    const destroy = destroyed(set.name);
    // Sets of two types cannot be swapped. While rules ask it this is refused, and all that would follow with it.
    if (header.references > 0) return { ...nothing, make: [destroy] };
    const { make, ...rest } = made(set, entries);
    return { ...rest, make: [destroy, ...make] };
  }
  if (header.isPlain && entries === actual.entries) return nothing;
  const missing = [...entries].filter(([text]) => !actual.entries.has(text));
  const extra = [...actual.entries].filter(([text]) => !entries.has(text));
  const there: Ipset = { ...set, maxElements: header.maxElements };
  // Additions come first: for a while all are there.
  if (
    !header.isPlain ||
    actual.entries.size + missing.length > (header.maxElements ?? Number.POSITIVE_INFINITY)
  )
    return { ...nothing, make: replaced(set, entries) };
  return {
    make: [],
    add: missing.map(([, entry]) => ({ kind: 'entry-add', set: there, entry })),
    delete: extra.map(([, entry]) => ({ kind: 'entry-delete', set: there, entry })),
  };
}

function made(set: Ipset, entries: WantedIpset['entries']): SetPlan {
  const large = largeEnough(set, entries.size);
  return { make: [{ kind: 'set-create', set: large }], add: additions(large, entries), delete: [] };
}

/** Under rules that ask it, which never see it half full. */
function replaced(set: Ipset, entries: WantedIpset['entries']): readonly IpsetStep[] {
  const spare = { ...largeEnough(set, entries.size), name: spareSet };
  return [
    { kind: 'set-create', set: spare },
    ...additions(spare, entries),
    { kind: 'set-swap', name: set.name, other: spareSet },
    destroyed(spareSet),
  ];
}

function additions(set: Ipset, entries: WantedIpset['entries']): readonly IpsetStep[] {
  return [...entries.values()].map((entry) => ({ kind: 'entry-add', set, entry }));
}

function destroyed(name: string): IpsetStep {
  return { kind: 'set-destroy', name };
}

/** Doubled until the entries leave room for more. A set takes memory for what is in it, not for what it may hold. */
function largeEnough(set: Ipset, count: number): Ipset {
  let { maxElements } = set;
  if (maxElements === undefined) return set;
  while (maxElements < count) maxElements *= 2;
  return { ...set, maxElements };
}
