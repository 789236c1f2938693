// Tables, chains, rules, sets and maps declared the way an operator writes them for `nft -f`. Mistakes throw TypeError or
// RangeError here, before the kernel sees them.
import { type Datatype, type FieldValue, typeInfo, typeName } from './datatype.ts';
import type { KeyPart } from './interval.ts';
import type { Chain, ChainBase, Counter, Rule, Table, TableId } from './objects.ts';
import type { Statement } from './selector.ts';
import type { AnonymousSet, Element, NftSet, SetFlag, SetType, TypeofExpression } from './set.ts';
import { normalElement, setReference } from './set-reference.ts';
import { keyText } from './value-text.ts';
import type { Verdict } from './verdict.ts';

/** NF_IP_PRI_*: the priorities that nft names. */
export const priority = {
  raw: -300,
  mangle: -150,
  dstnat: -100,
  filter: 0,
  security: 50,
  srcnat: 100,
} as const;

/** NFT_USERDATA_MAXLEN less the framing; nft itself stops at 128. */
const longestComment = 127;
/** NFT_NAME_MAXLEN less the zero byte. */
const longestName = 255;

/** As nft's scanner takes names. Of other names the kernel has no fear, but `nft` could not name them. */
const namePattern = /^[a-zA-Z_][a-zA-Z0-9_/\\.-]*$/;

export function nftName(name: string): string {
  if (!namePattern.test(name) || name.length > longestName)
    throw new SyntaxError(`Cannot use ${JSON.stringify(name)} as a name in nftables`);
  return name;
}

function commentOf(comment: string | undefined): { readonly comment?: string } {
  if (comment === undefined) return {};
  // nft has no way to write these inside its quotes.
  if (/["\n\0]/.test(comment) || Buffer.byteLength(comment) > longestComment || comment === '')
    throw new SyntaxError(`Cannot use ${JSON.stringify(comment)} as a comment`);
  return { comment };
}

export interface TableDeclaration extends TableId {
  readonly comment?: string;
  readonly counters?: readonly Counter[];
  readonly sets?: readonly NftSet[];
  readonly chains?: readonly Chain[];
  /** In order within each chain. */
  readonly rules?: readonly Rule[];
}

/** A whole table. Throws TypeError when two objects have one name, or a rule stands in a chain that is not declared. */
export function table(declaration: TableDeclaration): Table {
  const { family, name } = declaration;
  const chains = named('chain', declaration.chains);
  const rules = new Map<string, Rule[]>();
  for (const one of declaration.rules ?? []) {
    if (!chains.has(one.chain))
      throw new TypeError(`Cannot add a rule to chain "${one.chain}": it is not declared`);
    const list = rules.get(one.chain);
    if (list === undefined) rules.set(one.chain, [one]);
    else list.push(one);
  }
  return {
    family,
    name: nftName(name),
    ...commentOf(declaration.comment),
    counters: named('counter', declaration.counters),
    sets: named('set', declaration.sets),
    chains,
    rules,
  };
}

function named<T extends { readonly name: string }>(
  what: string,
  objects: readonly T[] = [],
): ReadonlyMap<string, T> {
  const map = new Map<string, T>();
  for (const object of objects) {
    if (map.has(object.name)) throw new TypeError(`Cannot declare ${what} "${object.name}" twice`);
    map.set(object.name, object);
  }
  return map;
}

/** A chain that packets enter at a hook. Policy is accept unless said. */
export function baseChain(
  name: string,
  base: Omit<ChainBase, 'policy'> & { readonly policy?: 'accept' | 'drop' },
  options: { readonly comment?: string } = {},
): Chain {
  return { name: nftName(name), base: { policy: 'accept', ...base }, ...commentOf(options.comment) };
}

/** A chain that rules jump to. */
export function chain(name: string, options: { readonly comment?: string } = {}): Chain {
  return { name: nftName(name), ...commentOf(options.comment) };
}

/** A rule of matches and statements, in the order they run. */
export function rule(
  chainName: string,
  statements: readonly Statement[],
  options: { readonly comment?: string } = {},
): Rule {
  return { chain: chainName, expressions: statements.flat(), ...commentOf(options.comment) };
}

export function counterObject(name: string, options: { readonly comment?: string } = {}): Counter {
  return { name: nftName(name), ...commentOf(options.comment) };
}

export interface SetDeclaration {
  readonly key: Datatype | readonly Datatype[];
  readonly flags?: readonly SetFlag[];
  /** Of dynamic sets 65,535 if absent. */
  readonly size?: number;
  /** Milliseconds. */
  readonly timeout?: number;
  readonly typeof?: readonly TypeofExpression[];
  readonly comment?: string;
  readonly elements?: readonly Element[];
}

export interface MapDeclaration extends SetDeclaration {
  readonly data: 'verdict' | Datatype | readonly Datatype[];
}

export function set(name: string, declaration: SetDeclaration): NftSet {
  return makeSet(name, { key: list(declaration.key) }, declaration);
}

export function map(name: string, declaration: MapDeclaration): NftSet {
  const data = declaration.data === 'verdict' ? declaration.data : list<Datatype>(declaration.data);
  return makeSet(name, { key: list(declaration.key), data }, declaration);
}

/** What the kernel makes of no size as soon as a rule fills the set (nft_dynset_init). */
const dynamicSize = 0xffff;

/** Flags in the kernel's order: equal sets have equal lists. */
const flagOrder: readonly SetFlag[] = ['constant', 'interval', 'timeout', 'dynamic'];

function makeSet(name: string, type: SetType, declaration: SetDeclaration): NftSet {
  const { timeout, elements = [] } = declaration;
  const wanted = new Set(declaration.flags);
  const size = declaration.size ?? (wanted.has('dynamic') ? dynamicSize : undefined);
  if (timeout !== undefined || elements.some((one) => one.timeout !== undefined)) wanted.add('timeout');
  // A rule would have to turn the value round before it looks (byteorder); nothing of ours needs that.
  if (wanted.has('interval') && type.key.some((one) => typeInfo(one).order === 'host'))
    throw new TypeError(
      `Cannot declare set "${name}": intervals of ${type.key.map(typeName).join(' . ')} are not supported`,
    );
  const fieldCount =
    type.key.length + (type.data === undefined || type.data === 'verdict' ? 0 : type.data.length);
  if (declaration.typeof !== undefined && declaration.typeof.length !== fieldCount)
    throw new TypeError(`Cannot declare set "${name}": typeof must name all ${fieldCount} fields`);
  return {
    name: nftName(name),
    ...type,
    ...(declaration.typeof === undefined ? {} : { typeof: declaration.typeof }),
    flags: flagOrder.filter((flag) => wanted.has(flag)),
    ...(size === undefined ? {} : { size }),
    ...(timeout === undefined ? {} : { timeout: BigInt(timeout) }),
    ...commentOf(declaration.comment),
    elements: elementsOf(type, elements),
  };
}

/** Elements keyed, each in its one form. Throws TypeError for a key that is there twice. */
export function elementsOf(type: SetType, elements: readonly Element[]): ReadonlyMap<string, Element> {
  const keyed = new Map<string, Element>();
  for (const one of elements) {
    const normal = normalElement(type, one);
    const key = elementKey(type, normal);
    if (keyed.has(key)) throw new TypeError(`Cannot declare element "${key}" twice`);
    keyed.set(key, normal);
  }
  return keyed;
}

/** What tells an element from the others of its set. */
export function elementKey(type: SetType, element: Element): string {
  return keyText(type.key, element.key);
}

/** `element([address, protocol.tcp, 80])` of a set; with `data` of a map: a verdict, or a list of values. */
export function element(
  key: readonly KeyPart[] | KeyPart | 'default',
  options: {
    readonly data?: Verdict | readonly FieldValue[];
    readonly timeout?: number;
    readonly comment?: string;
  } = {},
): Element {
  return {
    key: key === 'default' ? key : list(key),
    ...(options.data === undefined ? {} : { data: options.data }),
    ...(options.timeout === undefined ? {} : { timeout: BigInt(options.timeout) }),
    ...commentOf(options.comment),
  };
}

/** `{ 80, 443 }` inside a rule. */
export function anonymousSet(
  key: Datatype | readonly Datatype[],
  elements: readonly Element[],
): AnonymousSet {
  return setReference({ key: list(key) }, elements);
}

/** `{ 0 : goto a, 1 : goto b }` inside a rule. */
export function anonymousMap(
  types: { readonly key: Datatype | readonly Datatype[]; readonly data: MapDeclaration['data'] },
  elements: readonly Element[],
): AnonymousSet {
  const data = types.data === 'verdict' ? types.data : list<Datatype>(types.data);
  return setReference({ key: list(types.key), data }, elements);
}

function list<T>(one: T | readonly T[]): readonly T[] {
  // Array.isArray does not narrow readonly arrays away from T.
  return Array.isArray(one) ? (one as readonly T[]) : [one as T];
}
