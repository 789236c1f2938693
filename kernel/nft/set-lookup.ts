// Finds the element that the kernel would find for a key in registers: exact, by interval, by concatenated intervals, catch-all.
import { type Datatype, type FieldValue, fieldBytes, keyLength, paddedLength } from './datatype.ts';
import { bounds, compareBytes } from './interval.ts';
import type { Element, SetFlag, SetType } from './set.ts';

/** A set as lookups see it. */
export interface LookupSet extends SetType {
  readonly flags: readonly SetFlag[];
  readonly elements: Iterable<Element>;
}

/** Register bytes of values side by side. A lone value is not padded. */
export function fieldsBytes(types: readonly Datatype[], values: readonly FieldValue[]): Uint8Array {
  const bytes = new Uint8Array(keyLength(types));
  let at = 0;
  for (const [i, type] of types.entries()) {
    const value = values[i];
    if (value !== undefined) bytes.set(fieldBytes(type, value), at);
    at += paddedLength(type);
  }
  return bytes;
}

export function findElement(set: LookupSet, key: Uint8Array): Element | undefined {
  let catchAll: Element | undefined;
  for (const element of set.elements) {
    if (element.key === 'default') catchAll = element;
    else if (matches(set, element.key, key)) return element;
  }
  return catchAll;
}

function matches(set: SetType, parts: Exclude<Element['key'], 'default'>, key: Uint8Array): boolean {
  let at = 0;
  for (const [i, type] of set.key.entries()) {
    const part = parts[i];
    if (part === undefined) return false;
    const { first, last } = bounds(part);
    const low = fieldBytes(type, first);
    const value = key.subarray(at, at + low.length);
    if (compareBytes(value, low) < 0 || compareBytes(value, fieldBytes(type, last)) > 0) return false;
    at += paddedLength(type);
  }
  return true;
}
