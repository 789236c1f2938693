// The table of a family with all its service ports, as this process knows it: made, or taken over from what was found in the kernel, and
// kept up to date from then on. Nothing is read here.
import { isExists, isNotFound } from '../../kernel/kernel-error.ts';
import type { Table } from '../../kernel/nft/objects.ts';
import type { Element } from '../../kernel/nft/set.ts';
import { generationAfter, type NftStep } from '../../kernel/nft/step.ts';
import type { RuleContext } from '../rule-context.ts';
import type { ServicePort } from '../service-port.ts';
import { adoptNumbers } from './adopt-numbers.ts';
import { classRemovals } from './class-steps.ts';
import type { KernelTable } from './kernel-table.ts';
import { pause } from './pause.ts';
import {
  KernelDiffersError,
  type Programming,
  type ProgramResult,
  programPorts,
  programTogether,
} from './program-ports.ts';
import { type AdoptedNumbers, ProxiedPorts } from './proxied-ports.ts';
import {
  forPortSets,
  isPortSetName,
  type PortSetName,
  portSetNames,
  proxySets,
  type SetSizes,
  setSizes,
  sizeFor,
} from './proxy-sets.ts';
import { proxyTable, proxyTableId } from './proxy-table.ts';
import { SetCounts } from './set-counts.ts';
import { neededElements, type Survey } from './survey.ts';
import {
  inTwoTransactions,
  keepSizes,
  removals,
  resizeSteps,
  tableSteps,
  withElements,
  withExtras,
} from './table-plan.ts';
import type { TrafficClass } from './traffic-class.ts';
import { type Transactions, transact } from './transaction.ts';

/** Elements deleted in one transaction when nobody knows whose they were. */
const removedAtOnce = 5000;

export interface TableSettings {
  readonly transactions: Transactions;
  readonly context: RuleContext;
  readonly counters: boolean;
}

/**
 * To make a chain that looks endpoints up has the kernel walk all of them: ten milliseconds where there are 100,000. So in large tables
 * a choice that was made stays until the next start.
 */
function keepsChoices(sizes: SetSizes): boolean {
  return sizes.endpoints > 32_768;
}

/** A table that is yet to be made, with room for these ports. */
export function newTable(settings: TableSettings, ports: Iterable<ServicePort>): ProxiedTable {
  return new ProxiedTable(settings, { sizes: setSizes(neededElements(ports)) });
}

/** The table that was found, with what an earlier process numbered. `before`: ids that this process gave. */
export async function foundTable(
  settings: TableSettings,
  at: {
    readonly found: KernelTable;
    readonly survey: Survey;
    readonly needed: Readonly<Record<PortSetName, number>>;
    readonly before: ReadonlyMap<string, number>;
    readonly signal: AbortSignal;
  },
): Promise<ProxiedTable> {
  const { found, survey, needed, before, signal } = at;
  const adopted = await adoptNumbers(found, { portAt: (text) => survey.portAt.get(text), before, signal });
  const sizes = forPortSets((name) => {
    const size = found.table.sets.get(name)?.size ?? 0;
    return size < needed[name] ? sizeFor(name, needed[name]) : size;
  });
  return new ProxiedTable(settings, { sizes, found, adopted });
}

/** Ports of a family in the kernel. */
export class ProxiedTable {
  readonly ports: ProxiedPorts;
  readonly #settings: TableSettings;
  readonly #counts: SetCounts;
  /** As it was found: sets may have other sizes than ours. */
  readonly #found: Table | undefined;
  /** Elements that are in the kernel, and of which it is not known yet whether they should be. */
  #existing: KernelTable['elements'] | undefined;

  constructor(
    settings: TableSettings,
    state: {
      readonly sizes: SetSizes;
      readonly found?: KernelTable | undefined;
      readonly adopted?: AdoptedNumbers | undefined;
    },
  ) {
    const { context } = settings;
    const { sizes, found } = state;
    this.#settings = settings;
    this.#found = found?.table;
    this.#existing = found?.elements;
    this.#counts = new SetCounts(
      sizes,
      forPortSets((name) => found?.elements[name].size ?? 0),
    );
    const sets = new Map(
      proxySets(context.family, { sizes, nodePortIps: false, counters: false }).map((one) => [one.name, one]),
    );
    const places = {
      table: proxyTableId(context.family),
      sets: forPortSets((name) => {
        const set = sets.get(name);
        if (set === undefined) throw new TypeError(`Cannot find set "${name}": it is not declared`);
        return set;
      }),
    };
    this.ports = new ProxiedPorts({ context, places, adopted: state.adopted });
  }

  /** Without elements of ports. */
  declaration(): Table {
    const { context, counters } = this.#settings;
    const { sizes } = this.#counts;
    const { classes } = this.ports;
    const table = proxyTable(context, {
      sizes,
      classes: classes.classes,
      choices: classes.choices,
      counters,
    });
    return this.#found === undefined ? table : keepSizes(table, this.#found);
  }

  /** With what is to go once everything is taken over. */
  #present(): Table {
    const table = this.declaration();
    return this.#existing === undefined || this.#found === undefined ? table : withExtras(table, this.#found);
  }

  #programming(): Omit<Programming, 'signal'> {
    return {
      ports: this.ports,
      transactions: this.#settings.transactions,
      counts: this.#counts,
      existing: this.#existing,
      grow: (set, needed) => {
        const size = sizeFor(set, needed);
        const elements = this.#elementsOf(set);
        const steps = resizeSteps(this.#present(), { set, size, elements });
        this.#apply(steps);
        this.#counts.resized(set, size);
        return steps.length;
      },
    };
  }

  *#elementsOf(set: PortSetName): Generator<Element, void, void> {
    yield* this.#existing?.[set].values() ?? [];
    for (const step of this.ports.elements()) if (step.set.name === set) yield step.element;
  }

  /** Throws KernelDiffersError or KernelError. */
  #apply(steps: readonly NftStep[]): void {
    if (steps.length === 0) return;
    const result = transact(this.#settings.transactions, steps);
    if (result.kind === 'refused') {
      for (const { error } of result.faults)
        if (isNotFound(error) || isExists(error)) throw new KernelDiffersError(error);
    }
    generationAfter(result);
  }

  /** Brings changed ports into the kernel. */
  async update(
    wanted: ReadonlyMap<string, ServicePort | undefined>,
    signal: AbortSignal,
  ): Promise<ProgramResult> {
    const done = await programPorts(wanted, { ...this.#programming(), signal });
    return { ...done, changes: done.changes + this.#removeIdleClasses() };
  }

  #removeIdleClasses(): number {
    const { classes } = this.ports;
    const removed = {
      classes: classes.removeIdleClasses(),
      choices: keepsChoices(this.#counts.sizes) ? [] : classes.removeIdleChoices(),
    };
    if (removed.classes.length + removed.choices.length === 0) return 0;
    const transactions = classRemovals(removed, this.#settings.context);
    for (const steps of transactions) this.#apply(steps);
    return transactions.flat().length;
  }

  /** Makes the table: there is none. */
  async load(all: ReadonlyMap<string, ServicePort>, signal: AbortSignal): Promise<ProgramResult> {
    const steps = tableSteps(this.declaration(), undefined);
    this.#apply(steps);
    const done = await this.update(all, signal);
    return { ...done, changes: done.changes + steps.length };
  }

  /** Puts the table in the place of one of another shape, at one go. */
  replace(all: ReadonlyMap<string, ServicePort>): ProgramResult {
    const table = proxyTableId(this.#settings.context.family);
    const made = tableSteps(this.declaration(), undefined);
    return programTogether(all, this.#programming(), [{ kind: 'table-delete', table }, ...made]);
  }

  /** Mends the table, programs all ports, and takes away what nobody wants. */
  async takeOver(
    all: ReadonlyMap<string, ServicePort>,
    at: { readonly found: KernelTable; readonly survey: Survey; readonly signal: AbortSignal },
  ): Promise<ProgramResult> {
    const { found, signal } = at;
    for (const one of at.survey.classes.values()) this.#prepare(one);
    // What is not wanted any more goes last: packets may still be led there.
    // Sets that are made anew, for their size, get what they had.
    const mend = withElements(tableSteps(this.#present(), found.table), (set) =>
      isPortSetName(set) ? found.elements[set].values() : [],
    );
    this.#apply(mend);
    const done = await programPorts(all, { ...this.#programming(), signal });
    let changes = mend.length + done.changes + (await this.#removeLeft(signal));
    const before = this.#present();
    this.ports.classes.removeIdleClasses();
    this.ports.classes.removeIdleChoices();
    for (const steps of inTwoTransactions(tableSteps(this.declaration(), before))) {
      this.#apply(steps);
      changes += steps.length;
    }
    this.ports.forgetAdopted();
    this.#existing = undefined;
    return { changes, failed: done.failed };
  }

  /** When there are more classes than numbers, the ports that need them fail one by one. */
  #prepare(one: TrafficClass): void {
    try {
      this.ports.classes.prepare(one);
    } catch (error) {
      if (!(error instanceof RangeError)) throw error;
    }
  }

  async #removeLeft(signal: AbortSignal): Promise<number> {
    let changes = 0;
    const table = proxyTableId(this.#settings.context.family);
    const { sets } = this.declaration();
    // Addresses stand before the endpoints that they lead to.
    for (const name of portSetNames) {
      const elements = this.#existing?.[name];
      const set = sets.get(name);
      if (elements === undefined || set === undefined) continue;
      for (const steps of removals({ table, set, elements: elements.values() }, removedAtOnce)) {
        this.#apply(steps);
        changes += steps.length;
        await pause(signal);
      }
      this.#counts.apply(new Map([[name, -elements.size]]));
    }
    return changes;
  }
}
