// Peers of a VXLAN network as benchmarks put them into the kernel: by our steps and by iproute2's batch files.
import { execute } from '../../kernel/exec.ts';
import type { Netns } from '../../kernel/netns.ts';
import { applyAll } from '../../kernel/route/apply-all.ts';
import type { RouteAccess } from '../../kernel/route/driver.ts';
import {
  type FdbEntry,
  type Link,
  type Neighbour,
  netloomRouteProtocol,
  type Route,
} from '../../kernel/route/objects.ts';
import type { RouteStep } from '../../kernel/route/step.ts';
import { IpAddress } from '../../net/address.ts';
import { Mac } from '../../net/mac.ts';
import { Prefix } from '../../net/prefix.ts';

/** The interface between nodes, and the address that this node is reached by on it. */
export const underlay = 'under0';
export const underlayAddress = IpAddress.parse('172.16.0.1');
/** The device that they are reached by. */
export const vxlanDevice = 'flannel.1';

/** What a VXLAN peer is in the kernel: the neighbour, the FDB row and the route, in this order. */
export interface VxlanPeer {
  readonly neighbour: Neighbour;
  readonly entry: FdbEntry;
  readonly route: Route;
}

export function vxlanPeer(number: number): VxlanPeer {
  const subnet = new Prefix(IpAddress.parse('10.0.0.0').plus((number + 1) * 256), 24);
  const address = subnet.address;
  const mac = Mac.local(Uint8Array.from([2, 0, 0, number >> 16, (number >> 8) & 255, number & 255]));
  return {
    neighbour: { link: vxlanDevice, address, mac, state: 'permanent' },
    entry: {
      link: vxlanDevice,
      mac,
      remote: IpAddress.parse('172.16.0.0').plus(number + 2),
      self: true,
      state: 'permanent',
    },
    route: {
      destination: subnet,
      table: 254,
      priority: 0,
      protocol: netloomRouteProtocol,
      type: 'unicast',
      scope: 'global',
      hops: [{ gateway: address, link: vxlanDevice, onlink: true }],
    },
  };
}

export function addSteps(peers: readonly VxlanPeer[]): readonly RouteStep[] {
  return peers.flatMap(({ neighbour, entry, route }): readonly RouteStep[] => [
    { kind: 'neighbour-set', neighbour },
    { kind: 'fdb-set', entry },
    { kind: 'route-set', route },
  ]);
}

export function deleteSteps(peers: readonly VxlanPeer[]): readonly RouteStep[] {
  return peers.flatMap(({ neighbour, entry, route }): readonly RouteStep[] => [
    { kind: 'route-delete', route },
    { kind: 'fdb-delete', entry },
    { kind: 'neighbour-delete', neighbour },
  ]);
}

/** The same as iproute2's batch files: one for `ip`, one for `bridge`. */
export interface BatchFiles {
  readonly ip: string;
  readonly bridge: string;
}

export function addFiles(peers: readonly VxlanPeer[]): BatchFiles {
  return {
    ip: peers
      .flatMap(({ neighbour, route }) => [
        `neigh replace ${neighbour.address} dev ${vxlanDevice} lladdr ${neighbour.mac} nud permanent`,
        `route replace ${route.destination} via ${neighbour.address} dev ${vxlanDevice} onlink proto 78`,
      ])
      .join('\n'),
    bridge: peers
      .map(({ entry }) => `fdb replace ${entry.mac} dev ${vxlanDevice} dst ${entry.remote} self permanent`)
      .join('\n'),
  };
}

export function deleteFiles(peers: readonly VxlanPeer[]): BatchFiles {
  return {
    ip: peers
      .flatMap(({ neighbour, route }) => [
        `route del ${route.destination} via ${neighbour.address} dev ${vxlanDevice}`,
        `neigh del ${neighbour.address} dev ${vxlanDevice}`,
      ])
      .join('\n'),
    bridge: peers
      .map(({ entry }) => `fdb del ${entry.mac} dev ${vxlanDevice} dst ${entry.remote} self`)
      .join('\n'),
  };
}

export async function runFiles(netns: Netns, files: BatchFiles): Promise<void> {
  await execute(['ip', '-batch', '-'], { netns, input: `${files.ip}\n` });
  await execute(['bridge', '-batch', '-'], { netns, input: `${files.bridge}\n` });
}

export function makeUnderlay(driver: RouteAccess): void {
  const peer: Link = { name: `${underlay}p`, detail: { kind: 'veth' }, up: true };
  applyAll(driver, [
    {
      kind: 'link-add',
      link: { name: underlay, detail: { kind: 'veth', peer: { name: peer.name } }, up: true },
    },
    { kind: 'link-set', link: peer, was: { ...peer, up: false } },
    {
      kind: 'address-add',
      address: { link: underlay, prefix: new Prefix(underlayAddress, 12), scope: 'global' },
    },
  ]);
}

export function makeVxlanDevice(driver: RouteAccess): void {
  const detail = {
    kind: 'vxlan',
    vni: 1,
    port: 8472,
    local: underlayAddress,
    underlay,
    learning: false,
  } as const;
  const prefix = Prefix.parse('10.0.0.0/32');
  applyAll(driver, [
    { kind: 'link-add', link: { name: vxlanDevice, detail, up: true } },
    { kind: 'address-add', address: { link: vxlanDevice, prefix, scope: 'global' } },
  ]);
}

/** The same by `ip`: lines before those of `addFiles`. */
export const vxlanDeviceLines = [
  `link add ${vxlanDevice} type vxlan id 1 dstport 8472 local ${underlayAddress} dev ${underlay} nolearning`,
  `link set ${vxlanDevice} up`,
  `addr add 10.0.0.0/32 dev ${vxlanDevice}`,
].join('\n');
