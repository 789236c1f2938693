// The sets and maps of a table: their names, types and sizes. What is in them is port-elements.ts.
import { map, set } from '../../kernel/nft/declare.ts';
import { addressType } from '../../kernel/nft/fields.ts';
import type { NftSet, TypeofExpression } from '../../kernel/nft/set.ts';
import type { Family } from '../../net/address.ts';
import { upperLimit } from './token.ts';

/** Sets with elements for service ports. */
export const portSetNames = [
  'services',
  'node-ports',
  'guarded',
  'cluster-ips',
  'hairpin',
  'endpoints',
  'local-endpoints',
  'sticky-endpoints',
  'sticky-local-endpoints',
  'sticky-addresses',
  'sticky-local-addresses',
] as const;
export type PortSetName = (typeof portSetNames)[number];

export function isPortSetName(name: string): name is PortSetName {
  return known.has(name);
}

const known: ReadonlySet<string> = new Set(portSetNames);

/** Something for each of the sets. */
export function forPortSets<T>(make: (name: PortSetName) => T): Record<PortSetName, T> {
  // Object.fromEntries forgets that the names are all there.
  return Object.fromEntries(portSetNames.map((name) => [name, make(name)])) as Record<PortSetName, T>;
}

export type SetSizes = Readonly<Record<PortSetName, number>>;

/**
 * For how many elements there are buckets at least. They are made when the set is, eight bytes each: in return no map grows while
 * it is loaded. Sets of rare uses are small.
 */
const leastBuckets: SetSizes = {
  services: 16384,
  'node-ports': 8192,
  guarded: 1024,
  'cluster-ips': 16384,
  hairpin: 1024,
  endpoints: 32768,
  'local-endpoints': 4096,
  'sticky-endpoints': 1024,
  'sticky-local-endpoints': 1024,
  'sticky-addresses': 1024,
  'sticky-local-addresses': 1024,
};

export function setSizes(needed: Readonly<Record<PortSetName, number>>): SetSizes {
  return forPortSets((name) => sizeFor(name, needed[name]));
}

/**
 * Room for a quarter more, and for as many as the buckets can take: the kernel makes a power of two of them that is at least four
 * thirds of the size (nft_hash_buckets). More would be waste: to bind a map to a chain it walks all buckets.
 */
export function sizeFor(name: PortSetName, needed: number): number {
  const buckets = 2 ** Math.ceil(Math.log2(Math.max(1, (needed * 5 * 4) / (4 * 3))));
  return (Math.max(leastBuckets[name], buckets) * 3) / 4;
}

/** Clients that can be remembered by all services of a family; further ones are spread anew with each connection. */
const affinitySize = 131_072;

/** Original destinations that are counted at a time, and how long one that is not used stays (milliseconds). */
const trafficSize = 65_536;
export const trafficTimeout = 3_600_000;

/** Numgen yields a plain integer, which nft can only name by an expression. */
const slot: TypeofExpression = { numgen: 'random', modulus: upperLimit };

/** All sets of a table, empty, by name. */
export function proxySets(
  family: Family,
  options: { readonly sizes: SetSizes; readonly nodePortIps: boolean; readonly counters: boolean },
): readonly NftSet[] {
  const { sizes } = options;
  const address = addressType(family);
  const daddr = family === 4 ? 'ip daddr' : 'ip6 daddr';
  const service = [address, 'inet_proto', 'inet_service'] as const;
  const endpoint = {
    key: ['classid', 'integer'],
    data: [address, 'inet_service'],
    typeof: ['meta priority', slot, daddr, 'th dport'],
  } as const;
  const stickyEndpoint = {
    key: ['classid', 'integer'],
    data: 'classid',
    typeof: ['meta priority', slot, 'meta priority'],
  } as const;
  const stickyAddress = { key: 'classid', data: [address, 'inet_service'] } as const;
  const sized = (name: PortSetName) => ({ size: sizes[name] });
  return [
    map('services', { key: service, data: 'classid', ...sized('services') }),
    map('node-ports', { key: ['inet_proto', 'inet_service'], data: 'classid', ...sized('node-ports') }),
    map('guarded', {
      key: service,
      data: 'classid',
      ...sized('guarded'),
      comment: 'addresses that only some sources may use',
    }),
    map('classes', { key: 'classid', data: 'verdict', size: upperLimit }),
    set('cluster-ips', { key: address, ...sized('cluster-ips') }),
    set('hairpin', {
      key: [address, address],
      ...sized('hairpin'),
      comment: 'endpoints that may reach themselves',
    }),
    map('endpoints', { ...endpoint, ...sized('endpoints') }),
    map('local-endpoints', { ...endpoint, ...sized('local-endpoints') }),
    map('affinity', {
      // In this order: nft 1.0.6 aborts on an update whose key has an IPv6 address first.
      key: ['classid', address],
      data: 'classid',
      flags: ['dynamic', 'timeout'],
      size: affinitySize,
      comment: 'which endpoint a client has of a service, by number',
    }),
    map('sticky-endpoints', { ...stickyEndpoint, ...sized('sticky-endpoints') }),
    map('sticky-local-endpoints', { ...stickyEndpoint, ...sized('sticky-local-endpoints') }),
    map('sticky-addresses', { ...stickyAddress, ...sized('sticky-addresses') }),
    map('sticky-local-addresses', { ...stickyAddress, ...sized('sticky-local-addresses') }),
    ...(options.nodePortIps ? [set('node-port-ips', { key: address })] : []),
    ...(options.counters
      ? trafficSetNames.map((name) =>
          set(name, { key: service, flags: ['dynamic', 'timeout'], size: trafficSize }),
        )
      : []),
  ];
}

/** To the service and back. */
export const trafficSetNames = ['traffic-in', 'traffic-out'] as const;
