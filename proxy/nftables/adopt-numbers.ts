// What an earlier process numbered: ids, classes, slots and indices are read off the elements that it left, so that a restart changes
// nothing and clients keep their endpoints. Pure but for the pauses in it.

import type { Element } from '../../kernel/nft/set.ts';
import { IpAddress } from '../../net/address.ts';
import { endpointText } from './endpoint-slots.ts';
import type { ElementsByPlace, KernelTable } from './kernel-table.ts';
import { pause } from './pause.ts';
import type { AdoptedLists, AdoptedNumbers } from './proxied-ports.ts';
import type { PortSetName } from './proxy-sets.ts';
import { idOf, upperOf } from './token.ts';

/**
 * `portAt`: the key of the port that should have an address, as portAddresses names it. `before`: ids that this process
 * gave, for ports whose addresses are gone from the kernel.
 */
export async function adoptNumbers(
  { table, elements }: Pick<KernelTable, 'table' | 'elements'>,
  options: {
    readonly portAt: (text: string) => string | undefined;
    readonly before: ReadonlyMap<string, number>;
    readonly signal: AbortSignal;
  },
): Promise<AdoptedNumbers> {
  const { signal } = options;
  const ids = new Map<string, number>();
  const taken = new Set<number>();
  const usedIds = new Set<number>();
  const give = (key: string | undefined, id: number): void => {
    if (key === undefined || id === 0 || ids.has(key) || taken.has(id)) return;
    ids.set(key, id);
    taken.add(id);
    usedIds.add(id);
  };
  for (const set of [elements.services, elements['node-ports']])
    await each(set, signal, (element, place) => {
      const id = idOf(numberIn(element));
      usedIds.add(id);
      if (typeof place === 'string') give(options.portAt(place), id);
    });
  for (const [key, id] of options.before) give(key, id);
  const lists = new Lists();
  const add = (name: PortSetName, action: (element: Element) => void) => each(elements[name], signal, action);
  await add('endpoints', (one) => lists.add('cluster', one, addressText(one)));
  await add('local-endpoints', (one) => lists.add('local', one, addressText(one)));
  await add('sticky-addresses', (one) => lists.addIndex(one));
  await add('sticky-local-addresses', (one) => lists.addIndex(one));
  await add('sticky-endpoints', (one) => lists.add('cluster', one, lists.textOfIndex(one)));
  await add('sticky-local-endpoints', (one) => lists.add('local', one, lists.textOfIndex(one)));
  for (const id of lists.found.keys()) usedIds.add(id);
  return { classes: classNumbers(table), ids, usedIds, lists: lists.found };
}

/** Elements looked at between two pauses. */
const slice = 5000;

async function each(
  elements: ElementsByPlace,
  signal: AbortSignal,
  action: (element: Element, place: string | number) => void,
): Promise<void> {
  let looked = 0;
  for (const [place, element] of elements) {
    action(element, place);
    looked += 1;
    if (looked % slice === 0) await pause(signal);
  }
}

function classNumbers(table: KernelTable['table']): ReadonlyMap<string, number> {
  const numbers = new Map<string, number>();
  for (const { key, data } of table.sets.get('classes')?.elements.values() ?? []) {
    const [token] = key === 'default' ? [] : key;
    if (typeof token !== 'number' || data === undefined || !('kind' in data) || data.kind !== 'goto')
      continue;
    if (!numbers.has(data.chain) && idOf(token) === 0) numbers.set(data.chain, upperOf(token));
  }
  return numbers;
}

/** The token that an element leads to; 0 when it is none. */
function numberIn({ data }: Element): number {
  const [value] = data === undefined || 'kind' in data ? [] : data;
  return typeof value === 'number' ? value : 0;
}

function addressText({ data }: Element): string | undefined {
  const [address, port] = data === undefined || 'kind' in data ? [] : data;
  return address instanceof IpAddress && typeof port === 'number'
    ? endpointText({ address, port })
    : undefined;
}

interface GrowingLists extends AdoptedLists {
  readonly cluster: (string | undefined)[];
  readonly local: (string | undefined)[];
  readonly indices: { readonly numbers: Map<string, number>; next: number };
}

/** More endpoints than a port can have: such a slot is not one of ours. */
const mostSlots = 1 << 20;

class Lists {
  readonly found = new Map<number, GrowingLists>();
  readonly #texts = new Map<number, string>();

  textOfIndex(element: Element): string | undefined {
    return this.#texts.get(numberIn(element));
  }

  add(list: 'cluster' | 'local', { key }: Element, text: string | undefined): void {
    const [id, slot] = key === 'default' ? [] : key;
    if (typeof id !== 'number' || typeof slot !== 'number' || slot >= mostSlots) return;
    this.#of(id)[list][slot] = text;
  }

  addIndex(element: Element): void {
    const [token] = element.key === 'default' ? [] : element.key;
    const text = addressText(element);
    if (typeof token !== 'number' || text === undefined) return;
    this.#texts.set(token, text);
    const { indices } = this.#of(idOf(token));
    const index = upperOf(token);
    if (index === 0) return;
    indices.numbers.set(text, index);
    indices.next = Math.max(indices.next, index + 1);
  }

  #of(id: number): GrowingLists {
    const there = this.found.get(id);
    if (there !== undefined) return there;
    const made = { cluster: [], local: [], indices: { numbers: new Map(), next: 1 } };
    this.found.set(id, made);
    return made;
  }
}
