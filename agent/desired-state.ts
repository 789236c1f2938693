// The whole state that a node should have, as one pure function of configuration, leases, underlay and settings. It reads
// nothing and applies nothing.
import {
  netloomRouteProtocol,
  type Route,
  type RouteState,
  routeKey,
  routeState,
} from '../kernel/route/objects.ts';
import type { RouteScope } from '../kernel/route/step.ts';
import type { Lease } from '../store/lease.ts';
import type { NetworkConfig } from '../store/network-config.ts';
import { netloomAlias } from './alias.ts';
import type { DeviceMacs, PeerPlan } from './backend/backend.ts';
import { backendDevices } from './backend/choose-backend.ts';
import { isBackendDevice, isBackendDeviceName } from './backend/device-names.ts';
import { gatewayOf, nodeSysctls, planBridge } from './bridge.ts';
import type { CarrierPlan } from './carrier/carrier.ts';
import { withRetired } from './carrier/retired-carriers.ts';
import { flannelRoutes } from './flannel/flannel-routes.ts';
import { type MasqueradeChoices, type MasqueradeInput, masqueradeInput } from './masquerade-input.ts';
import { type OccupiedLinks, occupiedLinks, withoutLinks, withoutWay } from './occupied-links.ts';
import { createPeerTable, type PeerTable } from './peer-table.ts';
import type { RejectedPeer } from './peers.ts';
import type { RouteLookup } from './route-lookup.ts';
import type { Underlay } from './underlay.ts';
import { formatSubnetEnv, type SubnetEnvFamily } from './wiring/subnet-env.ts';

/** The settings that the node's state depends on. */
export interface NodeChoices {
  readonly bridge: string;
  readonly subnetFile: string;
  readonly masquerade: 'nftables' | 'iptables' | 'none';
  readonly masqueradeChoices: MasqueradeChoices;
  /** Path -> text of files that are the same whatever the leases say: the CNI configuration. */
  readonly files?: ReadonlyMap<string, string>;
}

export interface DesiredInput {
  readonly config: NetworkConfig;
  readonly own: Lease;
  /** All that the store has, unchecked, this node's own among them. */
  readonly leases: ReadonlyMap<string, Lease>;
  readonly underlay: Underlay;
  readonly routeTo: RouteLookup;
  readonly choices: NodeChoices;
  readonly macs: DeviceMacs;
  /** What there is: only looked at for links that an earlier configuration of ours left behind, and for others' routes. */
  readonly actual: RouteState;
  /** Which of the devices that a former backend left are to stay for now; none if absent. */
  readonly spare?: (devices: readonly string[]) => ReadonlySet<string>;
  /** What carried packets until now: of the devices that stay it goes on. */
  readonly carriedBefore?: CarrierPlan | undefined;
}

export interface DesiredState {
  readonly route: RouteState;
  readonly scope: RouteScope;
  /** What the firewall is made from: undefined when there is nothing to masquerade or to accept. */
  readonly masquerade: MasqueradeInput | undefined;
  readonly sysctls: ReadonlyMap<string, string>;
  /** Path -> text, mode 0644. */
  readonly files: ReadonlyMap<string, string>;
  readonly carrier: CarrierPlan;
  readonly peers: readonly PeerPlan[];
  readonly rejected: readonly RejectedPeer[];
  readonly occupied: OccupiedLinks;
  /** The pods' MTU. */
  readonly mtu: number;
}

/** The same whatever the table was used for before: that of the last pass makes it quick. */
export function desiredState(input: DesiredInput, table: PeerTable = createPeerTable()): DesiredState {
  const { config, own, choices, macs } = input;
  const { peers, rejected, carried, ...ways } = table.update(input);
  const { links, addresses, mtu, routes = [], carriers = [] } = backendDevices(input);
  const bridge = planBridge({ name: choices.bridge, own, mac: macs(choices.bridge), mtu });
  const devices = links.map(({ name }) => name);
  const wanted = [...devices, choices.bridge];
  const occupied = occupiedLinks(input.actual, wanted);
  const made = wanted.filter((name) => !occupied.has(name));
  const devicesMade = devices.filter((name) => !occupied.has(name));
  const takenOver = flannelRoutes(input.actual.routes, devicesMade);
  const stale = staleLinks(input.actual, wanted);
  const retired = retiredLinks(input, { stale, peers });
  const route = {
    ...routeState({
      links: [...links, bridge.link],
      addresses: [...addresses, ...bridge.addresses],
    }),
    ...ways,
    ...(routes.length === 0 ? {} : { routes: new Map([...ways.routes, ...routes.map(keyedRoute)]) }),
  };
  return {
    route: withoutLinks(route, occupied),
    scope: {
      links: new Set([...made, ...stale.filter((name) => !retired.has(name))]),
      addressesOn: new Set(made),
      neighboursOn: new Set(devicesMade),
      fdbOn: new Set(devicesMade),
      protocol: netloomRouteProtocol,
      ...(takenOver.size === 0 ? {} : { routes: takenOver }),
    },
    masquerade: firewallInput(config, own, choices),
    sysctls: nodeSysctls(made, { ip4: own.subnet !== undefined, ip6: own.subnet6 !== undefined }),
    // Others may read subnet.env as soon as they see theirs.
    files: new Map([[choices.subnetFile, subnetEnv(input, mtu)], ...(choices.files ?? [])]),
    carrier: withRetired(
      {
        devices: carriers.filter((device) => !('link' in device && occupied.has(device.link))),
        peers: carried,
      },
      { before: input.carriedBefore, links: retired },
    ),
    peers: withoutWay(peers, devices, occupied),
    rejected,
    occupied,
    mtu,
  };
}

function keyedRoute(route: Route): readonly [string, Route] {
  return [routeKey(route), route];
}

/** Of the links that are not wanted any more those that stay for now. */
function retiredLinks(
  { actual, own, spare }: DesiredInput,
  { stale, peers }: { readonly stale: readonly string[]; readonly peers: readonly PeerPlan[] },
): ReadonlySet<string> {
  const devices = stale.filter(isBackendDeviceName);
  // Asked always: it remembers since when.
  const spared = spare?.(devices) ?? new Set();
  if (devices.length === 0) return new Set();
  // A peer that cannot follow to the new backend goes on sending as before.
  const backends = new Set<string>(peers.map(({ lease }) => lease.backendType));
  backends.delete(own.backendType);
  return new Set(
    devices.filter((name) => spared.has(name) || backends.has(actual.links.get(name)?.detail.kind ?? '')),
  );
}

/** Links that bear our mark and are not wanted: the device of another VNI, the bridge's former name. */
export function staleLinks(actual: RouteState, wanted: readonly string[]): readonly string[] {
  return [...actual.links.values()]
    .filter((link) => {
      const ours = link.detail.kind === 'bridge' || isBackendDevice(link);
      return link.alias === netloomAlias && ours && !wanted.includes(link.name);
    })
    .map(({ name }) => name);
}

function firewallInput(config: NetworkConfig, own: Lease, choices: NodeChoices): MasqueradeInput | undefined {
  return choices.masquerade === 'none' ? undefined : masqueradeInput(config, own, choices.masqueradeChoices);
}

function subnetEnv({ config, own, choices }: DesiredInput, mtu: number): string {
  const family = (range: NetworkConfig['ip4'], subnet: Lease['subnet']): SubnetEnvFamily | undefined =>
    range === undefined || subnet === undefined
      ? undefined
      : { networks: [range.network], gateway: gatewayOf(subnet) };
  return formatSubnetEnv({
    ip4: family(config.ip4, own.subnet),
    ip6: family(config.ip6, own.subnet6),
    mtu,
    masquerade: choices.masquerade !== 'none',
  });
}
