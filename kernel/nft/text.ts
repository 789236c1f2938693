// Whole tables as `nft list table` prints them, which is also what `nft -f` reads.
import { chainBaseText } from './chain-text.ts';
import { type Chain, type Counter, type NftState, type Table, tableKey } from './objects.ts';
import { ruleText } from './rule-text.ts';
import type { NftSet } from './set.ts';
import { setBody } from './set-text.ts';
import { quoted } from './value-text.ts';

/** All tables, as `nft list ruleset`. */
export function rulesetText(state: NftState): string {
  return [...state.values()].map(tableText).join('');
}

/** One table, with the newline at its end. */
export function tableText(table: Table): string {
  const blocks = [
    ...[...table.counters.values()].map(counterText),
    ...[...table.sets.values()].map(setText),
    ...[...table.chains.values()].map((chain) => chainText(table, chain)),
  ];
  const head = [
    ...(table.comment === undefined ? [] : [`\tcomment ${quoted(table.comment)}\n`]),
    ...(table.dormant === true ? ['\tflags dormant\n'] : []),
  ].join('');
  // A comment and the first block stand together, blocks stand apart.
  return `table ${tableKey(table)} {\n${head}${blocks.join('\n')}}\n`;
}

function block(head: string, lines: readonly string[]): string {
  return `\t${head} {\n${lines.map((line) => `\t\t${line}\n`).join('')}\t}\n`;
}

function commentLines(comment: string | undefined): readonly string[] {
  return comment === undefined ? [] : [`comment ${quoted(comment)}`];
}

function counterText(counter: Counter): string {
  const counts = `packets ${counter.packets ?? 0n} bytes ${counter.bytes ?? 0n}`;
  return block(`counter ${counter.name}`, [...commentLines(counter.comment), counts]);
}

function setText(set: NftSet): string {
  return block(`${set.data === undefined ? 'set' : 'map'} ${set.name}`, setBody(set));
}

function chainText(table: Table, chain: Chain): string {
  return block(`chain ${chain.name}`, [
    ...commentLines(chain.comment),
    ...(chain.base === undefined ? [] : [chainBaseText(table.family, chain.base)]),
    ...(table.rules.get(chain.name) ?? []).map((rule) => ruleText(rule, table.family)),
  ]);
}
