// What registers hold while a rule is read back into text, and how masked values in them are printed.
import { IpAddress } from '../../net/address.ts';
import { Prefix } from '../../net/prefix.ts';
import type { Expression } from './expressions.ts';
import { type Field, isBitmask, valueText } from './field-value-text.ts';
import { prefixMask } from './interval.ts';
import { classidText, hex32 } from './value-text.ts';

/** What a register holds while the rule is read. */
export type Held =
  | {
      readonly kind: 'field';
      readonly field: Field;
      readonly whole: number;
      readonly needs: Needs | undefined;
    }
  | {
      readonly kind: 'masked';
      readonly of: Extract<Held, { kind: 'field' }>;
      readonly mask: Uint8Array;
      readonly xor: Uint8Array;
      /** Turned to network order afterwards. */
      readonly turned?: boolean;
    }
  | { readonly kind: 'value'; readonly bytes: Uint8Array };

export type Needs = 'network' | 'transport';

export type Masked = Extract<Held, { kind: 'masked' }>;

export function maskedText(held: Masked): string {
  return `${held.of.field.text} & ${valueText(held.of.field, held.mask)}`;
}

function isZero(bytes: Uint8Array): boolean {
  return bytes.every((byte) => byte === 0);
}

export function maskedMatch(held: Masked, e: Extract<Expression, { kind: 'cmp' }>): string {
  const { field } = held.of;
  const op = e.op === 'neq' ? '!=' : '==';
  if (isBitmask(field.type)) {
    const mask = valueText(field, held.mask);
    if (isZero(e.value)) return e.op === 'neq' ? `${field.text} ${mask}` : `${field.text} ! ${mask}`;
    return `${field.text} ${e.op === 'neq' ? '!= ' : ''}${valueText(field, e.value)} / ${mask}`;
  }
  const length = prefixLength(held.mask);
  if (length !== undefined && (field.type === 'ipv4_addr' || field.type === 'ipv6_addr'))
    return `${field.text} ${e.op === 'neq' ? '!= ' : ''}${valueText(field, e.value)}/${length}`;
  return `${maskedText(held)} ${op} ${valueText(field, e.value)}`;
}

/** The prefix length whose mask this is. */
function prefixLength(mask: Uint8Array): number | undefined {
  if (mask.length !== 4 && mask.length !== 16) return undefined;
  const address = IpAddress.fromBytes(mask);
  for (let length = 0; length <= mask.length * 8; length++)
    if (Buffer.compare(prefixMask(new Prefix(address, length)), mask) === 0) return length;
  return undefined;
}

/** `meta mark & 0xff | 0x100`: the kernel's mask and xor as nft takes them apart. */
export function operationText(held: Masked): string {
  const number = (bytes: Uint8Array) => Buffer.from(bytes).readUInt32LE(0);
  if (held.mask.length !== 4) return maskedText(held);
  const mask = number(held.mask);
  const xor = number(held.xor);
  const or = (xor & ~mask) >>> 0;
  const flip = (xor & mask) >>> 0;
  const and = (mask | or) >>> 0;
  const { field } = held.of;
  const print = field.type === 'classid' ? classidText : hex32;
  let { text } = field;
  if (and !== 0xffffffff) text += ` & ${print(and)}`;
  if (flip !== 0) text += ` ^ ${print(flip)}`;
  if (or !== 0) text += ` | ${print(or)}`;
  return text;
}
