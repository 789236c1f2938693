// From the chains that are there to those that are wanted, as text for iptables-restore --noflush: whole chains, or the lines of one
// pod. Pure.
import type { IptablesTable } from '../../../kernel/iptables/save-text.ts';
import {
  emptyChains,
  holderOf,
  linesOf,
  type OwnTable,
  type PodChain,
  type PodLine,
  plain,
} from './iptables-rules.ts';

/** What is there, by table; a table that was not read has nothing of ours. */
export type SavedTables = ReadonlyMap<OwnTable, IptablesTable>;

/** Undefined: nothing to do. Each table is one transaction. */
export type RestoreText = string | undefined;

/** Makes the chains exactly as wanted; those without lines go. */
export function wholeChains(wanted: readonly PodChain[], saved: SavedTables): RestoreText {
  return text(
    wanted.map((chain) => ({ table: chain.table, lines: wholeChain(chain, saved.get(chain.table)) })),
  );
}

interface TableLines {
  readonly table: OwnTable;
  readonly lines: readonly string[];
}

function text(parts: readonly TableLines[]): RestoreText {
  const blocks = (['raw', 'nat'] as const).flatMap((table) => {
    const lines = parts.filter((part) => part.table === table).flatMap((part) => part.lines);
    return lines.length === 0 ? [] : [`*${table}`, ...lines, 'COMMIT'];
  });
  return blocks.length === 0 ? undefined : `${blocks.join('\n')}\n`;
}

function wholeChain(wanted: PodChain, saved: IptablesTable | undefined): readonly string[] {
  const { chain, first, rest, jumps } = wanted;
  const present = saved?.chains.has(chain) ?? false;
  const { missing, extra } = jumpChanges(wanted, saved);
  const removals = extra.map(asDelete);
  if (rest.length === 0 && jumps.length === 0)
    // A declared chain is emptied, so it can be deleted in the same transaction.
    return present || removals.length > 0 ? [`:${chain} - [0:0]`, ...removals, `-X ${chain}`] : [];
  if (present && sameLines(wanted, linesOf(saved, chain))) return [...removals, ...missing];
  return [`:${chain} - [0:0]`, ...first, ...rest, ...removals, ...missing];
}

function jumpChanges(
  { chain, jumps }: PodChain,
  saved: IptablesTable | undefined,
): { readonly missing: readonly string[]; readonly extra: readonly string[] } {
  const leading = saved?.rules.filter((line) => line.endsWith(` -j ${chain}`)) ?? [];
  const left = [...leading];
  const missing: string[] = [];
  for (const jump of jumps) {
    const at = left.findIndex((line) => plain(line) === plain(jump));
    if (at < 0) missing.push(jump);
    else left.splice(at, 1);
  }
  return { missing, extra: left };
}

function asDelete(line: string): string {
  return `-D ${line.slice('-A '.length)}`;
}

/** The order within `first` and within `rest` is that in which pods came. */
function sameLines({ first, rest }: PodChain, there: readonly string[]): boolean {
  const sorted = (lines: readonly string[]) => lines.map(plain).sort().join('\n');
  return (
    there.length === first.length + rest.length &&
    sorted(there.slice(0, first.length)) === sorted(first) &&
    sorted(there.slice(first.length)) === sorted(rest)
  );
}

/** Adds the lines of one pod to what is there, and takes away lines with its name that it has no more. */
export function withPodLines(
  lines: readonly PodLine[],
  options: { readonly family: 4 | 6; readonly holder: string; readonly saved: SavedTables },
): RestoreText {
  const { family, holder, saved } = options;
  return text(
    emptyChains(family).map((chain) => {
      const mine = lines.filter((line) => line.chain === chain.chain);
      const there = linesOf(saved.get(chain.table), chain.chain);
      return { table: chain.table, lines: podChange(chain, { mine, there, holder, saved }) };
    }),
  );
}

function podChange(
  chain: PodChain,
  change: {
    readonly mine: readonly PodLine[];
    readonly there: readonly string[];
    readonly holder: string;
    readonly saved: SavedTables;
  },
): readonly string[] {
  const { mine, there, holder, saved } = change;
  const present = new Set(there.map(plain));
  const wanted = new Set(mine.map(({ line }) => plain(line)));
  const stale = there.filter((line) => holderOf(line) === holder && !wanted.has(plain(line))).map(asDelete);
  if (mine.length === 0) return stale;
  const table = saved.get(chain.table);
  const { missing } = jumpChanges(chain, table);
  const made = table?.chains.has(chain.chain) === true ? [] : [`:${chain.chain} - [0:0]`, ...chain.first];
  const added = mine
    .filter(({ line }) => !present.has(plain(line)))
    .map(({ place, line }) => (place === 'first' ? `-I ${line.slice('-A '.length)}` : line));
  return [...stale, ...made, ...added, ...missing];
}

/** Takes away every line with the attachment's name. */
export function withoutPodLines(holder: string, saved: SavedTables): RestoreText {
  return text(
    [...saved].map(([table, { rules }]) => ({
      table,
      lines: emptyChains(4)
        .filter((chain) => chain.table === table)
        .flatMap(({ chain }) => rules.filter((line) => line.startsWith(`-A ${chain} `)))
        .filter((line) => holderOf(line) === holder)
        .map(asDelete),
    })),
  );
}
