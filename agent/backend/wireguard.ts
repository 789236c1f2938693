// The wireguard backend, flannel's objects: one device, or one a family, the network's route through it, and for each peer a peer of the
// device. What is in the network goes through the device or nowhere: nothing of it leaves in the clear while a peer is missing.
import type { InterfaceAddress, Link, Route } from '../../kernel/route/objects.ts';
import type { Endpoint } from '../../kernel/wireguard/objects.ts';
import type { Family, IpAddress } from '../../net/address.ts';
import { Prefix } from '../../net/prefix.ts';
import { isPrivateAddress } from '../../net/private-address.ts';
import type { WireguardKey } from '../../net/wireguard-key.ts';
import type { WireguardConfig } from '../../store/backend-config.ts';
import type { BackendData, Lease } from '../../store/lease.ts';
import type { NetworkConfig } from '../../store/network-config.ts';
import { netloomAlias } from '../alias.ts';
import { type CarriedPeer, type CarrierDevice, carriedName } from '../carrier/carrier.ts';
import type { Underlay } from '../underlay.ts';
import {
  type Advertisement,
  type BackendDevices,
  type BackendInput,
  type PeerParts,
  peerFamilies,
  type WireguardPublicKey,
} from './backend.ts';
import { networkRoute } from './peer-route.ts';

/**
 * Outer IPv6 header 40, UDP 8, and WireGuard's own 32 (type, key index, nonce, tag). flannel takes it for IPv4 as well, and so do we: nodes of
 * both are in one network.
 */
export const wireguardOverhead = 80;

/** flannel's names. A device of its own for IPv6 is there in mode "separate" only. */
export const wireguardDeviceNames = { 4: 'flannel-wg', 6: 'flannel-wg-v6' } as const;

export function isWireguardDeviceName(name: string): boolean {
  return name === wireguardDeviceNames[4] || name === wireguardDeviceNames[6];
}

export function whyNotWireguard(
  { mode, listenPort, listenPortV6 }: WireguardConfig,
  { ip4, ip6 }: Pick<NetworkConfig, 'ip4' | 'ip6'>,
): string | undefined {
  const cannot = 'Cannot run backend "wireguard"';
  if (mode === 'ipv4' && ip4 === undefined) return `${cannot} with "Mode" "ipv4": the network has no IPv4`;
  if (mode === 'ipv6' && ip6 === undefined) return `${cannot} with "Mode" "ipv6": the network has no IPv6`;
  const areTwo = mode === 'separate' && ip4 !== undefined && ip6 !== undefined;
  // Each device listens on its port in both families.
  if (areTwo && listenPort === listenPortV6) {
    return `${cannot}: "ListenPort" and "ListenPortV6" are both ${listenPort}, and there are two devices`;
  }
  return undefined;
}

interface Device {
  readonly name: string;
  readonly listenPort: number;
  readonly families: readonly Family[];
}

/** The devices that carry the network's families. */
function devicesOf(
  config: WireguardConfig,
  { ip4, ip6 }: Pick<NetworkConfig, 'ip4' | 'ip6'>,
): readonly Device[] {
  const families: readonly Family[] = [
    ...(ip4 === undefined ? [] : ([4] as const)),
    ...(ip6 === undefined ? [] : ([6] as const)),
  ];
  const { listenPort, listenPortV6 } = config;
  if (config.mode !== 'separate') return [{ name: wireguardDeviceNames[4], listenPort, families }];
  return families.map((family) => ({
    name: wireguardDeviceNames[family],
    listenPort: family === 4 ? listenPort : listenPortV6,
    families: [family],
  }));
}

export interface AdvertiseWireguardInput {
  readonly network: NetworkConfig;
  readonly config: WireguardConfig;
  readonly underlay: Underlay;
  readonly publicKey: WireguardPublicKey;
}

/** The port of a family is that of the device which carries it: flannel says "ListenPortV6" even where no device listens on it. */
export function advertiseWireguard(input: AdvertiseWireguardInput): Advertisement {
  const { network, config, underlay } = input;
  const publicKey = input.publicKey();
  const dataOf = (family: Family): BackendData | undefined => {
    const device = devicesOf(config, network).find(({ families }) => families.includes(family));
    return device && { kind: 'wireguard', publicKey, port: device.listenPort };
  };
  return {
    publicIp: underlay.ip4?.publicIp,
    publicIp6: underlay.ip6?.publicIp,
    backendType: 'wireguard',
    backendData: dataOf(4),
    backendDataV6: dataOf(6),
  };
}

export interface PlanWireguardInput extends BackendInput {
  readonly wireguard: WireguardConfig;
}

export function wireguardDevices({ config, wireguard, own, underlay }: PlanWireguardInput): BackendDevices {
  const mtu = Math.min(wireguard.mtu ?? underlay.mtu, underlay.mtu) - wireguardOverhead;
  const links: Link[] = [];
  const addresses: InterfaceAddress[] = [];
  const routes: Route[] = [];
  const carriers: CarrierDevice[] = [];
  const publicKey = keyOf(own);
  for (const { name, listenPort, families } of publicKey === undefined ? [] : devicesOf(wireguard, config)) {
    links.push({ name, detail: { kind: 'wireguard' }, mtu, up: true, alias: netloomAlias });
    if (publicKey !== undefined) carriers.push({ kind: 'wireguard', link: name, listenPort, publicKey });
    for (const family of families) {
      const subnet = family === 4 ? own.subnet : own.subnet6;
      const range = family === 4 ? config.ip4 : config.ip6;
      if (subnet === undefined || range === undefined) continue;
      // A single address, so that no route to the node's own subnet appears beside the bridge's.
      const prefix = Prefix.host(subnet.first());
      addresses.push({ link: name, prefix, scope: 'global', ...(family === 6 ? { noDad: true } : {}) });
      routes.push(networkRoute({ network: range.network, link: name }));
    }
  }
  return { links, addresses, mtu, routes, carriers };
}

/** The lease is a checked one (peers.ts). */
export function planWireguardPeer(lease: Lease, input: PlanWireguardInput): PeerParts {
  const { wireguard } = input;
  const { presharedKey, keepaliveSeconds } = wireguard;
  const carried: CarriedPeer[] = [];
  let problem: string | undefined;
  for (const device of devicesOf(wireguard, input.config)) {
    const allowedIps = peerFamilies(lease, input.config)
      .filter(({ subnet }) => device.families.includes(subnet.family))
      .map(({ subnet }) => subnet);
    const publicKey = keyOf(lease, device.families);
    if (allowedIps.length === 0 || publicKey === undefined) continue;
    const endpoint = endpointOf(lease, device, input);
    if (endpoint === undefined) problem ??= `it has no address for "Mode" "${wireguard.mode}"`;
    const peer = { publicKey, presharedKey, endpoint, keepaliveSeconds, allowedIps };
    carried.push({ kind: 'wireguard', link: device.name, peer });
  }
  const keys = { neighbours: [], fdb: [], routes: [], carried: carried.map(carriedName) };
  return { plan: { lease, path: 'wireguard', keys, problem }, neighbours: [], fdb: [], routes: [], carried };
}

/** Of any of the families: a node has one key. */
function keyOf(lease: Lease, families: readonly Family[] = [4, 6]): WireguardKey | undefined {
  for (const family of families) {
    const data = dataOf(lease, family);
    if (data !== undefined) return data.publicKey;
  }
  return undefined;
}

function dataOf(lease: Lease, family: Family) {
  const data = family === 4 ? lease.backendData : lease.backendDataV6;
  return data?.kind === 'wireguard' ? data : undefined;
}

/** Where the peer is sought. Whose lease says no port has an older flannel, which means the one that we have ourselves. */
function endpointOf(lease: Lease, device: Device, input: PlanWireguardInput): Endpoint | undefined {
  const family = endpointFamily(lease, device, input);
  const address = family === 4 ? lease.publicIp : lease.publicIp6;
  if (address === undefined) return undefined;
  // flannel says "ListenPortV6" of its single device too, which listens on "ListenPort", the one that it says of IPv4.
  const said = device.families.map((each) => dataOf(lease, each)?.port).find((port) => port !== undefined);
  return { address, port: said ?? device.listenPort };
}

function endpointFamily(lease: Lease, device: Device, { wireguard, underlay }: PlanWireguardInput): Family {
  switch (wireguard.mode) {
    case 'separate':
      return device.families[0] ?? 4;
    case 'ipv4':
      return 4;
    case 'ipv6':
      return 6;
    case 'auto':
      return likelyFamily(lease, underlay);
    default:
      return wireguard.mode satisfies never;
  }
}

/** flannel's choice: IPv4 if that is public and we have it, IPv6 if both sides' are, IPv4 otherwise; what only one of them has, if so. */
function likelyFamily({ publicIp, publicIp6 }: Lease, { ip4, ip6 }: Underlay): Family {
  const can4 = publicIp !== undefined && ip4 !== undefined;
  const can6 = publicIp6 !== undefined && ip6 !== undefined;
  if (!can4 || !can6) return can6 ? 6 : 4;
  const isPublic = (address: IpAddress): boolean => !isPrivateAddress(address);
  if (isPublic(publicIp)) return 4;
  return isPublic(publicIp6) && isPublic(ip6.publicIp) ? 6 : 4;
}
