// From the configured backend to the functions that run it. The one place that knows which backends there are.
import type { Lease } from '../../store/lease.ts';
import type { NetworkConfig } from '../../store/network-config.ts';
import type { Underlay } from '../underlay.ts';
import { advertiseAlloc, allocDevices, planAllocPeer } from './alloc.ts';
import type {
  Advertisement,
  BackendDevices,
  BackendInput,
  DeviceMacs,
  PeerParts,
  WireguardPublicKey,
} from './backend.ts';
import { advertiseExtension, extensionDevices, planExtensionPeer } from './extension.ts';
import { advertiseHostGw, hostGwDevices, planHostGwPeer, whyNotHostGw } from './host-gw.ts';
import { advertiseIpip, ipipDevices, planIpipPeer, whyNotIpip } from './ipip.ts';
import { advertiseUdp, planUdpPeer, udpDevices, whyNotUdp } from './udp.ts';
import { isSameBackend } from './unlike-backends.ts';
import { advertiseVxlan, planVxlanPeer, vxlanDevices, whyNotVxlan } from './vxlan.ts';
import { advertiseWireguard, planWireguardPeer, whyNotWireguard, wireguardDevices } from './wireguard.ts';

export interface AdvertiseInput {
  readonly config: NetworkConfig;
  readonly underlay: Underlay;
  readonly macs: DeviceMacs;
  /** Only asked for where it is needed. */
  readonly wireguardKey: WireguardPublicKey;
  /** What the program of the extension backend printed for the others. */
  readonly printed?: string | undefined;
}

/** Why the configured backend cannot run on this node; undefined when it can. */
export function whyNotBackend(config: NetworkConfig, underlay: Underlay): string | undefined {
  const { backend } = config;
  switch (backend.kind) {
    case 'vxlan':
      return whyNotVxlan(backend, config);
    case 'ipip':
      return whyNotIpip(config);
    case 'wireguard':
      return whyNotWireguard(backend, config);
    case 'udp':
      return whyNotUdp(config);
    case 'host-gw':
      return whyNotHostGw(underlay);
    case 'extension':
    case 'alloc':
      return undefined;
    case 'opaque':
      return `Cannot run backend ${JSON.stringify(backend.type)}: "vxlan", "host-gw", "wireguard", "ipip", "udp", "extension" and "alloc" are supported`;
    default:
      return backend satisfies never;
  }
}

/** What this node tells the others. */
export function advertise({ config, underlay, macs, wireguardKey, printed }: AdvertiseInput): Advertisement {
  const { backend } = config;
  switch (backend.kind) {
    case 'vxlan':
      return advertiseVxlan({ network: config, config: backend, underlay, macs });
    case 'ipip':
      return advertiseIpip(underlay);
    case 'wireguard':
      return advertiseWireguard({ network: config, config: backend, underlay, publicKey: wireguardKey });
    case 'udp':
      return advertiseUdp(underlay);
    case 'host-gw':
      return advertiseHostGw(underlay);
    case 'extension':
      return advertiseExtension(underlay, printed ?? '');
    case 'alloc':
      return advertiseAlloc(underlay);
    case 'opaque':
      throw new RangeError(`Cannot advertise backend "${backend.type}": it is not supported`);
    default:
      return backend satisfies never;
  }
}

/** What the backend needs whoever the peers are. */
export function backendDevices(input: BackendInput): BackendDevices {
  const { backend } = input.config;
  switch (backend.kind) {
    case 'vxlan':
      return vxlanDevices({ ...input, vxlan: backend });
    case 'ipip':
      return ipipDevices(input);
    case 'wireguard':
      return wireguardDevices({ ...input, wireguard: backend });
    case 'udp':
      return udpDevices({ ...input, udp: backend });
    case 'host-gw':
      return hostGwDevices(input);
    case 'extension':
      return extensionDevices({ ...input, extension: backend });
    case 'alloc':
      return allocDevices(input);
    case 'opaque':
      throw new RangeError(`Cannot plan backend "${backend.type}": it is not supported`);
    default:
      return backend satisfies never;
  }
}

/** What is made of a peer, by its checked lease: what the backend makes of its own kind, plain routes for a peer of another. */
export function peerPlanner(input: BackendInput): (lease: Lease) => PeerParts {
  const planAlike = alikePlanner(input);
  return (lease) =>
    isSameBackend(lease.backendType, input.own.backendType) ? planAlike(lease) : planHostGwPeer(lease, input);
}

function alikePlanner(input: BackendInput): (lease: Lease) => PeerParts {
  const { backend } = input.config;
  switch (backend.kind) {
    case 'vxlan': {
      const vxlanInput = { ...input, vxlan: backend };
      return (lease) => planVxlanPeer(lease, vxlanInput);
    }
    case 'ipip': {
      const ipipInput = { ...input, ipip: backend };
      return (lease) => planIpipPeer(lease, ipipInput);
    }
    case 'wireguard': {
      const wireguardInput = { ...input, wireguard: backend };
      return (lease) => planWireguardPeer(lease, wireguardInput);
    }
    case 'udp':
      return planUdpPeer;
    case 'host-gw':
      return (lease) => planHostGwPeer(lease, input);
    case 'extension':
      return planExtensionPeer;
    case 'alloc':
      return planAllocPeer;
    case 'opaque':
      throw new RangeError(`Cannot plan backend "${backend.type}": it is not supported`);
    default:
      return backend satisfies never;
  }
}

/** True when what becomes of a peer depends on the node's routes. */
export function asksForRoutes({ backend }: NetworkConfig): boolean {
  switch (backend.kind) {
    case 'host-gw':
      return true;
    case 'vxlan':
    case 'ipip':
      return backend.directRouting;
    case 'wireguard':
    case 'udp':
    case 'extension':
    case 'alloc':
    case 'opaque':
      return false;
    default:
      return backend satisfies never;
  }
}
