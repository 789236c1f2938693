// The extension backend: how packets get to the other nodes is up to a program of the operator's, which hears of every peer. What is called
// when, and how, is extension-carrier.ts's and extension-program.ts's.
import type { ExtensionConfig } from '../../store/backend-config.ts';
import type { JsonValue } from '../../store/go-json.ts';
import type { BackendData, Lease } from '../../store/lease.ts';
import type { NetworkConfig } from '../../store/network-config.ts';
import { type CarriedPeer, carriedName } from '../carrier/carrier.ts';
import type { Underlay } from '../underlay.ts';
import type { Advertisement, BackendDevices, BackendInput, PeerParts } from './backend.ts';

/** What the program is told whatever the call is about. */
export function extensionInput(
  network: Pick<NetworkConfig, 'ip4' | 'ip6'>,
  config: ExtensionConfig,
  underlay: Underlay,
): Readonly<Record<string, JsonValue>> {
  return {
    version: 1,
    network: text(network.ip4?.network),
    network6: text(network.ip6?.network),
    options: config.options,
    interface: {
      name: underlay.link,
      mtu: underlay.mtu,
      address: text(underlay.ip4?.address),
      address6: text(underlay.ip6?.address),
    },
  };
}

/** What the program printed is a string in the lease, as flannel's program's output is; printed nothing, there is no data. */
export function advertiseExtension({ ip4, ip6 }: Underlay, printed: string): Advertisement {
  const data: BackendData | undefined = printed === '' ? undefined : { kind: 'opaque', json: printed };
  return {
    publicIp: ip4?.publicIp,
    publicIp6: ip6?.publicIp,
    backendType: 'extension',
    backendData: ip4 === undefined ? undefined : data,
    backendDataV6: ip6 === undefined ? undefined : data,
  };
}

export interface PlanExtensionInput extends BackendInput {
  readonly extension: ExtensionConfig;
}

export function extensionDevices({ config, extension, own, underlay }: PlanExtensionInput): BackendDevices {
  const input = { ...extensionInput(config, extension, underlay), lease: leaseInput(own) };
  const mtu = Math.min(extension.mtu ?? underlay.mtu, underlay.mtu);
  return { links: [], addresses: [], mtu, carriers: [{ kind: 'extension', input }] };
}

/** The lease is a checked one (peers.ts). */
export function planExtensionPeer(lease: Lease): PeerParts {
  const carried: CarriedPeer = {
    kind: 'extension',
    peer: {
      ...leaseInput(lease),
      data: dataOf(lease.backendData),
      data6: dataOf(lease.backendDataV6),
    },
  };
  const keys = { neighbours: [], fdb: [], routes: [], carried: [carriedName(carried)] };
  return {
    plan: { lease, path: 'extension', keys },
    neighbours: [],
    fdb: [],
    routes: [],
    carried: [carried],
  };
}

function leaseInput(lease: Lease): Readonly<Record<string, JsonValue>> {
  return {
    node: lease.node ?? null,
    subnet: text(lease.subnet),
    subnet6: text(lease.subnet6),
    publicIp: text(lease.publicIp),
    publicIp6: text(lease.publicIp6),
  };
}

function dataOf(data: BackendData | undefined): JsonValue {
  return data?.kind === 'opaque' ? data.json : null;
}

function text(value: { toString(): string } | undefined): string | null {
  return value === undefined ? null : value.toString();
}
