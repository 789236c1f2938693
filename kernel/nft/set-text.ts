// Sets, maps and their elements as `nft list` prints them, line breaks and order included.
import { type Datatype, type FieldValue, fieldBytes, typeInfo, typeName } from './datatype.ts';
import { durationText } from './duration-text.ts';
import { bounds, compareBytes } from './interval.ts';
import type { AnonymousSet, Element, NftSet, SetFlag, SetType, TypeofExpression } from './set.ts';
import { fieldText, keyText, quoted } from './value-text.ts';
import { type Verdict, verdictText } from './verdict.ts';

/** How many elements stand in a line; of types that are not here, one. */
const perLine: Readonly<Partial<Record<string, number>>> = {
  integer: 5,
  inet_proto: 5,
  inet_service: 5,
  mark: 5,
  classid: 5,
  ipv4_addr: 2,
  ct_state: 2,
};
const lineBreak = ',\n\t\t\t     ';

/** nft's order of flags is not the kernel's. */
const flagOrder: readonly SetFlag[] = ['constant', 'dynamic', 'interval', 'timeout'];

/** The lines inside the braces, elements last. Without elements when there are none, or none are given. */
export function setBody(
  set: Omit<NftSet, 'elements'> & { readonly elements?: ReadonlyMap<string, Element> },
): readonly string[] {
  const lines = [typeLine(set)];
  if (set.size !== undefined && !set.flags.includes('constant')) lines.push(`size ${set.size}`);
  // A default timeout says it already, unless other flags are listed anyway.
  const said = set.flags.filter((flag) => flag !== 'timeout' || set.timeout === undefined);
  if (said.length > 0) lines.push(`flags ${flagOrder.filter((flag) => set.flags.includes(flag)).join(',')}`);
  if (set.timeout !== undefined) lines.push(`timeout ${durationText(set.timeout)}`);
  if (set.comment !== undefined) lines.push(`comment ${quoted(set.comment)}`);
  const elements = [...(set.elements?.values() ?? [])];
  if (elements.length > 0) lines.push(`elements = ${elementLines(set, elements)}`);
  return lines;
}

function typeLine(set: SetType): string {
  if (set.typeof !== undefined) {
    const key = set.typeof.slice(0, set.key.length).map(typeofText).join(' . ');
    const data = set.typeof.slice(set.key.length).map(typeofText).join(' . ');
    if (set.data === undefined) return `typeof ${key}`;
    return `typeof ${key} : ${set.data === 'verdict' ? 'verdict' : data}`;
  }
  const key = set.key.map(typeName).join(' . ');
  if (set.data === undefined) return `type ${key}`;
  return `type ${key} : ${set.data === 'verdict' ? 'verdict' : set.data.map(typeName).join(' . ')}`;
}

function typeofText(expression: TypeofExpression): string {
  return typeof expression === 'string'
    ? expression
    : `numgen ${expression.numgen} mod ${expression.modulus}`;
}

function elementLines(set: SetType, elements: readonly Element[]): string {
  const [type] = set.key;
  const most = set.key.length === 1 && typeof type === 'string' ? (perLine[type] ?? 1) : 1;
  let text = '';
  for (const [i, element] of sorted(set, elements).entries()) {
    if (i > 0) text += i % most === 0 ? lineBreak : ', ';
    text += listedText(set, element);
  }
  return `{ ${text} }`;
}

/** A set inside a rule: one line. */
export function anonymousText(set: AnonymousSet): string {
  return `{ ${sorted(set, set.elements)
    .map((element) => elementText(set, element))
    .join(', ')} }`;
}

/** What an element is, without what the kernel alone knows of it: counts and remaining time. */
export function elementText(set: SetType, element: Element): string {
  const { counter: _, expires: __, ...own } = element;
  return listedText(set, own);
}

export function countsText(counts: { readonly packets: bigint; readonly bytes: bigint }): string {
  return `counter packets ${counts.packets} bytes ${counts.bytes}`;
}

function listedText(set: SetType, element: Element): string {
  let text = keyText(set.key, element.key);
  if (element.counter !== undefined) text += ` ${countsText(element.counter)}`;
  if (element.timeout !== undefined) text += ` timeout ${durationText(element.timeout)}`;
  if (element.expires !== undefined) text += ` expires ${durationText(element.expires)}`;
  if (element.comment !== undefined) text += ` comment ${quoted(element.comment)}`;
  return element.data === undefined ? text : `${text} : ${dataText(set, element.data)}`;
}

function dataText(set: SetType, data: Verdict | readonly FieldValue[]): string {
  if (isVerdict(data)) return verdictText(data);
  const types = set.data === undefined || set.data === 'verdict' ? [] : set.data;
  return data.map((value, i) => fieldText(types[i] ?? { opaque: 0, length: 0 }, value)).join(' . ');
}

function isVerdict(data: Verdict | readonly FieldValue[]): data is Verdict {
  return !Array.isArray(data);
}

/** As nft sorts: by the number that the key's bytes make, where those of a concatenation count from the last. */
function sorted(set: SetType, elements: readonly Element[]): readonly Element[] {
  return elements
    .map((element) => ({ element, order: orderOf(set.key, element) }))
    .sort((a, b) => a.order.length - b.order.length || compareBytes(a.order, b.order))
    .map(({ element }) => element);
}

function orderOf(types: readonly Datatype[], element: Element): Uint8Array {
  // Longer than any key: the catch-all element stands last.
  if (element.key === 'default') return new Uint8Array(1024);
  const parts = element.key.map((part, i) => {
    const type = types[i];
    return type === undefined ? new Uint8Array() : fieldBytes(type, bounds(part).first);
  });
  const [type] = types;
  if (parts.length === 1 && type !== undefined && typeInfo(type).order === 'big')
    return parts[0] ?? new Uint8Array();
  return Uint8Array.from(Buffer.concat(parts)).reverse();
}
