// What a configuration asks of the wiring. Pure: the node's network is handed in.
import { type AddressRange, rangeOf, rangeSets } from '../agent/ipam/address-range.ts';
import { CniError, cniCodes } from '../agent/wiring/cni-error.ts';
import type { NodeNetwork } from '../agent/wiring/node-network.ts';
import type { AddRequest, AttachmentPlace, FirewallWish } from '../agent/wiring/wire-request.ts';
import type { CallTarget } from './environment.ts';
import type { NetworkConfig } from './pod-network.ts';
import type { VerbContext } from './verb-context.ts';

type NodeAccess = VerbContext['node'];

/** Whose call it is. */
export function placeOf(config: NetworkConfig, { containerId, ifname }: CallTarget): AttachmentPlace {
  return {
    attachment: { network: config.name, containerId, ifname },
    runDirectory: config.runDirectory,
  };
}

/** "NAMESPACE/NAME" of the pod in Kubernetes. */
export function podName({ pod }: NetworkConfig): string | undefined {
  return pod === undefined ? undefined : `${pod.namespace}/${pod.name}`;
}

/** Undefined for layer 2. */
export function ipamDirectoryOf({ ipam }: Pick<NetworkConfig, 'ipam'>): string | undefined {
  return ipam.kind === 'none' ? undefined : ipam.directory;
}

function networkOf({ subnetFile, bridge }: NetworkConfig, node: NodeAccess): NodeNetwork {
  return node({ subnetFile, bridge: bridge.name });
}

/** The name of the bridge that the pod is on. */
export function bridgeOf(config: NetworkConfig, node: NodeAccess): string {
  const isNodes = config.ipam.kind === 'node' && config.role === 'pod';
  return isNodes ? networkOf(config, node).bridge : config.bridge.name;
}

/** The ranges to choose addresses from. Throws CniError (invalid configuration) for ranges that cannot be. */
export function addressSets(config: NetworkConfig, node: NodeAccess): readonly (readonly AddressRange[])[] {
  const { ipam } = config;
  switch (ipam.kind) {
    case 'none':
      return [];
    case 'node':
      return networkOf(config, node).subnets.map(({ subnet, gateway }) => [rangeOf(subnet, { gateway })]);
    case 'ranges':
      try {
        return rangeSets(ipam.sets);
      } catch (cause) {
        if (!(cause instanceof RangeError)) throw cause;
        throw new CniError(cniCodes.invalidConfig, `Cannot use "ipam.ranges": ${cause.message}`, { cause });
      }
    default:
      return ipam satisfies never;
  }
}

/** Whoever made the interface in a chain has its own way to masquerade it and to guard its MAC address. */
export function firewallWish(
  { ports, bridge }: NetworkConfig,
  { isChained }: { readonly isChained: boolean },
): FirewallWish {
  return {
    backend: ports.backend,
    ports: ports.mappings,
    portMasquerade: ports.masquerade,
    masquerade: bridge.ipMasq && !isChained,
    spoofCheck: bridge.macSpoofCheck && !isChained,
  };
}

/** `node` is asked only by a network that is the node's. Throws CniError. */
export function addRequest(
  config: NetworkConfig,
  { target, node }: { readonly target: CallTarget; readonly node: NodeAccess },
): AddRequest {
  const { bridge, ipam } = config;
  const nodes = ipam.kind === 'node' ? networkOf(config, node) : undefined;
  return {
    ...placeOf(config, target),
    netns: target.netns,
    pod: podName(config),
    bridge: {
      name: nodes?.bridge ?? bridge.name,
      madeBy: nodes === undefined ? 'wiring' : 'agent',
      mtu: nodes?.mtu ?? bridge.mtu,
      promiscuous: bridge.promiscuous,
      isGateway: bridge.isGateway,
      forceAddress: bridge.forceAddress,
    },
    port: {
      hairpin: bridge.hairpin,
      isolated: bridge.portIsolation,
      vlan: bridge.vlan,
      vlanTrunk: bridge.vlanTrunk,
      preserveDefaultVlan: bridge.preserveDefaultVlan,
    },
    mtu: bridge.mtu,
    mac: config.mac,
    ipam:
      ipam.kind === 'none'
        ? undefined
        : { directory: ipam.directory, sets: addressSets(config, node), requested: config.requested },
    routes: ipam.kind === 'none' ? [] : ipam.routes,
    isDefaultGateway: bridge.isDefaultGateway,
    enableDad: bridge.enableDad,
    firewall: firewallWish(config, { isChained: false }),
    bandwidth: config.bandwidth,
  };
}
