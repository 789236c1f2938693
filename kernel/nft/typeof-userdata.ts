// `typeof` of sets in nft's user data: which expressions the fields of a set come from. nft prints the set by them, and reads
// them to know the size of plain integers.
import { type ByteReader, type ByteWriter, DecodeError } from '../netlink/bytes.ts';
import type { TypeofExpression } from './set.ts';
import { readUserdata, userdataItem } from './userdata-item.ts';

/** enum expr_types of nft 1.0 (src/include/expression.h). */
const EXPR = { PAYLOAD: 7, META: 9, CONCAT: 13, NUMGEN: 23 } as const;

/** enum proto_desc_id and the fields of these headers (src/include/proto.h). */
const payloads = {
  'ip saddr': { header: 12, field: 11 },
  'ip daddr': { header: 12, field: 12 },
  'ip6 saddr': { header: 13, field: 8 },
  'ip6 daddr': { header: 13, field: 9 },
  'th sport': { header: 11, field: 1 },
  'th dport': { header: 11, field: 2 },
} as const;

/** NFT_META_* */
const metas = { 'meta priority': 2, 'meta mark': 3, 'meta l4proto': 16 } as const;

/** Several fields are a concatenation. */
export function writeTypeof(out: ByteWriter, fields: readonly TypeofExpression[]): void {
  const [only] = fields;
  if (fields.length === 1 && only !== undefined) {
    writeExpression(out, only);
    return;
  }
  userdataItem(out, 0, () => out.u32(EXPR.CONCAT));
  userdataItem(out, 1, () => {
    for (const [i, field] of fields.entries()) userdataItem(out, i, () => writeExpression(out, field));
  });
}

function writeExpression(out: ByteWriter, expression: TypeofExpression): void {
  const write = (type: number, numbers: readonly number[]) => {
    userdataItem(out, 0, () => out.u32(type));
    userdataItem(out, 1, () => {
      for (const [i, number] of numbers.entries()) userdataItem(out, i, () => out.u32(number));
    });
  };
  if (typeof expression !== 'string') {
    write(EXPR.NUMGEN, [expression.numgen === 'random' ? 1 : 0, expression.modulus, 0]);
  } else if (isMeta(expression)) {
    write(EXPR.META, [metas[expression]]);
  } else {
    const { header, field } = payloads[expression];
    write(EXPR.PAYLOAD, [header, field]);
  }
}

function isMeta(expression: string): expression is keyof typeof metas {
  return Object.hasOwn(metas, expression);
}

/** The fields' expressions; fewer than there are fields when one is not known here. */
export function readTypeof(input: ByteReader): readonly TypeofExpression[] {
  try {
    const { type, data } = readParts(input);
    if (type !== EXPR.CONCAT) return known([expressionOf(type, numbersIn(data))]);
    return known(
      readUserdata(data).map(([, item]) => {
        const part = readParts(item);
        return expressionOf(part.type, numbersIn(part.data));
      }),
    );
  } catch (error) {
    if (error instanceof DecodeError) return [];
    throw error;
  }
}

function known(found: readonly (TypeofExpression | undefined)[]): readonly TypeofExpression[] {
  return found.filter((one) => one !== undefined);
}

function readParts(input: ByteReader): { readonly type: number; readonly data: ByteReader } {
  const items = new Map(readUserdata(input));
  const type = items.get(0);
  const data = items.get(1);
  if (type === undefined || data === undefined) throw new DecodeError('Cannot read typeof user data');
  return { type: type.u32(), data };
}

function numbersIn(data: ByteReader): ReadonlyMap<number, number> {
  return new Map(readUserdata(data).map(([type, value]) => [type, value.u32()]));
}

function expressionOf(type: number, numbers: ReadonlyMap<number, number>): TypeofExpression | undefined {
  if (type === EXPR.NUMGEN) {
    if (numbers.get(2) !== 0) return undefined;
    return { numgen: numbers.get(0) === 1 ? 'random' : 'inc', modulus: numbers.get(1) ?? 0 };
  }
  if (type === EXPR.META) return nameIn(metas, (key) => key === numbers.get(0));
  if (type !== EXPR.PAYLOAD) return undefined;
  return nameIn(payloads, ({ header, field }) => header === numbers.get(0) && field === numbers.get(1));
}

function nameIn<const T extends Readonly<Record<string, unknown>>>(
  names: T,
  matches: (value: T[keyof T]) => boolean,
): (keyof T & TypeofExpression) | undefined {
  for (const name of Object.keys(names)) {
    // Object.keys forgets that these are the table's own.
    if (matches(names[name] as T[keyof T])) return name as keyof T & TypeofExpression;
  }
  return undefined;
}
