// Anonymous sets and maps for use inside one rule: `tcp dport { 80, 443 }`, `numgen random mod 2 vmap { 0 : goto a, 1 : goto b }`.

import { bounds, normalPart } from './interval.ts';
import type { AnonymousSet, Element, SetType } from './set.ts';

/** Elements with every part in its one form; the flags follow from them. */
export function setReference(type: SetType, elements: readonly Element[]): AnonymousSet {
  const normal = elements.map((element) => normalElement(type, element));
  const interval = normal.some(
    ({ key }) => key !== 'default' && key.some((part) => bounds(part).first !== part),
  );
  return { ...type, flags: interval ? ['constant', 'interval'] : ['constant'], elements: normal };
}

/** Throws TypeError when the parts or the data do not fit the types. */
export function normalElement(type: SetType, element: Element): Element {
  const { key, data } = element;
  if (key !== 'default' && key.length !== type.key.length)
    throw new TypeError(`Cannot use a key of ${key.length} fields in a set of ${type.key.length}`);
  if ((data === undefined) !== (type.data === undefined))
    throw new TypeError(
      data === undefined ? 'Cannot use an element without data in a map' : 'Cannot use data in a set',
    );
  if (data !== undefined && Array.isArray(data) !== Array.isArray(type.data))
    throw new TypeError("Cannot use an element whose data is not of the map's type");
  if (key === 'default') return element;
  return {
    ...element,
    key: key.map((part, i) => {
      const of = type.key[i];
      return of === undefined ? part : normalPart(of, part);
    }),
  };
}
