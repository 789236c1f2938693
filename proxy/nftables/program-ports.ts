// Brings service ports into the kernel, some hundreds a transaction, so that neither the kernel nor the process is held up for long.
// A port that the kernel refuses is left as it was, and the others go on.
import { isExists, isNotFound, isNotPermitted, type KernelError } from '../../kernel/kernel-error.ts';
import type { NftFault, NftStep } from '../../kernel/nft/step.ts';
import type { ServicePort } from '../service-port.ts';
import { Journal } from './journal.ts';
import type { ElementsByPlace, KernelTable } from './kernel-table.ts';
import { OwnedSteps } from './owned-steps.ts';
import { pause } from './pause.ts';
import { placeIn, sameContents } from './port-elements.ts';
import { PortError, type ProxiedPorts } from './proxied-ports.ts';
import { isPortSetName, type PortSetName } from './proxy-sets.ts';
import { countChanges, type SetCounts } from './set-counts.ts';
import { type Transactions, transact } from './transaction.ts';

/** Ports of one transaction: it takes some milliseconds. */
export const portsAtOnce = 250;

/** The kernel's table is not what it is believed to be: it has to be read. */
export class KernelDiffersError extends Error {
  constructor(cause: KernelError) {
    super(cause.message, { cause });
    this.name = 'KernelDiffersError';
  }
}

export interface Programming {
  readonly ports: ProxiedPorts;
  readonly transactions: Transactions;
  readonly counts: SetCounts;
  readonly signal: AbortSignal;
  /** Elements in the kernel of which nobody knows yet whether they are right. What is found right or replaced is taken out. */
  readonly existing?: KernelTable['elements'] | undefined;
  /** Makes room in a set. Returns how many steps that took. */
  readonly grow: (set: PortSetName, needed: number) => number;
}

export interface ProgramResult {
  readonly changes: number;
  readonly failed: ReadonlyMap<string, Error>;
}

type Wanted = ReadonlyMap<string, ServicePort | undefined>;

export async function programPorts(wanted: Wanted, at: Programming): Promise<ProgramResult> {
  const pending = new Map(wanted);
  const failed = new Map<string, Error>();
  let changes = 0;
  while (pending.size > 0) {
    const chunk = new Map(pending.entries().take(portsAtOnce));
    for (const key of chunk.keys()) pending.delete(key);
    const done = programTogether(chunk, at);
    changes += done.changes;
    for (const key of chunk.keys()) failed.delete(key);
    for (const [key, error] of done.failed) failed.set(key, error);
    for (const key of done.awakened) {
      const record = at.ports.records.get(key);
      if (record !== undefined && !pending.has(key)) pending.set(key, record.port);
    }
    if (pending.size > 0) await pause(at.signal);
  }
  return { changes, failed };
}

export interface TogetherResult extends ProgramResult {
  readonly awakened: ReadonlySet<string>;
}

/** In one transaction, or in several when ports of it are refused. `first`: steps that come before, in the same one. */
export function programTogether(
  wanted: Wanted,
  at: Omit<Programming, 'signal'>,
  first: readonly NftStep[] = [],
): TogetherResult {
  const { ports, counts, transactions } = at;
  const left = new Map(wanted);
  const failed = new Map<string, Error>();
  let grown = 0;
  for (;;) {
    const journal = new Journal();
    const changes = attempt(() => ports.change(left, journal));
    if (changes instanceof PortError) {
      journal.undo();
      failed.set(changes.key, changes);
      left.delete(changes.key);
      continue;
    }
    const { owned, settled } = compared(changes.steps, at.existing);
    const changed = countChanges(owned.steps);
    const short = counts.short(changed);
    if (short !== undefined) {
      journal.undo();
      grown += at.grow(short.set, short.needed);
      continue;
    }
    const all = first.length === 0 ? owned.steps : [...first, ...owned.steps];
    const result = all.length === 0 ? undefined : transact(transactions, all);
    if (result === undefined || result.kind === 'done') {
      counts.apply(changed);
      for (const { set, place } of settled) set.delete(place);
      for (const [key, error] of changes.failed) failed.set(key, error);
      return { changes: grown + all.length, failed, awakened: changes.awakened };
    }
    journal.undo();
    const faulty = faultyPorts(result.faults, owned);
    if (faulty.size === 0 && left.size > 1 && first.length === 0)
      return inHalves(left, { at, failed, changes: grown });
    if (faulty.size === 0) {
      const [only] = left.keys();
      if (only === undefined || first.length > 0) throw result.faults[0]?.error;
      faulty.set(only, result.faults[0]?.error ?? new Error(`Cannot program "${only}"`));
    }
    for (const [key, error] of faulty) {
      failed.set(key, error);
      left.delete(key);
    }
  }
}

function attempt<T>(action: () => T): T | PortError {
  try {
    return action();
  } catch (error) {
    if (error instanceof PortError) return error;
    throw error;
  }
}

function inHalves(
  wanted: Wanted,
  so: {
    readonly at: Omit<Programming, 'signal'>;
    readonly failed: ReadonlyMap<string, Error>;
    readonly changes: number;
  },
): TogetherResult {
  const half = Math.ceil(wanted.size / 2);
  const parts = [
    programTogether(new Map(wanted.entries().take(half)), so.at),
    programTogether(new Map(wanted.entries().drop(half)), so.at),
  ];
  return {
    changes: parts.reduce((sum, { changes }) => sum + changes, so.changes),
    failed: new Map([...so.failed, ...parts.flatMap(({ failed }) => [...failed])]),
    awakened: new Set(parts.flatMap(({ awakened }) => [...awakened])),
  };
}

/** Whose the faults are. Throws what concerns not one port but all: what the kernel has is otherwise, or we may not change it. */
function faultyPorts(faults: readonly NftFault[], owned: OwnedSteps): Map<string, Error> {
  const owners = owned.ownersOf(new Set(faults.flatMap(({ step }) => step ?? [])));
  const faulty = new Map<string, Error>();
  for (const { step, error } of faults) {
    if (isNotFound(error) || isExists(error)) throw new KernelDiffersError(error);
    if (isNotPermitted(error)) throw error;
    const key = step === undefined ? undefined : owners.get(step);
    if (key !== undefined && !faulty.has(key)) faulty.set(key, error);
  }
  return faulty;
}

/** An element of which it is known now what becomes of it. */
interface Settled {
  readonly set: ElementsByPlace;
  readonly place: string | number;
}

/** Leaves out what is in the kernel already, and replaces what is there otherwise. */
function compared(
  all: OwnedSteps,
  existing: KernelTable['elements'] | undefined,
): { readonly owned: OwnedSteps; readonly settled: readonly Settled[] } {
  if (existing === undefined) return { owned: all, settled: [] };
  const owned = new OwnedSteps();
  const adds = new OwnedSteps();
  const settled: Settled[] = [];
  for (const [i, step] of all.steps.entries()) {
    const key = all.keys[i] ?? '';
    if (step.kind !== 'element-add' || !isPortSetName(step.set.name)) {
      owned.add(step, key);
      continue;
    }
    const set = existing[step.set.name];
    const place = placeIn(step.set, step.element);
    const there = set.get(place);
    if (there !== undefined) {
      settled.push({ set, place });
      if (sameContents(there, step.element)) continue;
      owned.add({ ...step, kind: 'element-delete' }, key);
    }
    adds.add(step, key);
  }
  owned.addAll(adds);
  return { owned, settled };
}
