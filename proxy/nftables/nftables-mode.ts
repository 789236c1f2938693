// The proxy's nftables mode: one table a family, kept as the service ports say. A change costs what changed; everything is read from the
// kernel only at the start and when somebody else touched the table. The layout: docs/adr/0012-the-class-travels-in-the-priority.md.
import { tableKey } from '../../kernel/nft/objects.ts';
import { SeenGeneration } from '../../kernel/nft/seen-generation.ts';
import { generationAfter, type NftDriver } from '../../kernel/nft/step.ts';
import type { Family } from '../../net/address.ts';
import type { ModeInput, ProxyMode, SyncReport } from '../proxy-mode.ts';
import type { ServicePort } from '../service-port.ts';
import type { ForeignChanges } from './foreign-changes.ts';
import { readKernelTable } from './kernel-table.ts';
import { type LocalhostPorts, routeLocalnetKey } from './localhost-ports.ts';
import type { PortRecord } from './port-elements.ts';
import { KernelDiffersError, type ProgramResult } from './program-ports.ts';
import { foundTable, newTable, type ProxiedTable } from './proxied-table.ts';
import { localhostGuardName, proxyTableId } from './proxy-table.ts';
import { ServiceTraffic, type TrafficTotals } from './service-traffic.ts';
import { neededElements, survey } from './survey.ts';
import { isMendable } from './table-plan.ts';
import { transact } from './transaction.ts';

export interface NftablesMode extends ProxyMode {
  /**
   * Packets and bytes by service port since the program's start, and what an earlier one had counted that was still there;
   * nothing without `serviceCounters`. As of the last `readTraffic`.
   */
  serviceTraffic(): Iterable<TrafficTotals>;
  /** Reads the counts. To be called every half minute or so: what is not used for an hour leaves the kernel. */
  readTraffic(signal: AbortSignal): Promise<void>;
}

export interface NftablesModeOptions {
  readonly family: Family;
  /** Not closed here. */
  readonly driver: NftDriver;
  /** Of others in the same process who change the ruleset of this namespace. */
  readonly beside?: SeenGeneration | undefined;
  /** Tells changes of our table from all others; without it each change by others has the whole table read. Not closed here. */
  readonly foreign?: ForeignChanges | undefined;
  /** Only asked where node ports are to be on 127.0.0.1. */
  readonly localhost: LocalhostPorts;
  readonly serviceCounters?: boolean | undefined;
}

/** The kernel's table can change while it is read or changed: somebody who goes on doing so is tried again later. */
const attempts = 5;

export function createNftablesMode(options: NftablesModeOptions): NftablesMode {
  const { family, driver, foreign, localhost, serviceCounters: counters = false } = options;
  const id = proxyTableId(family);
  const seen = new SeenGeneration(options.beside);
  const transactions = { driver, seen, foreign };
  /** Undefined: what the kernel has is not known. */
  let table: ProxiedTable | undefined;
  /** Ids given so far, for ports whose addresses others took out of the kernel. */
  let ids: ReadonlyMap<string, number> = new Map();
  let contextText: string | undefined;
  /** The last sync went through to its end. */
  let complete = false;
  /** Somebody else changed the table. */
  let touched = false;
  const traffic = new ServiceTraffic({
    driver,
    family,
    portAt: (text) => table?.ports.ownerOf(text),
    isPort: (key) => table === undefined || table.ports.records.has(key),
  });

  function isTouched(): boolean {
    if (touched) return true;
    const now = driver.generation();
    if (seen.isCurrent(now)) return false;
    touched = foreign === undefined || foreign.take(id);
    if (!touched) seen.looked(now);
    return touched;
  }

  function forget(): void {
    if (table !== undefined) ids = new Map([...table.ports.records].map(([key, { id }]) => [key, id]));
    table = undefined;
  }

  /** Reads the kernel's table and makes it right. */
  async function reconcile({ ports, context }: ModeInput, signal: AbortSignal): Promise<ProgramResult> {
    forget();
    touched = false;
    foreign?.take(id);
    seen.looked(driver.generation());
    const found = await readKernelTable(family, { driver, signal });
    if (found !== undefined) seen.looked(found.generation);
    const settings = { transactions, context, counters };
    const made = newTable(settings, ports.values());
    if (found === undefined) return keep(made, await made.load(ports, signal));
    if (!isMendable(made.declaration(), found.table)) return keep(made, made.replace(ports));
    const looked = await survey(ports, { context, signal });
    const needed = neededElements(ports.values());
    const taken = await foundTable(settings, { found, survey: looked, needed, before: ids, signal });
    return keep(taken, await taken.takeOver(ports, { found, survey: looked, signal }));
  }

  function keep(made: ProxiedTable, result: ProgramResult): ProgramResult {
    table = made;
    return result;
  }

  async function reconcileUntilDone(input: ModeInput, signal: AbortSignal): Promise<SyncReport> {
    for (let attempt = 1; ; attempt++) {
      try {
        const { changes, failed } = await reconcile(input, signal);
        return { full: true, changes, failed };
      } catch (error) {
        if (!(error instanceof KernelDiffersError) || attempt === attempts) throw error;
      }
    }
  }

  async function update(
    known: ProxiedTable,
    of: { readonly input: ModeInput; readonly full: boolean },
    signal: AbortSignal,
  ): Promise<SyncReport> {
    const { input, full } = of;
    const wanted = full ? differing(known, input.ports) : named(known, input);
    try {
      const done = await known.update(wanted, signal);
      return { full, ...done };
    } catch (error) {
      if (!(error instanceof KernelDiffersError)) throw error;
      return reconcileUntilDone(input, signal);
    }
  }

  async function program(input: ModeInput, signal: AbortSignal): Promise<SyncReport> {
    const text = JSON.stringify(input.context);
    const known = text === contextText ? table : undefined;
    const full = input.changed === 'all' || !complete || known === undefined;
    complete = false;
    contextText = text;
    const report =
      known === undefined || (full && isTouched())
        ? await reconcileUntilDone(input, signal)
        : await update(known, { input, full }, signal);
    if (full && family === 4 && input.context.localhostNodePorts && !localhost.isOn()) localhost.switchOn();
    complete = true;
    return report;
  }

  return {
    name: 'nftables',
    async sync(input, signal) {
      signal.throwIfAborted();
      try {
        return await program(input, signal);
      } catch (error) {
        // Between two transactions everything is as it is remembered; of other ends nobody knows.
        if (!signal.aborted) forget();
        throw error;
      }
    },
    changed: () => table !== undefined && isTouched(),
    async cleanUp() {
      forget();
      complete = false;
      const there = driver.read([id], { elements: false }).state.get(tableKey(id));
      if (there === undefined) return [];
      generationAfter(transact(transactions, [{ kind: 'table-delete', table: id }]));
      const done = [`deleted table "${tableKey(id)}"`];
      if (there.chains.has(localhostGuardName) && localhost.isOn())
        done.push(`left sysctl ${routeLocalnetKey} at 1: set it to 0 unless something else needs it`);
      return done;
    },
    serviceTraffic: () => traffic.totals(),
    async readTraffic(signal) {
      if (counters && table !== undefined) await traffic.read(signal);
    },
    close() {},
  };
}

function named({ ports }: ProxiedTable, input: ModeInput): ReadonlyMap<string, ServicePort | undefined> {
  const wanted = new Map<string, ServicePort | undefined>();
  for (const key of input.changed === 'all' ? [] : input.changed) {
    const port = input.ports.get(key);
    if (!isProgrammed(ports.records.get(key), port)) wanted.set(key, port);
  }
  return wanted;
}

/** What is remembered otherwise than it should be. */
function differing(
  { ports: { records } }: ProxiedTable,
  wanted: ReadonlyMap<string, ServicePort>,
): ReadonlyMap<string, ServicePort | undefined> {
  const found = new Map<string, ServicePort | undefined>();
  for (const [key, port] of wanted) if (!isProgrammed(records.get(key), port)) found.set(key, port);
  for (const key of records.keys()) if (!wanted.has(key)) found.set(key, undefined);
  return found;
}

/** Ports are values: one that did not change is the same object. */
function isProgrammed(record: PortRecord | undefined, port: ServicePort | undefined): boolean {
  return record === undefined ? port === undefined : record.port === port && record.refused.length === 0;
}
