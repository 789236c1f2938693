// A cluster made up for tests: configurations, leases and what a node's kernel says before Netloom is there.

import { type RouteObjects, type RouteState, routeState } from '../kernel/route/objects.ts';
import { IpAddress } from '../net/address.ts';
import { Mac } from '../net/mac.ts';
import { Prefix } from '../net/prefix.ts';
import { WireguardKey } from '../net/wireguard-key.ts';
import type { BackendData, Lease } from '../store/lease.ts';
import { leaseKey } from '../store/lease-key.ts';
import { decodeNetworkConfig, type NetworkConfig } from '../store/network-config.ts';
import type { Underlay } from './underlay.ts';

export function sampleConfig(options: {
  readonly backend?: Readonly<Record<string, unknown>>;
  readonly families?: readonly (4 | 6)[];
}): NetworkConfig {
  const { backend = { Type: 'vxlan' }, families = [4] } = options;
  return decodeNetworkConfig(
    JSON.stringify({
      EnableIPv4: families.includes(4),
      EnableIPv6: families.includes(6),
      ...(families.includes(4) ? { Network: '10.244.0.0/16' } : {}),
      ...(families.includes(6) ? { IPv6Network: 'fd00:244::/48' } : {}),
      Backend: backend,
    }),
  );
}

export interface SampleNode {
  /** 1 to 250: it is in its name, subnets, addresses and MACs. */
  readonly number: number;
  readonly families?: readonly (4 | 6)[];
  readonly backend?: string;
  readonly publicIp?: string;
  readonly vtepMac?: string;
  readonly vni?: number;
  readonly subnet?: string;
  readonly node?: string;
  readonly expiresAt?: number;
}

export function sampleLease(sample: SampleNode): Lease {
  const { number, families = [4], backend = 'vxlan', vni = 1 } = sample;
  const ip4 = families.includes(4);
  const ip6 = families.includes(6);
  const hex = number.toString(16).padStart(2, '0');
  const data = (family: string) =>
    ({ kind: 'vxlan', vni, vtepMac: Mac.parse(sample.vtepMac ?? `02:00:00:00:${family}:${hex}`) }) as const;
  return {
    node: sample.node ?? `node-${number}`,
    subnet: ip4 ? Prefix.parse(sample.subnet ?? `10.244.${number}.0/24`) : undefined,
    subnet6: ip6 ? Prefix.parse(`fd00:244:0:${number.toString(16)}::/64`) : undefined,
    publicIp: ip4 ? IpAddress.parse(sample.publicIp ?? `192.0.2.${number}`) : undefined,
    publicIp6: ip6 ? IpAddress.parse(`2001:db8::${number.toString(16)}`) : undefined,
    backendType: backend,
    ...(backend === 'vxlan' && ip4 ? { backendData: data('04') } : {}),
    ...(backend === 'vxlan' && ip6 ? { backendDataV6: data('06') } : {}),
    ...(backend === 'wireguard' && ip4 ? { backendData: wireguardData(number, 51820) } : {}),
    ...(backend === 'wireguard' && ip6 ? { backendDataV6: wireguardData(number, 51821) } : {}),
    ...(sample.expiresAt === undefined ? {} : { expiresAt: sample.expiresAt }),
  };
}

/** The public key of a node: no real one, but of the form. */
export function sampleKey(number: number): WireguardKey {
  return WireguardKey.fromBytes(new Uint8Array(32).fill(number));
}

/** Node 1's. */
export const sampleWireguardKey = (): WireguardKey => sampleKey(1);

function wireguardData(number: number, port: number): BackendData {
  return { kind: 'wireguard', publicKey: sampleKey(number), port };
}

/** As a store's snapshot has them. */
export function leaseMap(leases: readonly Lease[]): ReadonlyMap<string, Lease> {
  return new Map(leases.map((lease) => [leaseKey(lease), lease]));
}

/** The underlay of node 1. */
export function sampleUnderlay(families: readonly (4 | 6)[] = [4]): Underlay {
  const family = (text: string) => ({ address: IpAddress.parse(text), publicIp: IpAddress.parse(text) });
  return {
    link: 'eth0',
    mtu: 1500,
    ip4: families.includes(4) ? family('192.0.2.1') : undefined,
    ip6: families.includes(6) ? family('2001:db8::1') : undefined,
  };
}

const route = { table: 254, protocol: 3, type: 'unicast', scope: 'global' } as const;
const connected = { table: 254, protocol: 2, type: 'unicast', scope: 'link' } as const;

/** Node 1 as its machine comes up: eth0 in 192.0.2.0/24 and 2001:db8::/64, default routes by a router there, an idle eth1. */
export function sampleMachine(more: RouteObjects = {}): RouteState {
  return routeState({
    links: [
      { name: 'lo', detail: { kind: 'other', type: '' }, mtu: 65536, up: true },
      { name: 'eth0', detail: { kind: 'other', type: '' }, mtu: 1500, up: true },
      { name: 'eth1', detail: { kind: 'other', type: '' }, mtu: 9000, up: true },
      ...(more.links ?? []),
    ],
    addresses: [
      { link: 'lo', prefix: Prefix.parse('127.0.0.1/8'), scope: 'host', permanent: true },
      { link: 'eth0', prefix: Prefix.parse('192.0.2.1/24'), scope: 'global', permanent: true },
      { link: 'eth0', prefix: Prefix.parse('2001:db8::1/64'), scope: 'global', permanent: true },
      { link: 'eth1', prefix: Prefix.parse('198.51.100.1/24'), scope: 'global', permanent: true },
      ...(more.addresses ?? []),
    ],
    routes: [
      {
        ...route,
        destination: Prefix.parse('0.0.0.0/0'),
        priority: 0,
        hops: [{ gateway: IpAddress.parse('192.0.2.254'), link: 'eth0' }],
      },
      {
        ...route,
        destination: Prefix.parse('::/0'),
        priority: 1024,
        hops: [{ gateway: IpAddress.parse('2001:db8::ff'), link: 'eth0' }],
      },
      { ...connected, destination: Prefix.parse('192.0.2.0/24'), priority: 0, hops: [{ link: 'eth0' }] },
      { ...connected, destination: Prefix.parse('198.51.100.0/24'), priority: 0, hops: [{ link: 'eth1' }] },
      { ...connected, destination: Prefix.parse('2001:db8::/64'), priority: 256, hops: [{ link: 'eth0' }] },
      ...(more.routes ?? []),
    ],
    neighbours: more.neighbours ?? [],
    fdb: more.fdb ?? [],
  });
}
