// What a network configuration asks for, with all its sources (the configuration itself, runtimeConfig, args, CNI_ARGS) put
// together and validated. Types only; network-config.ts reads it.
import type { BandwidthLimits } from '../agent/wiring/bandwidth-limits.ts';
import type { PortMapping, RuleBackend } from '../agent/wiring/pod-rules.ts';
import type { IpAddress } from '../net/address.ts';
import type { Mac } from '../net/mac.ts';
import type { Prefix } from '../net/prefix.ts';
import type { CniVersion } from './versions.ts';

export interface NetworkConfig {
  readonly cniVersion: CniVersion;
  readonly name: string;
  /** Whose work it is: our own (a superset of bridge's), or that of a plugin whose place we take. */
  readonly role: 'pod' | 'loopback' | 'flannel';
  readonly bridge: BridgeOptions;
  readonly ipam: IpamOptions;
  readonly ports: PortOptions;
  readonly bandwidth: BandwidthLimits | undefined;
  /** The pod's; derived from the attachment if undefined. */
  readonly mac: Mac | undefined;
  /** Addresses that the runtime wants for the pod. */
  readonly requested: readonly IpAddress[];
  readonly dns: Dns;
  /** Other names of the pod in this network: accepted, passed to nobody. */
  readonly aliases: readonly string[];
  /** By K8S_POD_NAMESPACE and K8S_POD_NAME of CNI_ARGS. */
  readonly pod: { readonly namespace: string; readonly name: string } | undefined;
  /** Socket, locks, records: gone after a reboot. */
  readonly runDirectory: string;
  /** What outlives a reboot: the queue of DELs. */
  readonly stateDirectory: string;
  readonly subnetFile: string;
  /** Where flannel's plugin keeps what it delegated (role "flannel"). */
  readonly flannelDirectory: string;
  /** Role "flannel": what it hands on to bridge; flannelDelegate puts it together with subnet.env. */
  readonly flannel?: FlannelConfig | undefined;
  /** As it came; only ADD and CHECK look into it. */
  readonly prevResult: unknown;
}

/** Parts of a flannel configuration as they came, keys that we know in their own case. */
export interface FlannelConfig {
  readonly delegate: Readonly<Record<string, unknown>>;
  readonly ipam: Readonly<Record<string, unknown>>;
  readonly runtimeConfig: Readonly<Record<string, unknown>> | undefined;
  /** The ranges within runtimeConfig, read. */
  readonly runtimeSets: readonly (readonly RangeOptions[])[];
  /** Undefined: the configuration names no version. */
  readonly cniVersion: string | undefined;
}

export interface BridgeOptions {
  readonly name: string;
  /** Bytes; undefined: the node's, or the kernel's for a bridge of the network's own. */
  readonly mtu: number | undefined;
  readonly hairpin: boolean;
  readonly promiscuous: boolean;
  /** The bridge gets the networks' gateway addresses, and the node forwards. */
  readonly isGateway: boolean;
  /** The pod's default route leads to the bridge. */
  readonly isDefaultGateway: boolean;
  /** Other addresses of the family are taken off the bridge; without it they are an error. */
  readonly forceAddress: boolean;
  readonly ipMasq: boolean;
  /** 1 to 4094; undefined: none. */
  readonly vlan: number | undefined;
  /** Tagged; sorted, without overlaps. Empty beside a `vlan`. */
  readonly vlanTrunk: readonly { readonly first: number; readonly last: number }[];
  /** With a VLAN or a trunk: the port also stays in VLAN 1, as the kernel puts it. */
  readonly preserveDefaultVlan: boolean;
  readonly macSpoofCheck: boolean;
  /** IPv6 addresses of the pod go through (enhanced) duplicate address detection. */
  readonly enableDad: boolean;
  /** Ports of pods do not talk to each other. */
  readonly portIsolation: boolean;
}

/**
 * `node`: from the subnets of the node's lease; the bridge is the agent's (role "flannel": ours to make).
 * `ranges`: from the configuration; the bridge is ours to make. `none`: no addresses, layer 2 only.
 */
export type IpamOptions =
  | {
      readonly kind: 'node';
      readonly directory: string;
      readonly routes: readonly RouteOptions[];
      /** A file whose DNS settings the result carries, unless the configuration has its own. */
      readonly resolvConf?: string;
    }
  | {
      readonly kind: 'ranges';
      readonly directory: string;
      /** One address of each set; a set's ranges are alternatives, of one family. */
      readonly sets: readonly (readonly RangeOptions[])[];
      readonly routes: readonly RouteOptions[];
      readonly resolvConf?: string;
    }
  | { readonly kind: 'none' };

/** host-local's: absent fields have its defaults. */
export interface RangeOptions {
  readonly subnet: Prefix;
  readonly rangeStart: IpAddress | undefined;
  readonly rangeEnd: IpAddress | undefined;
  readonly gateway: IpAddress | undefined;
}

export interface RouteOptions {
  readonly destination: Prefix;
  /** Undefined: the gateway of the pod's address of that family. */
  readonly gateway: IpAddress | undefined;
  readonly mtu: number | undefined;
  readonly advmss: number | undefined;
  readonly priority: number | undefined;
  readonly table: number | undefined;
  /** 0 (global), 253 (link) or 254 (host). */
  readonly scope: number | undefined;
}

export interface PortOptions {
  readonly mappings: readonly PortMapping[];
  readonly backend: RuleBackend;
  readonly masquerade: 'needed' | 'all' | 'none';
}

export interface Dns {
  readonly nameservers?: readonly string[] | undefined;
  readonly domain?: string | undefined;
  readonly search?: readonly string[] | undefined;
  readonly options?: readonly string[] | undefined;
}
