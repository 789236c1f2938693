// Packets and bytes of each service port: read from the table's counting sets, whose elements come and go, and added up here. How many
// ports get metrics of their own is the metrics' question.
import { isInterrupted, isNotFound } from '../../kernel/kernel-error.ts';
import type { FieldValue } from '../../kernel/nft/datatype.ts';
import { elementKey } from '../../kernel/nft/declare.ts';
import type { Element, NftSet } from '../../kernel/nft/set.ts';
import type { NftDriver } from '../../kernel/nft/step.ts';
import type { Family } from '../../net/address.ts';
import { pause } from './pause.ts';
import { nodePortText } from './port-addresses.ts';
import { forPortSets, proxySets, trafficSetNames } from './proxy-sets.ts';
import { proxyTableId } from './proxy-table.ts';

export interface TrafficTotals {
  /** Of the service port. */
  readonly key: string;
  /** From clients to the service. */
  readonly packetsIn: bigint;
  readonly bytesIn: bigint;
  /** Answers. */
  readonly packetsOut: bigint;
  readonly bytesOut: bigint;
}

interface Counts {
  readonly packets: bigint;
  readonly bytes: bigint;
}

type TrafficSetName = (typeof trafficSetNames)[number];

const nothing: Counts = { packets: 0n, bytes: 0n };

/** How often others may change the ruleset under the reading of a set. */
const attempts = 10;

export class ServiceTraffic {
  readonly #driver: NftDriver;
  readonly #family: Family;
  readonly #sets: Readonly<Record<TrafficSetName, NftSet>>;
  readonly #portAt: (text: string) => string | undefined;
  readonly #isPort: (key: string) => boolean;
  /** Counts of each element when it was read last, by set. */
  readonly #last: Record<TrafficSetName, ReadonlyMap<string, Counts>> = {
    'traffic-in': new Map(),
    'traffic-out': new Map(),
  };
  readonly #totals = new Map<string, Readonly<Record<TrafficSetName, Counts>>>();

  /** `portAt`: whose an address or node port is, as portAddresses names it. `isPort`: whether there is such a port still. */
  constructor(options: {
    readonly driver: NftDriver;
    readonly family: Family;
    readonly portAt: (text: string) => string | undefined;
    readonly isPort: (key: string) => boolean;
  }) {
    this.#driver = options.driver;
    this.#family = options.family;
    this.#portAt = options.portAt;
    this.#isPort = options.isPort;
    const sizes = forPortSets(() => 1);
    const sets = proxySets(options.family, { sizes, nodePortIps: false, counters: true });
    const set = (name: TrafficSetName): NftSet => {
      const found = sets.find((one) => one.name === name);
      if (found === undefined) throw new TypeError(`Cannot find set "${name}": it is not declared`);
      return found;
    };
    this.#sets = { 'traffic-in': set('traffic-in'), 'traffic-out': set('traffic-out') };
  }

  /** Adds what was counted since the last reading. */
  async read(signal: AbortSignal): Promise<void> {
    for (const name of trafficSetNames) {
      const now = await this.#counts(name, signal);
      if (now === undefined) continue;
      for (const [text, element] of now) this.#add(name, element, this.#last[name].get(text));
      this.#last[name] = new Map([...now].map(([text, { counter = nothing }]) => [text, counter]));
    }
    for (const key of this.#totals.keys()) if (!this.#isPort(key)) this.#totals.delete(key);
  }

  *totals(): Generator<TrafficTotals, void, void> {
    for (const [key, { 'traffic-in': into, 'traffic-out': out }] of this.#totals)
      yield {
        key,
        packetsIn: into.packets,
        bytesIn: into.bytes,
        packetsOut: out.packets,
        bytesOut: out.bytes,
      };
  }

  #add(name: TrafficSetName, { key, counter = nothing }: Element, last: Counts = nothing): void {
    const port = key === 'default' ? undefined : this.#portOf(key.filter(isValue));
    if (port === undefined) return;
    // Less than before: it left the kernel and came back.
    const base = counter.packets < last.packets || counter.bytes < last.bytes ? nothing : last;
    const totals = this.#totals.get(port) ?? { 'traffic-in': nothing, 'traffic-out': nothing };
    const { packets, bytes } = totals[name];
    this.#totals.set(port, {
      ...totals,
      [name]: {
        packets: packets + counter.packets - base.packets,
        bytes: bytes + counter.bytes - base.bytes,
      },
    });
  }

  /** By the address that was asked for, or else by the node port. Other translated connections (hostPort) are nobody's here. */
  #portOf(key: readonly FieldValue[]): string | undefined {
    return (
      this.#portAt(elementKey(this.#sets['traffic-in'], { key })) ?? this.#portAt(nodePortText(key.slice(1)))
    );
  }

  /** Undefined: there is no such set now, or it changes too often to be read. */
  async #counts(
    name: TrafficSetName,
    signal: AbortSignal,
  ): Promise<ReadonlyMap<string, Element> | undefined> {
    const set = this.#sets[name];
    for (let attempt = 0; attempt < attempts; attempt++) {
      const found = new Map<string, Element>();
      try {
        for (const slice of this.#driver.readElements(proxyTableId(this.#family), set)) {
          for (const element of slice) found.set(elementKey(set, element), element);
          await pause(signal);
        }
        return found;
      } catch (error) {
        if (isNotFound(error)) return undefined;
        if (!isInterrupted(error)) throw error;
      }
    }
    return undefined;
  }
}

/** Elements of these sets are no intervals. */
function isValue(part: Exclude<Element['key'], 'default'>[number]): part is FieldValue {
  return typeof part !== 'object' || !('first' in part);
}
