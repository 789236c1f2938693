// The table as the kernel has it, read in slices that hold up nothing else for long. What is made of it is adopt-numbers.ts.
import { isInterrupted, isNotFound } from '../../kernel/kernel-error.ts';
import { elementKey } from '../../kernel/nft/declare.ts';
import { type Table, type TableId, tableKey } from '../../kernel/nft/objects.ts';
import type { Element, NftSet } from '../../kernel/nft/set.ts';
import type { NftDriver } from '../../kernel/nft/step.ts';
import type { Family } from '../../net/address.ts';
import { pause } from './pause.ts';
import { placeIn } from './port-elements.ts';
import { forPortSets, isPortSetName, type PortSetName } from './proxy-sets.ts';
import { proxyTableId } from './proxy-table.ts';

export type ElementsByPlace = Map<string | number, Element>;

export interface KernelTable {
  /** Of the ruleset when reading began. */
  readonly generation: number;
  /** Chains, rules and sets; elements only of the sets that no service port has elements in. */
  readonly table: Table;
  /** Elements of service ports, by placeIn; a set that is not there has none. To be written to. */
  readonly elements: Readonly<Record<PortSetName, ElementsByPlace>>;
}

/** Sets that belong to the table as such: they are small. */
const tableSets = ['classes', 'node-port-ips'];

/** How often others may change the ruleset under the reading of a set: after the first few times it is read at one go. */
const sliced = 5;
const attempts = 20;

interface Source {
  readonly driver: NftDriver;
  readonly signal: AbortSignal;
}

/** Undefined: there is no such table. */
export async function readKernelTable(family: Family, source: Source): Promise<KernelTable | undefined> {
  const id = proxyTableId(family);
  const { state, generation } = source.driver.read([id], { elements: false });
  const table = state.get(tableKey(id));
  if (table === undefined) return undefined;
  const elements = forPortSets((): ElementsByPlace => new Map());
  const sets = new Map(table.sets);
  for (const set of table.sets.values()) {
    if (isPortSetName(set.name)) elements[set.name] = await readSet(id, { set, keyed: placeIn }, source);
    else if (tableSets.includes(set.name))
      sets.set(set.name, { ...set, elements: await readSet(id, { set, keyed: elementKey }, source) });
  }
  return { generation, table: { ...table, sets }, elements };
}

async function readSet<K>(
  id: TableId,
  of: { readonly set: NftSet; readonly keyed: (set: NftSet, element: Element) => K },
  { driver, signal }: Source,
): Promise<Map<K, Element>> {
  const { set, keyed } = of;
  for (let attempt = 1; ; attempt++) {
    const found = new Map<K, Element>();
    try {
      for (const slice of driver.readElements(id, set)) {
        for (const element of slice) found.set(keyed(set, element), element);
        if (attempt <= sliced) await pause(signal);
      }
      return found;
    } catch (error) {
      // The whole set, or its table, was taken away meanwhile: the first transaction will say so.
      if (isNotFound(error)) return found;
      if (!isInterrupted(error) || attempt === attempts) throw error;
      await pause(signal);
    }
  }
}
