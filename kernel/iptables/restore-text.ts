// Reads text in iptables-restore's format: tables' blocks, each a list of commands. Carrying them out is fake-table.ts.
import type { Family } from '../../net/address.ts';
import type { Rule } from './rule.ts';
import { parseRule } from './rule-parse.ts';
import { readNumber, splitWords } from './words.ts';

export type RestoreCommand =
  /** ":CHAIN POLICY": makes or empties it; a built-in one takes the policy, unless it is "-". */
  | { readonly kind: 'declare'; readonly chain: string; readonly policy: string }
  | { readonly kind: 'policy'; readonly chain: string; readonly policy: string }
  | { readonly kind: 'new'; readonly chain: string }
  | { readonly kind: 'append'; readonly chain: string; readonly rule: Rule }
  /** Numbers count from 1. */
  | { readonly kind: 'insert'; readonly chain: string; readonly rule: Rule; readonly number: number }
  | { readonly kind: 'delete'; readonly chain: string; readonly rule: Rule | number }
  /** Without a chain: all. */
  | { readonly kind: 'flush' | 'remove'; readonly chain: string | undefined };

export type RestoreStep =
  | { readonly kind: 'table'; readonly table: string }
  | { readonly kind: 'commit' }
  | { readonly kind: 'command'; readonly command: RestoreCommand };

/** What one line says; undefined for blank lines and comments. Throws SyntaxError. */
export function parseRestoreLine(line: string, family: Family): RestoreStep | undefined {
  if (line.trim() === '' || line.startsWith('#')) return undefined;
  if (line.startsWith('*')) return { kind: 'table', table: line.slice(1).trim() };
  if (line.trim() === 'COMMIT') return { kind: 'commit' };
  const command = line.startsWith(':') ? declaration(line) : ruleCommand(splitWords(line), family);
  return { kind: 'command', command };
}

function declaration(line: string): RestoreCommand {
  const [, chain, policy] = /^:(\S+)\s+(ACCEPT|DROP|-)(?:\s+\[\d+:\d+\])?\s*$/.exec(line) ?? [];
  if (chain === undefined || policy === undefined)
    throw new SyntaxError(`Cannot read "${line}": want ":CHAIN POLICY [PACKETS:BYTES]"`);
  return { kind: 'declare', chain, policy };
}

function ruleCommand(given: readonly string[], family: Family): RestoreCommand {
  // Counts before a rule are iptables-restore --counters'.
  const words = /^\[\d+:\d+\]$/.test(given[0] ?? '') ? given.slice(1) : given;
  const [verb = '', chain, ...rest] = words;
  const [first = ''] = rest;
  const single = rest.length === 1 && /^\d+$/.test(first);
  switch (verb) {
    case '-A':
      return { kind: 'append', chain: named(verb, chain), rule: parseRule(rest, family) };
    case '-I':
      return /^\d+$/.test(first)
        ? {
            kind: 'insert',
            chain: named(verb, chain),
            rule: parseRule(rest.slice(1), family),
            number: place(first),
          }
        : { kind: 'insert', chain: named(verb, chain), rule: parseRule(rest, family), number: 1 };
    case '-D':
      return {
        kind: 'delete',
        chain: named(verb, chain),
        rule: single ? place(first) : parseRule(rest, family),
      };
    case '-N':
      return { kind: 'new', chain: alone(verb, { chain, rest }) };
    case '-P':
      if (first !== 'ACCEPT' && first !== 'DROP') throw new SyntaxError(`Cannot use policy "${first}"`);
      return { kind: 'policy', chain: alone(verb, { chain, rest: rest.slice(1) }), policy: first };
    case '-F':
    case '-X':
      return {
        kind: verb === '-F' ? 'flush' : 'remove',
        chain: chain === undefined ? undefined : alone(verb, { chain, rest }),
      };
    default:
      throw new SyntaxError(`Cannot understand "${verb}"`);
  }
}

function named(verb: string, chain: string | undefined): string {
  if (chain === undefined) throw new SyntaxError(`Cannot use ${verb} without a chain`);
  return chain;
}

function alone(
  verb: string,
  { chain, rest }: { readonly chain: string | undefined; readonly rest: readonly string[] },
): string {
  if (rest.length > 0) throw new SyntaxError(`Cannot understand "${rest[0]}" after ${verb}`);
  return named(verb, chain);
}

function place(text: string): number {
  const number = readNumber(text);
  if (number === 0) throw new SyntaxError('Cannot use "0" as a rule\'s number: the first is 1');
  return number;
}
