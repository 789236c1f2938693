// iptables in memory: both families' tables behind the driver's interface, refusing what the programs refuse and printing what they
// print, and packets that can be walked through what it holds. Passes the same suite as the programs.
import type { Family } from '../../net/address.ts';
import { ProgramError } from '../exec.ts';
import type { HookPart } from '../hook-part.ts';
import type { SetQuestion } from '../ipset/ask-set.ts';
import type { Evaluation } from '../nft/evaluate.ts';
import type { Packet } from '../nft/packet.ts';
import { type IptablesTableName, isTableName } from './builtin-chains.ts';
import type { IptablesAccess } from './driver.ts';
import { evaluate } from './evaluate.ts';
import { FakeTable } from './fake-table.ts';
import type { IptablesSurroundings } from './match-packet.ts';
import { RecentLists } from './recent-lists.ts';
import { parseRestoreLine, type RestoreCommand } from './restore-text.ts';
import type { Match } from './rule.ts';
import { type TableChange, TableRefusal } from './table-change.ts';

/** One call of restore that was carried out, or refused. */
export interface FakeRestore {
  readonly family: Family;
  readonly text: string;
  /** Commands in it: neither tables, COMMIT, comments nor blank lines. */
  readonly lines: number;
  readonly done: boolean;
}

type Tables = Readonly<Record<IptablesTableName, FakeTable>>;

/** The sets that rules may ask: FakeIpsetKernel is one. */
export interface AskedSets {
  /** Of which family's packets the set can be asked; undefined when there is none of that name. */
  familyOf(name: string): Family | 'any' | undefined;
  has(name: string, question: SetQuestion): boolean;
}

export interface FakeIptablesOptions {
  /** A rule that asks for another set is refused; so is any that asks for one, where this is not given. */
  readonly sets?: AskedSets | undefined;
}

/** Several accesses of one kernel see each other's changes. */
export class FakeIptablesKernel {
  readonly #families: Readonly<Record<Family, Tables>>;
  readonly #recent: RecentLists;
  readonly #restores: FakeRestore[] = [];
  readonly #sets: AskedSets | undefined;
  #saves = 0;
  #generation = 1;
  /** Counted once for each generation. */
  #asking: { readonly generation: number; readonly counts: ReadonlyMap<string, number> } | undefined;
  #refusal: string | undefined;

  constructor({ sets }: FakeIptablesOptions = {}, from?: FakeIptablesKernel) {
    this.#sets = sets;
    const before = from === undefined ? undefined : from.#families;
    this.#families = { 4: copyTables(before?.[4]), 6: copyTables(before?.[6]) };
    this.#recent = from === undefined ? new RecentLists() : from.#recent.copy();
  }

  /** Another kernel with the same tables and lists, which change of their own. */
  fork(options: FakeIptablesOptions = { sets: this.#sets }): FakeIptablesKernel {
    return new FakeIptablesKernel(options, this);
  }

  access(family: Family): IptablesAccess {
    return {
      family,
      save: async (table, options) => {
        options?.signal?.throwIfAborted();
        this.#saves += 1;
        return tableOf(this.#families[family], { name: table, program: programName(family, 'save') }).save();
      },
      restore: async (text, options) => {
        options?.signal?.throwIfAborted();
        this.#restore(text, family);
      },
    };
  }

  /** All that restore was given, in order. */
  get restores(): readonly FakeRestore[] {
    return this.#restores;
  }

  get saves(): number {
    return this.#saves;
  }

  /** Grows with each block that was committed, as that of nf_tables does under iptables-nft. */
  get generation(): number {
    return this.#generation;
  }

  /** Addresses that a list of match recent has, the oldest first. */
  recentAddresses(list: string): readonly string[] {
    return this.#recent.addresses(list);
  }

  /** The next restore fails with these words, and changes nothing. */
  refuseNext(words: string): void {
    this.#refusal = words;
  }

  /** Walks a packet through its hook, or a part of it; what rules add to recent lists stays. */
  evaluate(
    packet: Packet,
    surroundings: IptablesSurroundings & { readonly part?: HookPart | undefined } = {},
  ): Evaluation {
    const tables = this.#families[packet.saddr.family];
    const state = {
      raw: tables.raw.chains,
      mangle: tables.mangle.chains,
      nat: tables.nat.chains,
      filter: tables.filter.chains,
    };
    const sets = this.#sets;
    return evaluate(state, packet, {
      ...(sets === undefined ? {} : { inSet: (name, question) => sets.has(name, question) }),
      ...surroundings,
      recent: (lookup) => this.#recent.look(lookup),
    });
  }

  #restore(text: string, family: Family): void {
    const lines = text.split('\n');
    const commands = lines.filter((line) => !/^(\s*$|#|\*|COMMIT)/.test(line)).length;
    const note = (done: boolean) => this.#restores.push({ family, text, lines: commands, done });
    try {
      this.#run(lines, family);
    } catch (error) {
      note(false);
      throw error;
    }
    note(true);
  }

  #run(lines: readonly string[], family: Family): void {
    const program = programName(family, 'restore');
    const refusal = this.#refusal;
    this.#refusal = undefined;
    if (refusal !== undefined) throw refused(program, refusal);
    let open: TableChange | undefined;
    for (const [index, line] of lines.entries()) {
      try {
        open = this.#line(line, { open, family });
      } catch (error) {
        // Anything else is a fault of the fake.
        if (!(error instanceof TableRefusal || error instanceof SyntaxError)) throw error;
        const words = `line ${index + 1} failed: ${error.message} (line ${index + 1} is "${line}")`;
        throw refused(program, words, error);
      }
    }
    if (open !== undefined) throw refused(program, `COMMIT expected at line ${lines.length}`);
  }

  /** The change that is open after the line. */
  #line(
    line: string,
    { open, family }: { readonly open: TableChange | undefined; readonly family: Family },
  ): TableChange | undefined {
    const step = parseRestoreLine(line, family);
    if (step === undefined) return open;
    if (step.kind === 'table') {
      if (open !== undefined) throw new TableRefusal('COMMIT expected');
      if (!isTableName(step.table)) throw new TableRefusal(`table name '${step.table}' invalid`);
      return this.#families[family][step.table].begin();
    }
    if (open === undefined) throw new TableRefusal('no table was named');
    if (step.kind === 'command') {
      this.#refuseUnknownSets(step.command, family);
      open.run(step.command);
      return open;
    }
    open.commit();
    this.#generation += 1;
    this.#forgetUnnamedLists();
    return undefined;
  }

  /** The programs look a set up while they read, whatever the command. */
  #refuseUnknownSets(command: RestoreCommand, family: Family): void {
    if (!('rule' in command) || typeof command.rule === 'number') return;
    for (const match of command.rule.matches) {
      if (match.kind !== 'set') continue;
      const of = this.#sets?.familyOf(match.name);
      if (of === undefined) throw new TableRefusal(`Set ${match.name} doesn't exist.`);
      if (of !== 'any' && of !== family)
        throw new TableRefusal(
          `The protocol family of set ${match.name} is IPv${of}, which is not applicable.`,
        );
    }
  }

  /** How often rules ask for a set: what FakeIpsetKernel wants to know before it destroys one. */
  asking(set: string): number {
    if (this.#asking?.generation !== this.#generation) {
      const counts = new Map<string, number>();
      for (const match of this.#matches())
        if (match.kind === 'set') counts.set(match.name, (counts.get(match.name) ?? 0) + 1);
      this.#asking = { generation: this.#generation, counts };
    }
    return this.#asking.counts.get(set) ?? 0;
  }

  #forgetUnnamedLists(): void {
    if (this.#recent.isEmpty) return;
    const names = this.#matches().flatMap((match) => (match.kind === 'recent' ? [match.list] : []));
    this.#recent.keep(new Set(names));
  }

  #matches(): readonly Match[] {
    return Object.values(this.#families)
      .flatMap((tables) => Object.values(tables))
      .flatMap(({ chains }) =>
        [...chains.values()].flatMap(({ rules }) => rules.flatMap(({ matches }) => matches)),
      );
  }
}

function copyTables(from: Tables | undefined): Tables {
  const copy = (name: IptablesTableName) => from?.[name].copy() ?? new FakeTable(name);
  return { raw: copy('raw'), mangle: copy('mangle'), nat: copy('nat'), filter: copy('filter') };
}

function tableOf(
  tables: Tables,
  { name, program }: { readonly name: string; readonly program: string },
): FakeTable {
  if (!isTableName(name)) throw refused(program, `table '${name}' does not exist`);
  return tables[name];
}

function programName(family: Family, verb: 'save' | 'restore'): string {
  return `${family === 4 ? 'iptables' : 'ip6tables'}-${verb}`;
}

function refused(program: string, words: string, cause?: unknown): ProgramError {
  const stderr = `${program}: ${words}\n`;
  return new ProgramError(`Cannot run "${program}": exit code 1: ${stderr.trim()}`, {
    program,
    exitCode: 1,
    stderr,
    cause,
  });
}
