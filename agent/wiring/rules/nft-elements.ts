// What a pod puts into our nftables tables: elements of its own, and a few that it shares with others. Pure.
import { element, elementKey, elementsOf } from '../../../kernel/nft/declare.ts';
import { type NftState, nftState, type Table, type TableId, tableKey } from '../../../kernel/nft/objects.ts';
import type { Element, NftSet } from '../../../kernel/nft/set.ts';
import { protocol } from '../../../kernel/nft/value-text.ts';
import { Prefix } from '../../../net/prefix.ts';
import { attachmentFileName } from '../attachment.ts';
import type { PodRules } from '../pod-rules.ts';
import {
  checkedLinks,
  emptyFrameTable,
  emptyPodTable,
  familySets,
  frameTable,
  localnet,
  ownMacs,
  podTable,
} from './nft-tables.ts';
import { localnetLink, type PublishedPort, publishedPorts } from './published-port.ts';

/** An element and where it goes. */
export interface PlacedElement {
  readonly table: TableId;
  readonly set: NftSet;
  readonly element: Element;
  /** The port that it publishes: no two attachments may have it. */
  readonly port?: PublishedPort | undefined;
}

export interface PodElements {
  /** With the attachment's name as their comment. */
  readonly own: readonly PlacedElement[];
  /** Other pods may need them, too: only `ensure` takes them away. */
  readonly shared: readonly PlacedElement[];
}

export function podElements(rules: PodRules): PodElements {
  const comment = attachmentFileName(rules.attachment);
  const own: PlacedElement[] = [];
  const shared: PlacedElement[] = [];
  const put = (
    set: NftSet,
    key: Element['key'],
    more: Pick<PlacedElement, 'port'> & Pick<Element, 'data'> = {},
  ) => {
    const { port, data } = more;
    own.push({
      table: podTable,
      set,
      element: { key, comment, ...(data === undefined ? {} : { data }) },
      port,
    });
  };
  const ports = publishedPorts(rules);
  for (const port of ports) {
    const { family, hostIp, hostPort, containerPort, pod } = port;
    const sets = familySets[family];
    const number = protocol[port.protocol];
    const data = [pod.address, containerPort];
    if (hostIp === undefined) put(sets.ports, [number, hostPort], { port, data });
    else put(sets.addressPorts, [hostIp, number, hostPort], { port, data });
    if (rules.portMasquerade !== 'none') put(sets.answered, [pod.address, number, containerPort, hostPort]);
  }
  if (rules.portMasquerade === 'all') {
    for (const { family, pod } of ports) put(familySets[family].always, [pod.address]);
  }
  if (rules.masquerade) {
    for (const { family, address } of rules.addresses) put(familySets[family].sources, [address]);
  }
  if (ports.length > 0 || rules.masquerade) {
    for (const prefix of rules.addresses) {
      const subnet = prefix.length === prefix.bits ? prefix.address : prefix.network();
      shared.push({
        table: podTable,
        set: familySets[prefix.family].subnets,
        element: element([subnet, subnet]),
      });
    }
  }
  const link = localnetLink(rules);
  if (link !== undefined) shared.push({ table: podTable, set: localnet, element: element(link) });
  if (rules.spoofCheck !== undefined) {
    const { hostLink, mac } = rules.spoofCheck;
    own.push(
      { table: frameTable, set: checkedLinks, element: element(hostLink, { comment }) },
      { table: frameTable, set: ownMacs, element: element([hostLink, mac], { comment }) },
    );
  }
  // Two addresses of one host port lead to one end of the pod, two addresses may share a subnet.
  return { own: unique(own), shared: unique(shared) };
}

function unique(placed: readonly PlacedElement[]): readonly PlacedElement[] {
  const found = new Map<string, PlacedElement>();
  for (const one of placed) if (!found.has(placeKey(one))) found.set(placeKey(one), one);
  return [...found.values()];
}

/** What tells one place in the tables from all others. */
export function placeKey({ table, set, element: one }: PlacedElement): string {
  return `${tableKey(table)} ${set.name} ${elementKey(set, one)}`;
}

/**
 * The tables that carry all these pods and nothing else; none of them when nothing is to be carried. Of two pods that want one
 * port the first has it.
 */
export function podTables(rules: readonly PodRules[]): NftState {
  const placed = rules.map(podElements).flatMap(({ own, shared }) => [...own, ...shared]);
  return nftState([
    ...filled(
      emptyPodTable,
      placed.filter(({ table }) => table === podTable),
    ),
    ...filled(
      emptyFrameTable,
      placed.filter(({ table }) => table === frameTable),
    ),
  ]);
}

function filled(empty: Table, placed: readonly PlacedElement[]): readonly Table[] {
  return placed.length === 0 ? [] : [withElements(empty, placed)];
}

/** What is there, brought in order, with these elements in it, which replace others of the same key. Tables that get none stay. */
export function withPod(actual: NftState, { own, shared }: PodElements): NftState {
  const tables = new Map(actual);
  for (const empty of [emptyPodTable, emptyFrameTable]) {
    const key = tableKey(empty);
    const placed = [...own, ...shared].filter(({ table }) => tableKey(table) === key);
    if (placed.length === 0) continue;
    tables.set(key, withElements(empty, [...placed, ...elementsIn(empty, actual.get(key))]));
  }
  return tables;
}

/** The elements of the sets that are as ours are. */
function elementsIn(empty: Table, actual: Table | undefined): readonly PlacedElement[] {
  const found: PlacedElement[] = [];
  for (const [name, set] of empty.sets) {
    const there = actual?.sets.get(name);
    if (
      there === undefined ||
      JSON.stringify([there.key, there.data]) !== JSON.stringify([set.key, set.data])
    )
      continue;
    for (const one of there.elements.values()) found.push({ table: empty, set, element: one });
  }
  return found;
}

/** The first of each key counts. */
function withElements(empty: Table, placed: readonly PlacedElement[]): Table {
  const bySet = new Map<string, Element[]>();
  for (const { set, element: one } of unique(placed)) {
    const list = bySet.get(set.name);
    if (list === undefined) bySet.set(set.name, [one]);
    else list.push(one);
  }
  const sets = [...empty.sets].map(([name, set]) => {
    const elements = bySet.get(name) ?? [];
    const kept = set.flags.includes('interval') ? outermost(elements) : elements;
    return [name, { ...set, elements: elementsOf(set, kept) }] as const;
  });
  return { ...empty, sets: new Map(sets) };
}

/**
 * The kernel takes no subnet within another (networks that were set up to overlap): the larger one stands for both. The pods of
 * the smaller one then reach the larger one's under their own addresses.
 */
function outermost(elements: readonly Element[]): readonly Element[] {
  return elements.filter((one) => !elements.some((other) => other !== one && covers(other, one)));
}

function covers(outer: Element, inner: Element): boolean {
  const [a, b] = [outer, inner].map(({ key }) => prefixOf(key));
  return a !== undefined && b !== undefined && a.contains(b);
}

/** A subnet of one address comes back from the kernel as that address. */
function prefixOf(key: Element['key']): Prefix | undefined {
  const [part] = key === 'default' ? [] : key;
  if (part instanceof Prefix) return part;
  return typeof part === 'object' && 'family' in part ? Prefix.host(part) : undefined;
}
