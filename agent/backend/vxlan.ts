// The VXLAN backend, flannel's objects to the bit: a device a family, and for each peer a neighbour, an FDB row and a route.
// With DirectRouting, a peer on the underlay's own network gets a plain route instead.

import {
  type FdbEntry,
  fdbKey,
  type InterfaceAddress,
  type Link,
  type Neighbour,
  neighbourKey,
  type Route,
  routeKey,
} from '../../kernel/route/objects.ts';
import type { Family } from '../../net/address.ts';
import type { Mac } from '../../net/mac.ts';
import { isInterfaceName } from '../../net/names.ts';
import { Prefix } from '../../net/prefix.ts';
import type { VxlanConfig } from '../../store/backend-config.ts';
import type { BackendData, Lease } from '../../store/lease.ts';
import type { NetworkConfig } from '../../store/network-config.ts';
import { netloomAlias } from '../alias.ts';
import type { Underlay } from '../underlay.ts';
import type {
  Advertisement,
  BackendDevices,
  BackendInput,
  DeviceMacs,
  PeerFamily,
  PeerParts,
} from './backend.ts';
import { isDirect, peerFamilies } from './backend.ts';
import { peerRoute } from './peer-route.ts';

/** Outer Ethernet, IP, UDP and VXLAN headers (RFC 7348, section 5), by the underlay's family. */
export const vxlanOverhead = { 4: 50, 6: 70 } as const;

/** The device of a family: flannel's names. */
export function vxlanDeviceName(vni: number, family: Family): string {
  return family === 4 ? `flannel.${vni}` : `flannel-v6.${vni}`;
}

/** True for a name that `vxlanDeviceName` can give: what a change of the VNI leaves behind. */
export function isVxlanDeviceName(name: string): boolean {
  return /^flannel(-v6)?\.\d{1,8}$/.test(name);
}

/** Why this node cannot run the backend as it is configured; undefined when it can. */
export function whyNotVxlan(config: VxlanConfig, network: NetworkConfig): string | undefined {
  if (config.gbp) {
    return 'Cannot run backend "vxlan" with "GBP": group policy marks are not carried over the pods\' bridge; remove it from the configuration';
  }
  // "flannel-v6." leaves four digits.
  const longest = familiesOf(network)
    .map((family) => vxlanDeviceName(config.vni, family))
    .find((name) => !isInterfaceName(name));
  if (longest !== undefined) {
    return `Cannot run backend "vxlan" with "VNI" ${config.vni}: the device's name "${longest}" would be longer than 15 bytes`;
  }
  return undefined;
}

function familiesOf({ ip4, ip6 }: Pick<NetworkConfig, 'ip4' | 'ip6'>): readonly Family[] {
  return [...(ip4 === undefined ? [] : ([4] as const)), ...(ip6 === undefined ? [] : ([6] as const))];
}

/** Never more than the underlay carries: the kernel would cut it down without a word. */
function deviceMtu(config: VxlanConfig, underlay: Underlay, family: Family): number {
  return Math.min(config.mtu ?? underlay.mtu, underlay.mtu) - vxlanOverhead[family];
}

export interface AdvertiseVxlanInput {
  readonly network: NetworkConfig;
  readonly config: VxlanConfig;
  readonly underlay: Underlay;
  readonly macs: DeviceMacs;
}

export function advertiseVxlan({ network, config, underlay, macs }: AdvertiseVxlanInput): Advertisement {
  const data = (family: Family): BackendData => ({
    kind: 'vxlan',
    vni: config.vni,
    vtepMac: macs(vxlanDeviceName(config.vni, family)),
  });
  return {
    publicIp: underlay.ip4?.publicIp,
    publicIp6: underlay.ip6?.publicIp,
    backendType: 'vxlan',
    backendData: network.ip4 === undefined ? undefined : data(4),
    backendDataV6: network.ip6 === undefined ? undefined : data(6),
  };
}

export interface PlanVxlanInput extends BackendInput {
  readonly vxlan: VxlanConfig;
}

export function vxlanDevices(input: PlanVxlanInput): BackendDevices {
  const links: Link[] = [];
  const addresses: InterfaceAddress[] = [];
  for (const family of familiesOf(input.config)) {
    const link = device(input, family);
    const subnet = family === 4 ? input.own.subnet : input.own.subnet6;
    if (link === undefined || subnet === undefined) continue;
    links.push(link);
    // A single address, so that no broadcast route appears on the overlay.
    const prefix = Prefix.host(subnet.first());
    addresses.push({ link: link.name, prefix, scope: 'global', ...(family === 6 ? { noDad: true } : {}) });
  }
  const mtus = familiesOf(input.config).map((family) => deviceMtu(input.vxlan, input.underlay, family));
  return { links, addresses, mtu: Math.min(...mtus) };
}

function device(input: PlanVxlanInput, family: Family): Link | undefined {
  const { vxlan, own, underlay } = input;
  const local = family === 4 ? underlay.ip4?.publicIp : underlay.ip6?.publicIp;
  const data = family === 4 ? own.backendData : own.backendDataV6;
  if (local === undefined || data?.kind !== 'vxlan') return undefined;
  return {
    name: vxlanDeviceName(vxlan.vni, family),
    detail: {
      kind: 'vxlan',
      vni: vxlan.vni,
      port: vxlan.port,
      local,
      underlay: underlay.link,
      learning: vxlan.learning,
    },
    mac: data.vtepMac,
    mtu: deviceMtu(vxlan, underlay, family),
    up: true,
    alias: netloomAlias,
  };
}

/** The lease is a checked one (peers.ts). */
export function planVxlanPeer(lease: Lease, input: PlanVxlanInput): PeerParts {
  const neighbours: Neighbour[] = [];
  const fdb: FdbEntry[] = [];
  const routes: Route[] = [];
  let tunnelled = false;
  for (const family of peerFamilies(lease, input.config)) {
    const { subnet, publicIp } = family;
    const vtepMac = vtepMacOf(lease, family);
    if (input.vxlan.directRouting && isDirect(publicIp, input)) {
      routes.push(peerRoute({ subnet, gateway: publicIp, link: input.underlay.link }));
    } else if (vtepMac !== undefined) {
      tunnelled = true;
      const link = vxlanDeviceName(input.vxlan.vni, subnet.family);
      const gateway = subnet.first();
      neighbours.push({ link, address: gateway, mac: vtepMac, state: 'permanent' });
      fdb.push({ link, mac: vtepMac, remote: publicIp, self: true, state: 'permanent' });
      routes.push(peerRoute({ subnet, gateway, link, onlink: true }));
    }
  }
  const keys = {
    neighbours: neighbours.map(neighbourKey),
    fdb: fdb.map(fdbKey),
    routes: routes.map(routeKey),
  };
  return { plan: { lease, path: tunnelled ? 'vxlan' : 'direct', keys }, neighbours, fdb, routes };
}

function vtepMacOf(lease: Lease, { subnet }: PeerFamily): Mac | undefined {
  const data = subnet.family === 4 ? lease.backendData : lease.backendDataV6;
  return data?.kind === 'vxlan' ? data.vtepMac : undefined;
}
