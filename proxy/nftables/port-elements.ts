// The elements of a service port: what stands for it in the sets of the table. Pure.
import type { TableId } from '../../kernel/nft/objects.ts';
import type { Element, SetType } from '../../kernel/nft/set.ts';
import type { NftStep, StepSet } from '../../kernel/nft/step.ts';
import { keyText } from '../../kernel/nft/value-text.ts';
import { IpAddress } from '../../net/address.ts';
import { type Endpoint, type ServicePort, servicePortName } from '../service-port.ts';
import { type EndpointIndices, endpointText } from './endpoint-slots.ts';
import type { PortAddress } from './port-addresses.ts';
import type { PortSetName } from './proxy-sets.ts';
import { token } from './token.ts';
import { className } from './traffic-class.ts';

/** A port as it is in the kernel. */
export interface PortRecord {
  readonly port: ServicePort;
  readonly id: number;
  /** Those that no other port has. */
  readonly addresses: readonly PortAddress[];
  /** Those that others have: the port waits for them. */
  readonly refused: readonly PortAddress[];
  /** By slot. */
  readonly cluster: readonly Endpoint[];
  readonly local: readonly Endpoint[];
  /** Only with affinity. */
  readonly indices: EndpointIndices | undefined;
}

/** An element and the set that it stands in, as the step that puts it there. */
export type ElementAdd = Extract<NftStep, { kind: 'element-add' }>;

export interface ElementPlaces {
  readonly table: TableId;
  readonly sets: Readonly<Record<PortSetName, StepSet>>;
}

/**
 * Tells an element of a port from all others of its set. Numbers where there are many and they are short: endpoints; else the
 * text that nft prints.
 */
export function placeIn(set: SetType, { key }: Pick<Element, 'key'>): string | number {
  if (key === 'default') return '*';
  const [first, second = 0] = key;
  if (
    typeof first !== 'number' ||
    typeof second !== 'number' ||
    second >= 2 ** 21 ||
    set.key[0] !== 'classid'
  )
    return keyText(set.key, key);
  return first * 2 ** 21 + second;
}

/** Elements that are the port's alone. `numberOf`: of a class by its name. */
export function portElements(
  record: PortRecord,
  { places, numberOf }: { readonly places: ElementPlaces; readonly numberOf: (className: string) => number },
): readonly ElementAdd[] {
  const { id, indices } = record;
  const comment = elementComment(servicePortName(record.port));
  const elements: ElementAdd[] = [];
  const add = (set: PortSetName, element: Element): void => {
    elements.push({ kind: 'element-add', table: places.table, set: places.sets[set], element });
  };
  for (const { set, key, trafficClass, guard } of record.addresses) {
    add(set, { key, data: [token(numberOf(className(trafficClass)), id)], comment });
    if (guard !== undefined) add('guarded', { key, data: [token(numberOf(className(guard)), id)], comment });
  }
  for (const local of [false, true]) {
    const list = local ? record.local : record.cluster;
    for (const [slot, endpoint] of list.entries()) {
      const target = [endpoint.address, endpoint.port];
      const key = [id, slot];
      if (indices === undefined) {
        add(local ? 'local-endpoints' : 'endpoints', { key, data: target });
        continue;
      }
      const index = token(indices.numbers.get(endpointText(endpoint)) ?? 0, id);
      add(local ? 'sticky-local-endpoints' : 'sticky-endpoints', { key, data: [index] });
      add(local ? 'sticky-local-addresses' : 'sticky-addresses', { key: [index], data: target });
    }
  }
  return elements;
}

/** Sets whose elements ports share: an address stands there once for all that have it. */
export const sharedSetNames = ['cluster-ips', 'hairpin'] as const;
export type SharedSetName = (typeof sharedSetNames)[number];

export function sharedAddresses(
  name: SharedSetName,
  record: Pick<PortRecord, 'port' | 'cluster' | 'local'> | undefined,
): readonly IpAddress[] {
  if (record === undefined) return [];
  if (name === 'cluster-ips') return [record.port.clusterIp];
  const found = new Map<string, IpAddress>();
  for (const list of [record.cluster, record.local])
    for (const { address, local, nodeUnknown } of list)
      if (local || nodeUnknown) found.set(String(address), address);
  return [...found.values()];
}

export function sharedElement(
  name: SharedSetName,
  { address, places }: { readonly address: IpAddress; readonly places: ElementPlaces },
): ElementAdd {
  const element = { key: name === 'hairpin' ? [address, address] : [address] };
  return { kind: 'element-add', table: places.table, set: places.sets[name], element };
}

/** Whether an element of ours is as it should be; keys are the same. */
export function sameContents(a: Element, b: Element): boolean {
  if (a.comment !== b.comment) return false;
  if (a.data === undefined || b.data === undefined) return a.data === b.data;
  const [one, two] = [a.data, b.data];
  if (!isValues(one) || !isValues(two)) return false;
  return (
    one.length === two.length &&
    one.every((value, i) => {
      const other = two[i];
      return value instanceof IpAddress && other instanceof IpAddress ? value.equals(other) : value === other;
    })
  );
}

function isValues(
  data: NonNullable<Element['data']>,
): data is Exclude<typeof data, { readonly kind: string }> {
  return Array.isArray(data);
}

/** What nft takes between quotes (declare.ts), however long names are. */
function elementComment(name: string): string {
  if (name.length <= 127 && /^[\x20!\x23-\x7e]*$/.test(name)) return name;
  const plain = name.replaceAll(/[^\x20!\x23-\x7e]/g, '?');
  return plain.length <= 127 ? plain : `${plain.slice(0, 62)}...${plain.slice(-62)}`;
}
