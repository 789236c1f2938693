// What one attachment wants of the firewall: published ports, masquerading, a guard against forged frames. A value, kept in the
// attachment's record; pod-firewall.ts says who carries it.
import type { IpAddress } from '../../net/address.ts';
import type { Mac } from '../../net/mac.ts';
import type { Prefix } from '../../net/prefix.ts';
import type { Transport } from '../../net/transport.ts';
import type { Attachment } from './attachment.ts';

/** A port of the node that leads to a port of the pod. */
export interface PortMapping {
  readonly protocol: Transport;
  /** 1 to 65535, as is `containerPort`. */
  readonly hostPort: number;
  readonly containerPort: number;
  /** Undefined: every address of the node, of each family that the pod has. */
  readonly hostIp?: IpAddress | undefined;
}

export const ruleBackends = ['nftables', 'iptables'] as const;
export type RuleBackend = (typeof ruleBackends)[number];

export interface PodRules {
  readonly attachment: Attachment;
  readonly backend: RuleBackend;
  /** The pod's addresses, with their subnets' lengths. Ports lead to the first of each family. */
  readonly addresses: readonly Prefix[];
  readonly ports: readonly PortMapping[];
  /** Which connections to published ports get the node's address: those that could not be answered otherwise, all, or none. */
  readonly portMasquerade: 'needed' | 'all' | 'none';
  /** What the pod sends out of its subnet gets the node's address. */
  readonly masquerade: boolean;
  /** Frames from the host's end with another source MAC are dropped. */
  readonly spoofCheck?: { readonly hostLink: string; readonly mac: Mac } | undefined;
  /** The link by which the node reaches the pod: 127.0.0.1:hostPort needs a sysctl of it. */
  readonly bridge?: string | undefined;
}

/** False when there is nothing to carry. */
export function hasRules({ ports, masquerade, spoofCheck }: PodRules): boolean {
  return ports.length > 0 || masquerade || spoofCheck !== undefined;
}
