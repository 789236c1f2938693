// What rules depend on beside the services: the node's addresses and the choices of its configuration, for one family. A value;
// a change of it means that all rules are made anew.
import type { Family, IpAddress } from '../net/address.ts';
import type { Prefix } from '../net/prefix.ts';

/** How to tell a packet of this node's (or the cluster's) pods by where it comes from (kube-proxy's detectLocalMode). */
export type LocalDetector =
  | { readonly kind: 'prefix'; readonly prefix: Prefix }
  | { readonly kind: 'bridge'; readonly link: string }
  | { readonly kind: 'link-prefix'; readonly prefix: string }
  /** Not configured: nothing is masqueraded by it, no pod is short-circuited. */
  | { readonly kind: 'none' };

export interface RuleContext {
  readonly family: Family;
  /** All addresses of the node in this family: a source range that holds one of them lets the balancer's own address in. */
  readonly nodeIps: readonly IpAddress[];
  /**
   * Which destinations accept node ports: every local address, or these (kube-proxy's nodePortAddresses, resolved). Loopback addresses
   * are never among them: `localhostNodePorts` says that.
   */
  readonly nodePortIps: 'all' | readonly IpAddress[];
  /** Node ports also on 127.0.0.0/8 (never on ::1), through route_localnet. */
  readonly localhostNodePorts: boolean;
  readonly localDetector: LocalDetector;
  /** Every packet to a cluster IP is masqueraded. */
  readonly masqueradeAll: boolean;
  /** The one bit of the packet mark that asks for masquerading, as a mask: 0x4000. */
  readonly masqueradeMark: number;
  /** Networks of cluster IPs: what goes to one that no service has is dropped (nftables only). */
  readonly serviceNetworks: readonly Prefix[];
  /** INVALID packets are dropped on their way through (iptables only; off where nf_conntrack_tcp_be_liberal is set). */
  readonly dropInvalid: boolean;
}
