// Which entries the sets of one family should have, by the ports that want them, and the steps there. Several ports may want one entry.
import {
  entryText,
  type Ipset,
  type IpsetAccess,
  type IpsetEntry,
  type IpsetHeader,
  type IpsetStep,
  ipsetEntries,
} from '../../kernel/ipset/objects.ts';
import { planIpsets, spareSet } from '../../kernel/ipset/plan.ts';
import type { Family } from '../../net/address.ts';
import type { PortEntry } from './port-entries.ts';
import { nameOfSet, type SetName, setNames, setOf } from './set-names.ts';
import { givingWay, inSlices, type SliceOptions } from './slices.ts';

const stepsAtOnce = 2000;

/** A set that others cleared is seen by looking at its entries: of small sets only, the others wait for the next look at everything. */
const mostLookedAt = 256;
const setsLookedAt = 5;

interface KnownSet {
  readonly header: IpsetHeader;
  readonly entries: Map<string, IpsetEntry>;
}

/** Entries that ports begin or cease to want, by text. */
export type TouchedEntries = Map<SetName, Set<string>>;

export interface EntryFailure {
  readonly set: SetName;
  readonly text: string;
  readonly error: Error;
}

export interface SetsDone {
  readonly changes: number;
  readonly failures: readonly EntryFailure[];
}

interface Wanted {
  readonly entry: IpsetEntry;
  ports: number;
}

export class SetKeeper {
  readonly #ipset: IpsetAccess;
  readonly #family: Family;
  readonly #known = new Map<SetName, KnownSet>();
  readonly #wanted = new Map<SetName, Map<string, Wanted>>(setNames.map((name) => [name, new Map()]));
  readonly #byPort = new Map<string, readonly PortEntry[]>();
  #nextLook = 0;

  constructor(ipset: IpsetAccess, family: Family) {
    this.#ipset = ipset;
    this.#family = family;
  }

  async read(options: SliceOptions): Promise<void> {
    this.#known.clear();
    const headers = new Map(this.#ipset.headers().map((header) => [header.name, header]));
    for (const name of setNames) {
      const header = headers.get(nameOfSet(name, this.#family));
      if (header === undefined) continue;
      const entries = new Map<string, IpsetEntry>();
      // Of another type: it is made anew.
      if (header.type === setOf(name, this.#family).type) {
        for (const slice of this.#ipset.entrySlices(header.name)) {
          for (const [text, entry] of ipsetEntries(slice)) entries.set(text, entry);
          if (entries.size > mostLookedAt) await givingWay(options);
        }
      }
      this.#known.set(name, { header, entries });
    }
  }

  /** All that there is and should be. */
  all(): TouchedEntries {
    return new Map(
      setNames.map((name) => [
        name,
        new Set([...(this.#known.get(name)?.entries.keys() ?? []), ...this.#of(name).keys()]),
      ]),
    );
  }

  /** What a port wants from now on; adds what this may concern to `touched`. */
  claim(port: string, entries: readonly PortEntry[] | undefined, touched: TouchedEntries): void {
    const note = (set: SetName, text: string) => {
      const texts = touched.get(set);
      if (texts === undefined) touched.set(set, new Set([text]));
      else texts.add(text);
    };
    // Those that stay are counted twice for a moment, not lost.
    for (const { set, entry } of entries ?? []) {
      const text = entryText(entry);
      const found = this.#of(set).get(text);
      if (found === undefined) this.#of(set).set(text, { entry, ports: 1 });
      else found.ports += 1;
      note(set, text);
    }
    for (const { set, entry } of this.#byPort.get(port) ?? []) {
      const text = entryText(entry);
      const found = this.#of(set).get(text);
      if (found !== undefined && --found.ports === 0) this.#of(set).delete(text);
      note(set, text);
    }
    if (entries === undefined || entries.length === 0) this.#byPort.delete(port);
    else this.#byPort.set(port, entries);
  }

  /**
   * Makes the sets that are missing or others than wanted. `free` takes away the rules that ask a set of another type, which cannot be
   * destroyed until then.
   */
  async prepare({ free }: { readonly free: () => Promise<void> }): Promise<number> {
    const isWrong = ({ header }: KnownSet, set: Ipset) =>
      header.type !== set.type || header.family !== familyNumber(set);
    const sets = setNames.map((name) => ({
      name,
      set: setOf(name, this.#family),
      known: this.#known.get(name),
    }));
    const wrong = sets.filter(({ set, known }) => known !== undefined && isWrong(known, set));
    if (wrong.some(({ known }) => (known?.header.references ?? 0) > 0)) await free();
    let changes = 0;
    for (const { name, set } of wrong) {
      changes += this.#must([{ kind: 'set-destroy', name: set.name }]);
      this.#known.delete(name);
    }
    for (const { name } of sets) {
      const known = this.#known.get(name);
      if (known === undefined) changes += this.#make(name);
      else if (!known.header.isPlain) changes += this.#remake(name, known);
    }
    return changes;
  }

  async add(touched: TouchedEntries, options: SliceOptions): Promise<SetsDone> {
    const found: { readonly set: SetName; readonly text: string; readonly entry: IpsetEntry }[] = [];
    let changes = 0;
    for (const [set, texts] of touched) {
      const known = this.#known.get(set);
      const missing = [...texts].flatMap((text) => {
        const wanted = known?.entries.has(text) === true ? undefined : this.#of(set).get(text);
        return wanted === undefined ? [] : [{ set, text, entry: wanted.entry }];
      });
      const most = known?.header.maxElements ?? Number.POSITIVE_INFINITY;
      if (known !== undefined && missing.length > 0 && known.entries.size + missing.length > most)
        changes += this.#remake(set, known);
      else found.push(...missing);
    }
    return await this.#applyEntries('entry-add', found, { ...options, changes });
  }

  async remove(touched: TouchedEntries, options: SliceOptions): Promise<SetsDone> {
    const found = [...touched].flatMap(([set, texts]) =>
      [...texts].flatMap((text) => {
        const entry = this.#of(set).has(text) ? undefined : this.#known.get(set)?.entries.get(text);
        return entry === undefined ? [] : [{ set, text, entry }];
      }),
    );
    return await this.#applyEntries('entry-delete', found, { ...options, changes: 0 });
  }

  /** Ports among these that want the entry. */
  ownersOf(
    set: SetName,
    { text, among }: { readonly text: string; readonly among: Iterable<string> },
  ): readonly string[] {
    const wants = (one: PortEntry) => one.set === set && entryText(one.entry) === text;
    return [...among].filter((port) => this.#byPort.get(port)?.some(wants) === true);
  }

  /** Looks at some small sets, others each time. */
  areNextAsRemembered(): boolean {
    for (let i = 0; i < setsLookedAt; i++) {
      const name = setNames[this.#nextLook++ % setNames.length];
      const known = name === undefined ? undefined : this.#known.get(name);
      if (name === undefined || known === undefined || known.entries.size > mostLookedAt) continue;
      const entries = this.#ipset.entries(nameOfSet(name, this.#family));
      if (entries?.length !== known.entries.size) return false;
      if ([...ipsetEntries(entries).keys()].some((text) => !known.entries.has(text))) return false;
    }
    return true;
  }

  forget(): void {
    this.#byPort.clear();
    for (const wanted of this.#wanted.values()) wanted.clear();
  }

  #of(set: SetName): Map<string, Wanted> {
    let found = this.#wanted.get(set);
    if (found === undefined) {
      found = new Map();
      this.#wanted.set(set, found);
    }
    return found;
  }

  /** Empty: entries come with the others. */
  #make(name: SetName): number {
    const usual = setOf(name, this.#family);
    const set = { ...usual, maxElements: roomFor(usual.maxElements, this.#of(name).size) };
    const changes = this.#must([{ kind: 'set-create', set }]);
    this.#known.set(name, { header: headerOf(set), entries: new Map() });
    return changes;
  }

  /** In one go, under the rules that ask it: it grows, or loses options that others gave it. */
  #remake(name: SetName, known: KnownSet): number {
    const wanted = [...this.#of(name)].map(([text, { entry }]) => [text, entry] as const);
    const entries = new Map([...known.entries, ...wanted]);
    const usual = setOf(name, this.#family);
    const set = { ...usual, maxElements: roomFor(usual.maxElements, entries.size) };
    // As one of others' making, it is filled and swapped whatever fits into it.
    const plan = planIpsets(
      [{ set, entries }],
      new Map([[set.name, { header: { ...known.header, isPlain: false }, entries: known.entries }]]),
    );
    const changes = this.#must([{ kind: 'set-destroy', name: spareSet }, ...plan.make]);
    this.#known.set(name, { header: headerOf(set), entries });
    return changes - 1;
  }

  /** For steps that make no sense in part. Throws the first error. */
  #must(steps: readonly IpsetStep[]): number {
    for (const { error } of this.#ipset.apply(steps)) if (error !== undefined) throw error;
    return steps.length;
  }

  async #applyEntries(
    kind: 'entry-add' | 'entry-delete',
    found: readonly { readonly set: SetName; readonly text: string; readonly entry: IpsetEntry }[],
    options: SliceOptions & { readonly changes: number },
  ): Promise<SetsDone> {
    const failures: EntryFailure[] = [];
    let { changes } = options;
    await inSlices(found, {
      ...options,
      size: stepsAtOnce,
      run: (slice) => {
        const steps = slice.map(({ set, entry }): IpsetStep => ({ kind, set: this.#setOf(set), entry }));
        this.#ipset.apply(steps).forEach(({ error }, i) => {
          const one = slice[i];
          if (one === undefined) return;
          if (error !== undefined) {
            failures.push({ set: one.set, text: one.text, error });
            return;
          }
          changes += 1;
          const known = this.#known.get(one.set);
          if (kind === 'entry-add') known?.entries.set(one.text, one.entry);
          else known?.entries.delete(one.text);
        });
        return steps;
      },
    });
    return { changes, failures };
  }

  #setOf(name: SetName): Ipset {
    const set = setOf(name, this.#family);
    return { ...set, maxElements: this.#known.get(name)?.header.maxElements ?? set.maxElements };
  }
}

/** NFPROTO_* of linux/netfilter.h. */
function familyNumber({ type, family }: Ipset): number {
  if (type === 'bitmap:port') return 0;
  return family === 4 ? 2 : 10;
}

/** As we make it. */
function headerOf(set: Ipset): IpsetHeader {
  const { name, type, maxElements } = set;
  return { name, type, family: familyNumber(set), maxElements, references: 0, isPlain: true };
}

/** Doubled until the entries leave room for more. */
function roomFor(usual: number | undefined, count: number): number | undefined {
  if (usual === undefined) return undefined;
  let most = usual;
  while (most < count + (count >> 3)) most *= 2;
  return most;
}
