// The ipip backend, flannel's objects: one device, IPv4 in IPv4 (RFC 2003), and for each peer a route through it. The kernel takes the
// route's gateway as the outer destination, so the device needs neither neighbours nor FDB rows. With DirectRouting, a peer on the
// underlay's own network gets a plain route instead.
import { type InterfaceAddress, type Link, type Route, routeKey } from '../../kernel/route/objects.ts';
import { Prefix } from '../../net/prefix.ts';
import type { IpipConfig } from '../../store/backend-config.ts';
import type { Lease } from '../../store/lease.ts';
import type { NetworkConfig } from '../../store/network-config.ts';
import { netloomAlias } from '../alias.ts';
import type { Underlay } from '../underlay.ts';
import {
  type Advertisement,
  type BackendDevices,
  type BackendInput,
  isDirect,
  type PeerParts,
  peerFamilies,
} from './backend.ts';
import { peerRoute } from './peer-route.ts';

/** flannel's name. */
export const ipipDeviceName = 'flannel.ipip';

/** The outer IPv4 header. */
export const ipipOverhead = 20;

/** Why this node cannot run the backend; undefined when it can. */
export function whyNotIpip(network: Pick<NetworkConfig, 'ip6'>): string | undefined {
  if (network.ip6 === undefined) return undefined;
  return `Cannot run backend "ipip" for "${network.ip6.network}": it carries IPv4 only; take "vxlan" or "host-gw" for IPv6`;
}

export function advertiseIpip({ ip4 }: Underlay): Advertisement {
  return { publicIp: ip4?.publicIp, publicIp6: undefined, backendType: 'ipip' };
}

export function ipipDevices({ own, underlay }: BackendInput): BackendDevices {
  const mtu = underlay.mtu - ipipOverhead;
  const links: Link[] = [];
  const addresses: InterfaceAddress[] = [];
  // The interface's own address: behind a translator the public one is not the machine's.
  const local = underlay.ip4?.address;
  if (local !== undefined && own.subnet !== undefined) {
    links.push({
      name: ipipDeviceName,
      detail: { kind: 'ipip', local },
      mtu,
      up: true,
      alias: netloomAlias,
    });
    // A single address, so that no broadcast route appears on the overlay.
    addresses.push({ link: ipipDeviceName, prefix: Prefix.host(own.subnet.first()), scope: 'global' });
  }
  return { links, addresses, mtu };
}

export interface PlanIpipInput extends BackendInput {
  readonly ipip: IpipConfig;
}

/** The lease is a checked one (peers.ts). */
export function planIpipPeer(lease: Lease, input: PlanIpipInput): PeerParts {
  const routes: Route[] = [];
  let isTunnelled = false;
  for (const { subnet, publicIp } of peerFamilies(lease, input.config)) {
    if (input.ipip.directRouting && isDirect(publicIp, input)) {
      routes.push(peerRoute({ subnet, gateway: publicIp, link: input.underlay.link }));
    } else {
      isTunnelled = true;
      routes.push(peerRoute({ subnet, gateway: publicIp, link: ipipDeviceName, onlink: true }));
    }
  }
  const keys = { neighbours: [], fdb: [], routes: routes.map(routeKey) };
  return { plan: { lease, path: isTunnelled ? 'ipip' : 'direct', keys }, neighbours: [], fdb: [], routes };
}
