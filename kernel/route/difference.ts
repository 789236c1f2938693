// Equality and difference of desired and actual objects in keyed maps. Knows no kind of object: what an absent field and a
// value with `equals` mean is said here once for all of them.

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

/**
 * The same comparison, which remembers pairs that were equal. Objects do not change, and both the desired state and the mirror
 * keep those that did not: then a plan over thousands of objects is thousands of look-ups.
 */
export function remembering<T extends object>(
  equal: (wanted: T, actual: T) => boolean,
): (wanted: T, actual: T) => boolean {
  const known = new WeakMap<T, T>();
  return (wanted, actual) => {
    if (known.get(wanted) === actual) return true;
    const isEqual = equal(wanted, actual);
    if (isEqual) known.set(wanted, actual);
    return isEqual;
  };
}

function hasEquals(value: object): value is { equals(other: unknown): boolean } {
  return 'equals' in value && typeof value.equals === 'function';
}

export function difference<T>(
  wanted: ReadonlyMap<string, T>,
  actual: ReadonlyMap<string, T>,
  equal: (wanted: T, actual: T) => boolean,
): Difference<T> {
  const missing: T[] = [];
  const changed: { readonly wanted: T; readonly actual: T }[] = [];
  const surplus: (readonly [string, T])[] = [];
  for (const [key, object] of wanted) {
    const found = actual.get(key);
    if (found === undefined) missing.push(object);
    else if (!equal(object, found)) changed.push({ wanted: object, actual: found });
  }
  for (const [key, object] of actual) if (!wanted.has(key)) surplus.push([key, object]);
  return { missing, changed, surplus };
}
