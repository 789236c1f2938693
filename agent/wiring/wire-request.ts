// What is asked of the wiring, as values: everything about one attachment that does not follow from its name. cni/ makes them of
// a configuration; nothing here speaks CNI.
import type { IpAddress } from '../../net/address.ts';
import type { Mac } from '../../net/mac.ts';
import type { Prefix } from '../../net/prefix.ts';
import type { RangeSets } from '../ipam/address-range.ts';
import type { AddressOwner } from '../ipam/reservation.ts';
import type { Attachment } from './attachment.ts';
import type { BandwidthLimits } from './bandwidth-limits.ts';
import type { ExpectedPod } from './pod-check.ts';
import type { PodAddress, PodRoute, PortWish } from './pod-plan.ts';
import type { PodRules } from './pod-rules.ts';

/** Where an attachment's state is: the agent and a plugin that works without it must agree on it. */
export interface AttachmentPlace {
  readonly attachment: Attachment;
  /** "/run/netloom": holds locks and records. */
  readonly runDirectory: string;
}

/** The bridge that a pod is put on. */
export interface BridgeWish {
  readonly name: string;
  /** `agent`: it makes the bridge, and while it has not there is none. `wiring`: made when it is missing. */
  readonly madeBy: 'agent' | 'wiring';
  readonly mtu?: number | undefined;
  readonly promiscuous: boolean;
  /** The bridge has the gateways' addresses, and the node forwards. */
  readonly isGateway: boolean;
  /** Other addresses of the family are taken off the bridge; without it they are refused. */
  readonly forceAddress: boolean;
}

export interface IpamWish {
  /** host-local's dataDir: "/var/lib/cni/networks". */
  readonly directory: string;
  /** One address of each. */
  readonly sets: RangeSets;
  readonly requested: readonly IpAddress[];
}

/** What the attachment wants of the firewall, before its addresses are known. */
export type FirewallWish = Pick<PodRules, 'backend' | 'ports' | 'portMasquerade' | 'masquerade'> & {
  readonly spoofCheck: boolean;
};

export interface AddRequest extends AttachmentPlace {
  /** Path of the pod's namespace. */
  readonly netns: string;
  /** "NAMESPACE/NAME" in Kubernetes. */
  readonly pod?: string | undefined;
  readonly bridge: BridgeWish;
  readonly port: PortWish;
  /** The bridge's if undefined. */
  readonly mtu: number | undefined;
  /** Derived from the attachment if undefined. */
  readonly mac: Mac | undefined;
  /** Undefined: layer 2 only. */
  readonly ipam: IpamWish | undefined;
  readonly routes: readonly PodRoute[];
  readonly isDefaultGateway: boolean;
  readonly enableDad: boolean;
  readonly firewall: FirewallWish;
  readonly bandwidth: BandwidthLimits | undefined;
}

/** Ports and limits for an interface that an earlier plugin made. */
export interface ChainRequest extends AttachmentPlace {
  readonly netns: string;
  readonly pod?: string | undefined;
  /** The interface's, with their subnets' lengths. */
  readonly addresses: readonly Prefix[];
  /** Links on the host that the earlier result names: the veth among them is the interface's other end. */
  readonly hostLinks: readonly string[];
  readonly firewall: FirewallWish;
  readonly bandwidth: BandwidthLimits | undefined;
}

export interface DelRequest extends AttachmentPlace {
  /** May be empty, gone, or no namespace. */
  readonly netns: string;
  /** Where addresses of an attachment without a record are; undefined: it has none. */
  readonly ipamDirectory: string | undefined;
}

export interface CheckRequest extends AttachmentPlace {
  readonly netns: string;
  /** Name of the bridge; not asked for when another plugin made the interface. */
  readonly bridge: () => string;
  readonly ipamDirectory: string | undefined;
  readonly expected: ExpectedPod;
  readonly bandwidth: BandwidthLimits | undefined;
}

export interface CollectRequest {
  readonly network: string;
  readonly runDirectory: string;
  readonly ipamDirectory: string | undefined;
  readonly valid: readonly AddressOwner[];
}

export interface WiredPod {
  readonly bridge: { readonly name: string; readonly mac: Mac | undefined };
  readonly host: { readonly name: string; readonly mac: Mac };
  readonly pod: { readonly name: string; readonly mac: Mac; readonly mtu: number };
  readonly addresses: readonly PodAddress[];
  readonly routes: readonly PodRoute[];
}
