// The virtual servers of one family as the kernel has them, as far as we know: read now and then, and kept up with the steps that were
// done. Which there should be is server-keeper.ts's.
import {
  type IpvsAccess,
  type IpvsStep,
  type IpvsStepResult,
  type RealServer,
  realServerText,
  virtualServerText,
} from '../../kernel/ipvs/objects.ts';
import type { Family } from '../../net/address.ts';
import type { KnownServer } from './plan-server.ts';
import { realServersOf } from './real-servers-of.ts';
import { givingWay, inSlices, type SliceOptions } from './slices.ts';

/** Steps of one system call, and virtual servers read at once: a few milliseconds each. */
const stepsAtOnce = 500;
const readAtOnce = 100;

export interface StepFailure {
  /** Of the virtual server. */
  readonly key: string;
  readonly error: Error;
}

export class KnownServers {
  readonly #ipvs: IpvsAccess;
  readonly #family: Family;
  #servers = new Map<string, KnownServer>();

  constructor(ipvs: IpvsAccess, family: Family) {
    this.#ipvs = ipvs;
    this.#family = family;
  }

  get(key: string): KnownServer | undefined {
    return this.#servers.get(key);
  }

  keys(): Iterable<string> {
    return this.#servers.keys();
  }

  get size(): number {
    return this.#servers.size;
  }

  async read(options: SliceOptions): Promise<void> {
    const found = new Map<string, KnownServer>();
    let sinceBreak = 0;
    for (const slice of this.#ipvs.serverSlices(this.#family)) {
      for (const server of slice) {
        const reals = realServersOf(this.#ipvs, server);
        if (reals !== undefined) found.set(virtualServerText(server), { server, reals });
        if (++sinceBreak % readAtOnce === 0) await givingWay(options);
      }
    }
    this.#servers = found;
  }

  /** Counts the connections of these anew. One that is gone meanwhile is forgotten. */
  async recount(keys: readonly string[], options: SliceOptions): Promise<void> {
    await inSlices(keys, {
      ...options,
      size: readAtOnce,
      run: (slice) => {
        for (const key of slice) {
          const known = this.#servers.get(key);
          const reals = known === undefined ? undefined : realServersOf(this.#ipvs, known.server);
          if (known !== undefined && reals !== undefined) this.#servers.set(key, { ...known, reals });
          else this.#servers.delete(key);
        }
        return [];
      },
    });
  }

  /** Does the steps; what fails stays as it was. */
  async apply(
    steps: readonly IpvsStep[],
    options: SliceOptions,
  ): Promise<{ readonly done: number; readonly failures: readonly StepFailure[] }> {
    const failures: StepFailure[] = [];
    let done = 0;
    await inSlices(steps, {
      ...options,
      size: stepsAtOnce,
      run: (slice) => {
        const results = this.#ipvs.apply(slice);
        for (const result of results) {
          if (result.error === undefined) done += 1;
          else failures.push({ key: virtualServerText(result.step.server), error: result.error });
          this.#note(result);
        }
        return results;
      },
    });
    return { done, failures };
  }

  /** Whether the kernel has it as we remember it: one question or two. */
  isAsRemembered(key: string): boolean {
    const known = this.#servers.get(key);
    if (known === undefined) return true;
    const there = this.#ipvs.server(known.server);
    const reals = there === undefined ? undefined : realServersOf(this.#ipvs, known.server);
    if (there === undefined || reals === undefined || reals.size !== known.reals.size) return false;
    const { scheduler, persistentSeconds, hashesPort, hasOtherOptions } = known.server;
    return (
      there.scheduler === scheduler &&
      there.persistentSeconds === persistentSeconds &&
      there.hashesPort === hashesPort &&
      there.hasOtherOptions === hasOtherOptions &&
      [...reals].every(([text, { weight, isNat }]) => {
        const one = known.reals.get(text);
        return one?.weight === weight && one.isNat === isNat;
      })
    );
  }

  #note({ step, error }: IpvsStepResult): void {
    if (error !== undefined) return;
    const key = virtualServerText(step.server);
    const known = this.#servers.get(key);
    switch (step.kind) {
      case 'server-add':
      case 'server-change': {
        const server = { ...step.server, hasOtherOptions: false };
        this.#servers.set(key, { server, reals: known?.reals ?? new Map() });
        return;
      }
      case 'server-delete':
        this.#servers.delete(key);
        return;
      case 'real-add':
      case 'real-change':
        this.#noteReal(key, step.real);
        return;
      case 'real-delete': {
        if (known === undefined) return;
        const reals = new Map(known.reals);
        reals.delete(realServerText(step.real));
        this.#servers.set(key, { ...known, reals });
        return;
      }
      default:
        step satisfies never;
    }
  }

  #noteReal(key: string, real: RealServer): void {
    const known = this.#servers.get(key);
    if (known === undefined) return;
    const text = realServerText(real);
    const none = { activeConnections: 0, inactiveConnections: 0, persistentConnections: 0 };
    const before = known.reals.get(text);
    const reals = new Map(known.reals);
    reals.set(text, { ...none, ...before, ...real, isNat: true });
    this.#servers.set(key, { ...known, reals });
  }
}
