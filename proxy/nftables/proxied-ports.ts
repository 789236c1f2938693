// What is known of the service ports in the kernel: their numbers, and who shares what. Turns changed ports into steps, each with the
// port that it is for. Every change can be taken back, because the kernel may refuse it. It never reads the kernel.
import type { IpAddress } from '../../net/address.ts';
import type { RuleContext } from '../rule-context.ts';
import type { ServicePort } from '../service-port.ts';
import { AddressOwners } from './address-owners.ts';
import { ClassRegister } from './class-register.ts';
import { classSteps } from './class-steps.ts';
import { assignIndices, assignSlots, type EndpointIndices, endpointText } from './endpoint-slots.ts';
import type { Journal } from './journal.ts';
import { NumberPool } from './number-pool.ts';
import type { OwnedSteps } from './owned-steps.ts';
import { type PortAddress, portAddresses } from './port-addresses.ts';
import {
  type ElementAdd,
  type ElementPlaces,
  type PortRecord,
  portElements,
  type SharedSetName,
  sharedAddresses,
  sharedElement,
  sharedSetNames,
} from './port-elements.ts';
import { StepBuckets } from './step-buckets.ts';
import { idLimit } from './token.ts';
import { className } from './traffic-class.ts';

/** What an earlier process left in the kernel. */
export interface AdoptedNumbers {
  /** Class numbers by the name of their chain. */
  readonly classes: ReadonlyMap<string, number>;
  /** Ids by the port's key. */
  readonly ids: ReadonlyMap<string, number>;
  /** All ids that the kernel knows, also of ports that are gone. */
  readonly usedIds: ReadonlySet<number>;
  readonly lists: ReadonlyMap<number, AdoptedLists>;
}

/** Endpoints of an id, as endpointText by slot, and their numbers in affinity. */
export interface AdoptedLists {
  readonly cluster: readonly (string | undefined)[];
  readonly local: readonly (string | undefined)[];
  readonly indices: EndpointIndices;
}

export interface PortChanges {
  /** For one transaction. */
  readonly steps: OwnedSteps;
  /** Ports that did not get all of their addresses. */
  readonly failed: ReadonlyMap<string, Error>;
  /** Ports that can now have an address that they wait for. */
  readonly awakened: ReadonlySet<string>;
}

/** One port cannot be programmed; the others can. */
export class PortError extends Error {
  readonly key: string;

  constructor(key: string, reason: string) {
    super(`Cannot program "${key}": ${reason}`);
    this.name = 'PortError';
    this.key = key;
  }
}

export class ProxiedPorts {
  readonly classes: ClassRegister;
  readonly #context: RuleContext;
  readonly #places: ElementPlaces;
  readonly #records = new Map<string, PortRecord>();
  readonly #owners = new AddressOwners();
  readonly #ids = new NumberPool(idLimit);
  /** How many ports share an element, by address. */
  readonly #shared: Readonly<Record<SharedSetName, Map<string, number>>> = {
    'cluster-ips': new Map(),
    hairpin: new Map(),
  };
  #adopted: AdoptedNumbers | undefined;

  constructor(options: {
    readonly context: RuleContext;
    readonly places: ElementPlaces;
    readonly adopted?: AdoptedNumbers | undefined;
  }) {
    this.#context = options.context;
    this.#places = options.places;
    this.#adopted = options.adopted;
    this.classes = new ClassRegister(options.adopted?.classes);
    for (const id of options.adopted?.usedIds ?? []) this.#ids.reserve(id);
  }

  get records(): ReadonlyMap<string, PortRecord> {
    return this.#records;
  }

  /** Who has an address, as portAddresses names it. */
  ownerOf(text: string): string | undefined {
    return this.#owners.ownerOf(text);
  }

  /** Everything is taken over. Ids that only dead ports had are free again: nothing of theirs is left in the kernel. */
  forgetAdopted(): void {
    this.#adopted = undefined;
    this.#ids.keepOnly(new Set([...this.#records.values()].map(({ id }) => id)));
  }

  /** All elements of all ports; those that are shared may come several times. */
  *elements(): Generator<ElementAdd, void, void> {
    for (const record of this.#records.values()) {
      yield* this.#elementsOf(record);
      for (const name of sharedSetNames)
        for (const address of sharedAddresses(name, record))
          yield sharedElement(name, { address, places: this.#places });
    }
  }

  #elementsOf(record: PortRecord | undefined): readonly ElementAdd[] {
    if (record === undefined) return [];
    return portElements(record, { places: this.#places, numberOf: (name) => this.classes.numberOf(name) });
  }

  /** From the ports as they are to these (undefined: gone). Throws PortError; what was changed until then is in the journal. */
  change(wanted: ReadonlyMap<string, ServicePort | undefined>, journal: Journal): PortChanges {
    const steps = new StepBuckets();
    const failed = new Map<string, Error>();
    // First all give up their addresses: two ports may swap theirs.
    const freed = new Set<string>();
    for (const key of wanted.keys()) this.#giveUp(key, { freed, journal });
    for (const [key, port] of wanted) {
      const old = this.#records.get(key);
      const before = this.#elementsOf(old);
      const next = port === undefined ? undefined : this.#record(port, { old, steps, journal });
      journal.put(this.#records, key, next);
      if (next !== undefined && next.refused.length > 0) failed.set(key, this.#conflict(next));
      for (const name of sharedSetNames) this.#share(name, { key, old, next, steps, journal });
      if (old !== undefined) this.#releaseOld(old, { gone: next === undefined, journal });
      steps.difference(key, before, this.#elementsOf(next));
    }
    const awakened = new Set([...freed].flatMap((text) => this.#owners.waitingFor(text)));
    return { steps: steps.all(), failed, awakened };
  }

  #giveUp(key: string, { freed, journal }: { readonly freed: Set<string>; readonly journal: Journal }): void {
    const record = this.#records.get(key);
    if (record === undefined) return;
    for (const { text } of record.addresses) {
      this.#owners.release(text, key, journal);
      freed.add(text);
    }
    for (const { text } of record.refused) this.#owners.stopWaiting(text, key, journal);
  }

  /** The port as it will be in the kernel. */
  #record(
    port: ServicePort,
    at: { readonly old: PortRecord | undefined; readonly steps: StepBuckets; readonly journal: Journal },
  ): PortRecord {
    const { old, steps, journal } = at;
    const { key } = port;
    try {
      const id = old?.id ?? this.#takeId(key, journal);
      const lists = old === undefined ? this.#adopted?.lists.get(id) : undefined;
      const cluster = assignSlots(port.clusterEndpoints, lists?.cluster ?? textsOf(old?.cluster));
      const local = assignSlots(port.localEndpoints, lists?.local ?? textsOf(old?.local));
      const indices =
        port.affinitySeconds === undefined
          ? undefined
          : assignIndices(new Set([...cluster, ...local].map(endpointText)), old?.indices ?? lists?.indices);
      const addresses: PortAddress[] = [];
      const refused: PortAddress[] = [];
      for (const address of portAddresses(port, this.#context)) {
        if (!this.#owners.take(address.text, key, journal)) {
          refused.push(address);
          continue;
        }
        addresses.push(address);
        for (const one of [address.trafficClass, address.guard]) {
          const added = one === undefined ? undefined : this.classes.use(one, journal);
          if (added !== undefined) steps.classAdded(key, classSteps(added, this.#context));
        }
      }
      return { port, id, addresses, refused, cluster, local, indices };
    } catch (error) {
      if (error instanceof RangeError) throw new PortError(key, error.message);
      throw error;
    }
  }

  #takeId(key: string, journal: Journal): number {
    const adopted = this.#adopted?.ids.get(key);
    if (adopted !== undefined) return adopted;
    const id = this.#ids.take();
    if (id === undefined) throw new RangeError(`${idLimit - 1} service ports are the most`);
    journal.made(() => this.#ids.release(id));
    return id;
  }

  #conflict({ port, refused }: PortRecord): PortError {
    const taken = refused.map(({ text }) => `${text} belongs to "${this.#owners.ownerOf(text)}"`);
    return new PortError(port.key, `${taken.join(', ')}; the rest of it is programmed`);
  }

  #releaseOld(
    { id, addresses }: PortRecord,
    { gone, journal }: { readonly gone: boolean; readonly journal: Journal },
  ): void {
    for (const { trafficClass, guard } of addresses) {
      this.classes.release(className(trafficClass), journal);
      if (guard !== undefined) this.classes.release(className(guard), journal);
    }
    if (!gone) return;
    this.#ids.release(id);
    journal.made(() => this.#ids.reserve(id));
  }

  #share(
    name: SharedSetName,
    change: {
      readonly key: string;
      readonly old: PortRecord | undefined;
      readonly next: PortRecord | undefined;
      readonly steps: StepBuckets;
      readonly journal: Journal;
    },
  ): void {
    const { key, old, next, steps, journal } = change;
    const before = sharedAddresses(name, old);
    const after = sharedAddresses(name, next);
    if (before.length + after.length === 0) return;
    const [had, has] = [new Set(before.map(String)), new Set(after.map(String))];
    for (const address of before)
      if (!has.has(String(address)) && this.#count(name, { address, by: -1, journal }) === 0)
        steps.remove(key, sharedElement(name, { address, places: this.#places }));
    for (const address of after)
      if (!had.has(String(address)) && this.#count(name, { address, by: 1, journal }) === 1)
        steps.add(key, sharedElement(name, { address, places: this.#places }));
  }

  #count(
    name: SharedSetName,
    { address, by, journal }: { readonly address: IpAddress; readonly by: number; readonly journal: Journal },
  ): number {
    const counts = this.#shared[name];
    const text = String(address);
    const count = (counts.get(text) ?? 0) + by;
    journal.put(counts, text, count === 0 ? undefined : count);
    return count;
  }
}

function textsOf(list: PortRecord['cluster'] = []): readonly string[] {
  return list.map(endpointText);
}
