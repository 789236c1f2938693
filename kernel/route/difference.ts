// Equality and difference of desired and actual objects in keyed maps. Knows no kind of object: what an absent field and a
// value with `equals` mean is said here once for all of them.
import { layersOf } from './layered-map.ts';

export interface Comparison {
  /** Fields that do not count: what the kernel alone decides, or what only matters when an object is made. */
  readonly ignore?: ReadonlySet<string>;
}

/** What is to be done so that a map of actual objects holds what is wanted. */
export interface Difference<T> {
  readonly missing: readonly T[];
  readonly changed: readonly { readonly wanted: T; readonly actual: T }[];
  /** Actual objects that nobody wants, under their keys: whether they may go is the caller's question. */
  readonly surplus: readonly (readonly [key: string, actual: T])[];
}

/**
 * True when `actual` is as `wanted` asks. A wanted field that is undefined accepts anything; values with `equals` (IpAddress,
 * Prefix, Mac) are compared by it, arrays item by item, objects field by field.
 */
export function satisfies(wanted: unknown, actual: unknown, comparison: Comparison = {}): boolean {
  if (wanted === undefined || Object.is(wanted, actual)) return true;
  if (typeof wanted !== 'object' || wanted === null || typeof actual !== 'object' || actual === null)
    return false;
  if (hasEquals(wanted)) return wanted.constructor === actual.constructor && wanted.equals(actual);
  if (Array.isArray(wanted)) {
    return (
      Array.isArray(actual) &&
      wanted.length === actual.length &&
      wanted.every((item, i) => satisfies(item, actual[i], comparison))
    );
  }
  for (const name in wanted) {
    if (comparison.ignore?.has(name) === true) continue;
    if (!satisfies(Reflect.get(wanted, name), Reflect.get(actual, name), comparison)) return false;
  }
  return true;
}

function hasEquals(value: object): value is { equals(other: unknown): boolean } {
  return 'equals' in value && typeof value.equals === 'function';
}

type Objects<T> = ReadonlyMap<string, T>;
type Equality<T> = (wanted: T, actual: T) => boolean;

export function difference<T>(wanted: Objects<T>, actual: Objects<T>, equal: Equality<T>): Difference<T> {
  return differenceAt(differingKeys(wanted, actual, equal), { wanted, actual, equal });
}

/**
 * The same for large maps of which little changes from one comparison to the next (layered-map.ts): what two bases differ in is
 * found once, and from then on only that and what was changed over them is looked at.
 */
export function layeredDifference<T>(
  equal: Equality<T>,
): (wanted: Objects<T>, actual: Objects<T>) => Difference<T> {
  const known = new WeakMap<Objects<T>, WeakMap<Objects<T>, readonly string[]>>();

  function ofBases(wanted: Objects<T>, actual: Objects<T>): readonly string[] {
    const ofWanted = known.get(wanted) ?? new WeakMap<Objects<T>, readonly string[]>();
    known.set(wanted, ofWanted);
    const keys = ofWanted.get(actual) ?? differingKeys(wanted, actual, equal);
    ofWanted.set(actual, keys);
    return keys;
  }

  return (wanted, actual) => {
    const above = layersOf(wanted);
    const below = layersOf(actual);
    const keys = new Set([...ofBases(above.base, below.base), ...above.changed, ...below.changed]);
    return differenceAt(keys, { wanted, actual, equal });
  };
}

function differingKeys<T>(wanted: Objects<T>, actual: Objects<T>, equal: Equality<T>): readonly string[] {
  const keys: string[] = [];
  for (const [key, object] of wanted) {
    const found = actual.get(key);
    if (found === undefined || !equal(object, found)) keys.push(key);
  }
  for (const key of actual.keys()) if (!wanted.has(key)) keys.push(key);
  return keys;
}

function differenceAt<T>(
  keys: Iterable<string>,
  maps: { readonly wanted: Objects<T>; readonly actual: Objects<T>; readonly equal: Equality<T> },
): Difference<T> {
  const missing: T[] = [];
  const changed: { readonly wanted: T; readonly actual: T }[] = [];
  const surplus: (readonly [string, T])[] = [];
  for (const key of keys) {
    const wanted = maps.wanted.get(key);
    const actual = maps.actual.get(key);
    if (wanted === undefined) {
      if (actual !== undefined) surplus.push([key, actual]);
    } else if (actual === undefined) missing.push(wanted);
    else if (!maps.equal(wanted, actual)) changed.push({ wanted, actual });
  }
  return { missing, changed, surplus };
}
