// Steps as the `nft` commands that would do the same: for `netloom diff` and for errors.

import { chainBaseText } from './chain-text.ts';
import { type Chain, type NftFamily, tableKey } from './objects.ts';
import { ruleText } from './rule-text.ts';
import { elementText, setBody } from './set-text.ts';
import type { NftStep, StepSet } from './step.ts';
import { keyText, quoted } from './value-text.ts';

/** The verb of an error about the step: "add element". */
export function stepOperation(step: NftStep): string {
  switch (step.kind) {
    case 'chain-policy':
      return 'set policy of chain';
    case 'chain-flush':
      return 'flush chain';
    default: {
      const [object, verb] = step.kind.split('-');
      return `${verb} ${object}`;
    }
  }
}

/** What the step acts on, short: "ip netloom svc 10.0.0.1 . tcp . 80". */
export function stepObject(step: NftStep): string {
  const table = tableKey(step.table);
  switch (step.kind) {
    case 'table-add':
    case 'table-delete':
      return table;
    case 'counter-add':
    case 'counter-delete':
      return `${table} ${step.counter.name}`;
    case 'set-add':
    case 'set-delete':
      return `${table} ${step.set.name}`;
    case 'element-add':
    case 'element-delete':
      return `${table} ${step.set.name} ${keyText(step.set.key, step.element.key)}`;
    case 'chain-add':
    case 'chain-policy':
    case 'chain-delete':
    case 'chain-flush':
      return `${table} ${step.chain.name}`;
    case 'rule-add':
      return `${table} ${step.rule.chain}: ${ruleText(step.rule, step.table.family)}`;
    default:
      return step satisfies never;
  }
}

/** The step as an `nft` command. */
export function stepText(step: NftStep): string {
  const table = tableKey(step.table);
  switch (step.kind) {
    case 'table-add':
      return `add table ${table}${block(commentLines(step.table.comment))}`;
    case 'table-delete':
      return `delete table ${table}`;
    case 'counter-add':
      return `add counter ${table} ${step.counter.name}${block(commentLines(step.counter.comment))}`;
    case 'counter-delete':
      return `delete counter ${table} ${step.counter.name}`;
    case 'set-add':
      return `add ${setWord(step.set)} ${table} ${step.set.name}${block(setBody({ ...step.set, elements: new Map() }))}`;
    case 'set-delete':
      return `delete ${setWord(step.set)} ${table} ${step.set.name}`;
    case 'element-add':
      return `add element ${table} ${step.set.name} { ${elementText(step.set, step.element)} }`;
    case 'element-delete':
      return `delete element ${table} ${step.set.name} { ${keyText(step.set.key, step.element.key)} }`;
    case 'chain-add':
      return `add chain ${table} ${step.chain.name}${block(chainLines(step.table.family, step.chain))}`;
    case 'chain-policy':
      return `add chain ${table} ${step.chain.name} { policy ${step.chain.base?.policy ?? 'accept'}; }`;
    case 'chain-delete':
      return `delete chain ${table} ${step.chain.name}`;
    case 'chain-flush':
      return `flush chain ${table} ${step.chain.name}`;
    case 'rule-add':
      return `add rule ${table} ${step.rule.chain} ${ruleText(step.rule, step.table.family)}`;
    default:
      return step satisfies never;
  }
}

function setWord(set: StepSet): string {
  return set.data === undefined ? 'set' : 'map';
}

function chainLines(family: NftFamily, chain: Chain): readonly string[] {
  return [
    ...(chain.base === undefined ? [] : [chainBaseText(family, chain.base)]),
    ...commentLines(chain.comment),
  ];
}

function commentLines(comment: string | undefined): readonly string[] {
  return comment === undefined ? [] : [`comment ${quoted(comment)}`];
}

function block(lines: readonly string[]): string {
  if (lines.length === 0) return '';
  return ` { ${lines.map((line) => (line.endsWith(';') ? line : `${line};`)).join(' ')} }`;
}
