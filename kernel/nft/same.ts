// Whether two objects are the same to the kernel: handles, counts and the order of anonymous elements do not matter.
import { writeExpressions } from './expression-write.ts';
import type { Chain, Counter, Rule, Table } from './objects.ts';
import type { AnonymousSet, Element, NftSet, SetType } from './set.ts';
import { anonymousText, elementText, setBody } from './set-text.ts';

/** Equal for rules that do the same; counts and handles are left out. */
export function ruleSignature(rule: Rule): string {
  const anonymous: string[] = [];
  const bytes = writeExpressions(rule.expressions, (set) => {
    anonymous.push(anonymousSignature(set));
    return { name: '', id: 0 };
  });
  return JSON.stringify([Buffer.from(bytes).toString('latin1'), rule.comment, anonymous]);
}

function anonymousSignature(set: AnonymousSet): string {
  return JSON.stringify([set.key, set.data, set.flags, anonymousText(set)]);
}

export function sameRules(a: readonly Rule[] = [], b: readonly Rule[] = []): boolean {
  return a.length === b.length && a.every((rule, i) => ruleSignature(rule) === signatureAt(b, i));
}

function signatureAt(rules: readonly Rule[], index: number): string | undefined {
  const rule = rules[index];
  return rule === undefined ? undefined : ruleSignature(rule);
}

/** Everything but the elements: a set of other properties must be made anew. */
export function sameSet(a: NftSet, b: NftSet): boolean {
  const properties = (set: NftSet) =>
    JSON.stringify([set.key, set.data, setBody({ ...set, elements: new Map() }), set.size, set.flags]);
  return a === b || properties(a) === properties(b);
}

export function sameElement(type: SetType, a: Element, b: Element): boolean {
  return a === b || elementText(type, a) === elementText(type, b);
}

export function sameCounter(a: Counter, b: Counter): boolean {
  return a.comment === b.comment;
}

/** Whether a chain can stay: its policy may still differ. */
export function sameChain(a: Chain, b: Chain): boolean {
  const properties = ({ base, comment }: Chain) =>
    JSON.stringify([comment, base?.type, base?.hook, base?.priority, base?.devices ?? []]);
  return properties(a) === properties(b);
}

export function sameTable(a: Table, b: Table): boolean {
  return a.comment === b.comment && (a.dormant ?? false) === (b.dormant ?? false);
}
