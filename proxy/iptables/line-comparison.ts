// Compares lines of chains in whatever spelling, and remembers by a digest which texts it found to be the same: a look that finds nothing
// new does not read every line again.
import { hash } from 'node:crypto';
import { normalRule } from './normal-rule.ts';

export interface WantedLines {
  readonly lines: readonly string[];
  /** Last lines of a chain whose other lines may stand in any order. Undefined: the order counts. */
  readonly tail?: readonly string[] | undefined;
}

export class LineComparison {
  /** What the last look and this one found right, by the chain's key. */
  #before = new Map<string, string>();
  #seen = new Map<string, string>();

  /** To be called before each look. */
  begin(): void {
    this.#before = this.#seen;
    this.#seen = new Map();
  }

  /** `key` names the chain. */
  same(key: string, actual: readonly string[] | undefined, wanted: WantedLines): boolean {
    const tail = wanted.tail ?? [];
    if (actual?.length !== wanted.lines.length + tail.length) return false;
    const digest = hash('sha1', [...actual, '', ...wanted.lines, ...tail].join('\n'), 'base64');
    if (this.#before.get(key) !== digest && !compare(actual, wanted)) return false;
    this.#seen.set(key, digest);
    return true;
  }
}

function compare(actual: readonly string[], { lines, tail }: WantedLines): boolean {
  if (tail === undefined)
    return lines.every((line, i) => actual[i] === line || normalRule(actual[i] ?? '') === normalRule(line));
  return sameSorted(actual.slice(0, lines.length), lines) && sameSorted(actual.slice(lines.length), tail);
}

function sameSorted(left: readonly string[], right: readonly string[]): boolean {
  const a = left.map(normalRule).sort();
  const b = right.map(normalRule).sort();
  return a.every((rule, i) => rule === b[i]);
}
