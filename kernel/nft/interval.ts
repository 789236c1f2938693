// Intervals of key values and the one form each of them has: a lone value, a prefix where one fits, else first to last.
// Not the elements that a plain interval set stores (element-wire.ts).
import { IpAddress } from '../../net/address.ts';
import { Prefix } from '../../net/prefix.ts';
import { type Datatype, type FieldValue, fieldBytes } from './datatype.ts';

/** Both ends belong to it. */
export interface Interval {
  readonly first: FieldValue;
  readonly last: FieldValue;
}

/** One field of an element's key: a value, or in interval sets a prefix or interval. */
export type KeyPart = FieldValue | Prefix | Interval;

export function isInterval(part: KeyPart): part is Interval {
  return typeof part === 'object' && 'first' in part && 'last' in part && !(part instanceof Prefix);
}

/** First and last value of a part. */
export function bounds(part: KeyPart): Interval {
  if (part instanceof Prefix) return { first: part.first(), last: part.last() };
  return isInterval(part) ? part : { first: part, last: part };
}

/** The part in its one form, as the driver reads it: equal parts have equal forms. */
export function normalPart(type: Datatype, part: KeyPart): KeyPart {
  const { first, last } = bounds(part);
  const order = compareBytes(orderedBytes(type, first), orderedBytes(type, last));
  if (order > 0) throw new RangeError(`Cannot use an interval from ${String(first)} back to ${String(last)}`);
  if (order === 0) return first;
  return first instanceof IpAddress && last instanceof IpAddress
    ? (prefixBetween(first, last) ?? { first, last })
    : { first, last };
}

/** The prefix that covers exactly these addresses, if there is one. */
export function prefixBetween(first: IpAddress, last: IpAddress): Prefix | undefined {
  const bits = first.bytes.length * 8;
  const size = last.toBigInt() - first.toBigInt() + 1n;
  const hostBits = size.toString(2).length - 1;
  if (size !== 1n << BigInt(hostBits)) return undefined;
  const prefix = new Prefix(first, bits - hostBits);
  return prefix.isNetwork ? prefix : undefined;
}

/** The value's bytes, most significant first, so that they compare as the values do. */
export function orderedBytes(type: Datatype, value: FieldValue): Uint8Array {
  return fieldBytes(type, value, 'big');
}

export function compareBytes(a: Uint8Array, b: Uint8Array): number {
  return Buffer.compare(a, b);
}

/** A prefix of a length in whole bytes covers whole bytes; its other bits need a mask. */
export function prefixMask(prefix: Prefix): Uint8Array {
  const mask = new Uint8Array(prefix.bits / 8);
  for (let i = 0; i < mask.length; i++) {
    const bits = Math.min(8, Math.max(0, prefix.length - i * 8));
    mask[i] = (0xff << (8 - bits)) & 0xff;
  }
  return mask;
}
