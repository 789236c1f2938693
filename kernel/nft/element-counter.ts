// The counter that elements of dynamic sets carry: NFTA_SET_ELEM_EXPR, or one among several in NFTA_SET_ELEM_EXPRESSIONS.
import { type ElementCursor, findAttribute } from './element-cursor.ts';
import type { Element } from './set.ts';

const LIST_ELEM = 1;
const EXPR_NAME = 1;
const EXPR_DATA = 2;
const COUNTER_BYTES = 1;
const COUNTER_PACKETS = 2;

interface Range {
  readonly from: number;
  readonly to: number;
}

/** Undefined when the element has expressions but none that counts. Throws DecodeError. */
export function readElementCounter(cursor: ElementCursor): Element['counter'] {
  const { bytes } = cursor;
  if (cursor.expression >= 0) return counterIn(bytes, { from: cursor.expression, to: cursor.expressionTo });
  let left: Range = { from: cursor.expressions, to: cursor.expressionsTo };
  for (;;) {
    const one = findAttribute(bytes, { type: LIST_ELEM, ...left });
    if (one === undefined) return undefined;
    const found = counterIn(bytes, one);
    if (found !== undefined) return found;
    left = { from: one.to, to: left.to };
  }
}

function counterIn(bytes: Buffer, expression: Range): Element['counter'] {
  const name = findAttribute(bytes, { type: EXPR_NAME, ...expression });
  const data = findAttribute(bytes, { type: EXPR_DATA, ...expression });
  if (name === undefined || data === undefined) return undefined;
  if (bytes.toString('latin1', name.from, name.to) !== 'counter\0') return undefined;
  return {
    packets: numberIn(bytes, { type: COUNTER_PACKETS, ...data }),
    bytes: numberIn(bytes, { type: COUNTER_BYTES, ...data }),
  };
}

function numberIn(bytes: Buffer, of: Range & { readonly type: number }): bigint {
  const found = findAttribute(bytes, of);
  return found === undefined || found.to - found.from < 8 ? 0n : bytes.readBigUInt64BE(found.from);
}
