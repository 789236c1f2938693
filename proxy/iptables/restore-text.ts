// Steps as text for `iptables-restore --noflush`. Within a table: all chains first, so that lines may lead to any of them; chains are
// deleted last. A table is one transaction.
import type { TableName } from './place.ts';
import type { RuleStep } from './rule-step.ts';

export interface RestoreText {
  readonly text: string;
  readonly tables: readonly TableName[];
  /** Without those that only open and close a table. */
  readonly lines: number;
  /** Key of the service port that a line is for, by its number from 1 on. */
  readonly portAt: (line: number) => string | undefined;
}

/** What is refused is known before anything leads to it. */
const tableOrder: readonly TableName[] = ['filter', 'nat', 'mangle'];

export function restoreText(steps: readonly RuleStep[]): RestoreText {
  const out: string[] = [];
  const owners: (string | undefined)[] = [];
  const put = (line: string, port?: string) => {
    out.push(line);
    owners.push(port);
  };
  const tables = tableOrder.filter((table) => steps.some((step) => step.table === table));
  for (const table of tables) {
    put(`*${table}`);
    const here = steps.filter((step) => step.table === table);
    for (const pass of [declare, fill, remove, insert, drop]) for (const step of here) pass(step, put);
    put('COMMIT');
  }
  return {
    text: out.length === 0 ? '' : `${out.join('\n')}\n`,
    tables,
    lines: out.length - 2 * tables.length,
    portAt: (line) => owners[line - 1],
  };
}

type Put = (line: string, port?: string) => void;

/** A chain that is declared is emptied as well, which deleting needs too. */
function declare(step: RuleStep, put: Put): void {
  if (step.kind === 'chain-write' || step.kind === 'chain-delete') put(`:${step.chain} - [0:0]`, step.port);
}

function fill(step: RuleStep, put: Put): void {
  if (step.kind === 'chain-write') for (const line of step.lines) put(`-A ${step.chain} ${line}`, step.port);
}

function remove(step: RuleStep, put: Put): void {
  if (step.kind === 'line-remove') put(`-D ${step.chain} ${step.line}`, step.port);
}

function insert(step: RuleStep, put: Put): void {
  if (step.kind === 'line-insert') put(`-I ${step.chain} ${step.line}`, step.port);
}

function drop(step: RuleStep, put: Put): void {
  if (step.kind === 'chain-delete') put(`-X ${step.chain}`, step.port);
}
