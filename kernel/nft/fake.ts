// nf_tables in memory: the driver's interface with the kernel's rules, and packets that can be walked through what it holds.
// Passes the same suite as the kernel's driver. Time does not pass in it: elements do not expire.
import { constants } from 'node:os';
import type { HookPart } from '../hook-part.ts';
import { KernelError } from '../kernel-error.ts';
import { elementKey } from './declare.ts';
import { type Evaluation, evaluate } from './evaluate.ts';
import type { Surroundings } from './evaluate-expression.ts';
import { everyOutcome } from './every-outcome.ts';
import { FakeRuleset } from './fake-ruleset.ts';
import { bounds } from './interval.ts';
import { type NftState, type Table, type TableId, tableKey } from './objects.ts';
import type { Packet } from './packet.ts';
import type { Element } from './set.ts';
import { fieldsBytes, findElement } from './set-lookup.ts';
import type { NftDriver, NftFault, NftReading, NftResult, NftStep, ReadOptions, StepSet } from './step.ts';

/** ERESTART, which Node does not name. */
const ERESTART = 85;

/** How many elements come in one step of reading: about as many as in one of the kernel's datagrams. */
const stepElements = 400;

/** Several drivers of one kernel see each other's changes. */
export class FakeNftKernel {
  #ruleset = new FakeRuleset();
  #generation = 1;
  readonly #listeners = new Set<(generation: number, tables: readonly TableId[]) => void>();

  get generation(): number {
    return this.#generation;
  }

  get state(): NftState {
    return this.#ruleset.tables;
  }

  driver(): NftDriver {
    return {
      read: (tables, options) => this.read(tables, options),
      readElements: (table, set) => this.readElements(table, set),
      find: (table, set, elements) => this.find(table, set, elements),
      has: (table) => this.#ruleset.tables.has(tableKey(table)),
      apply: (steps, options) => this.apply(steps, options),
      generation: () => this.#generation,
      close: () => undefined,
    };
  }

  read(tables: readonly TableId[], { elements = true }: ReadOptions = {}): NftReading {
    const state: NftState = new Map(
      tables.flatMap((id) => {
        const table = this.#ruleset.tables.get(tableKey(id));
        return table === undefined
          ? []
          : [[tableKey(id), elements ? table : withoutElements(table)] as const];
      }),
    );
    return { generation: this.#generation, state };
  }

  *readElements(id: TableId, { name }: StepSet): Generator<readonly Element[], void, void> {
    const fault = (errno: number) =>
      new KernelError({ operation: 'list nf_tables', object: `${tableKey(id)} ${name}`, errno });
    const set = this.#ruleset.tables.get(tableKey(id))?.sets.get(name);
    if (set === undefined) throw fault(constants.errno.ENOENT);
    const before = this.#generation;
    const elements = [...set.elements.values()];
    for (let at = 0; at < elements.length; at += stepElements) {
      yield elements.slice(at, at + stepElements);
      if (this.#generation !== before) throw fault(constants.errno.EINTR);
    }
  }

  /** As the kernel: in a set of intervals the one that covers the key's beginning. */
  find(
    id: TableId,
    { name }: StepSet,
    elements: readonly Pick<Element, 'key'>[],
  ): readonly (Element | undefined)[] {
    const set = this.#ruleset.tables.get(tableKey(id))?.sets.get(name);
    return elements.map(({ key }) => {
      if (set === undefined) return undefined;
      if (key === 'default') return set.elements.get(elementKey(set, { key }));
      const first = fieldsBytes(
        set.key,
        key.map((part) => bounds(part).first),
      );
      return findElement({ ...set, elements: set.elements.values() }, first);
    });
  }

  apply(steps: readonly NftStep[], options: { readonly generation?: number | undefined } = {}): NftResult {
    const { generation } = options;
    if (steps.length === 0) return { kind: 'done', generation: this.#generation };
    if (generation !== undefined && generation !== this.#generation)
      return refused([
        { error: new KernelError({ operation: 'change nf_tables', object: '', errno: ERESTART }) },
      ]);
    const next = new FakeRuleset(this.#ruleset);
    const faults: NftFault[] = [];
    for (const step of steps) attempt(() => next.apply(step), { step, faults });
    // As the kernel: the ruleset as a whole is looked at when all its changes have gone in.
    if (faults.length === 0) {
      const leading = new Map(steps.filter(leads).map((step) => [tableKey(step.table), step]));
      for (const step of leading.values()) attempt(() => next.checkGraph(step), { step, faults });
    }
    if (faults.length > 0) return refused(faults);
    this.#ruleset = next;
    this.#generation += 1;
    const touched = new Map(
      steps.map(({ table }) => [tableKey(table), { family: table.family, name: table.name }]),
    );
    for (const listener of this.#listeners) listener(this.#generation, [...touched.values()]);
    return { kind: 'done', generation: this.#generation };
  }

  /** Calls back after each transaction. Returns how to stop that. */
  watch(listener: (generation: number, tables: readonly TableId[]) => void): () => void {
    this.#listeners.add(listener);
    return () => this.#listeners.delete(listener);
  }

  /** Another kernel with the same ruleset, which changes of its own. */
  fork(): FakeNftKernel {
    const other = new FakeNftKernel();
    other.#ruleset = new FakeRuleset(this.#ruleset);
    other.#generation = this.#generation;
    // From here on neither may write to what both hold.
    this.#ruleset = new FakeRuleset(this.#ruleset);
    return other;
  }

  /**
   * All that may become of a packet, once for each way that random numbers can fall, each with the kernel as it is then. This
   * one stays as it is.
   */
  outcomes(
    packet: Packet,
    surroundings: Omit<Surroundings, 'random'> = {},
  ): readonly { readonly evaluation: Evaluation; readonly kernel: FakeNftKernel }[] {
    return everyOutcome((random) => {
      const kernel = this.fork();
      return { evaluation: kernel.evaluate(packet, { ...surroundings, random }), kernel };
    });
  }

  /** Walks a packet through its hook, or a part of it; what rules add to sets stays. */
  evaluate(
    packet: Packet,
    surroundings: Surroundings & { readonly part?: HookPart | undefined },
  ): Evaluation {
    return evaluate(this.#ruleset.tables, packet, {
      ...surroundings,
      dynset: (table, step) => this.#ruleset.dynset(table, step),
    });
  }
}

function withoutElements(table: Table): Table {
  const sets = [...table.sets].map(([name, set]) => [name, { ...set, elements: new Map() }] as const);
  return { ...table, sets: new Map(sets) };
}

/** A driver with a kernel of its own. */
export function openFakeNftDriver(): NftDriver {
  return new FakeNftKernel().driver();
}

/** Whether a step may lead packets where they did not go before. */
function leads(step: NftStep): boolean {
  return step.kind === 'rule-add' || (step.kind === 'element-add' && step.set.data === 'verdict');
}

function refused(faults: readonly NftFault[]): NftResult {
  return { kind: 'refused', faults };
}

function attempt(
  action: () => void,
  { step, faults }: { readonly step?: NftStep; readonly faults: NftFault[] },
): void {
  try {
    action();
  } catch (error) {
    if (!(error instanceof KernelError)) throw error;
    faults.push({ ...(step === undefined ? {} : { step }), error });
  }
}
