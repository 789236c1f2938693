// What a running proxy is told, whatever it was told by (flags, environment, kube-proxy's configuration file): values, all decided.
import type { Family, IpAddress } from '../net/address.ts';
import type { Prefix } from '../net/prefix.ts';
import type { ServiceSourceChoice } from '../store/open-service-source.ts';
import type { IpvsChoices } from './ipvs/ipvs-choices.ts';
import type { ProxyModeName } from './proxy-mode.ts';
import type { LocalDetector } from './rule-context.ts';

export interface HostPort {
  readonly host: string;
  readonly port: number;
}

/** Which of the node's addresses accept node ports. Several add up. */
export type NodePortAddress =
  | { readonly kind: 'all' }
  /** The node's primary address of the family. */
  | { readonly kind: 'primary' }
  | { readonly kind: 'localhost' }
  | { readonly kind: 'prefix'; readonly prefix: Prefix };

/** Limits of connection tracking, set at the start. Undefined: left as it is. */
export interface ConntrackChoices {
  /** nf_conntrack_max is the larger of maxPerCore times processors and min; 0 leaves it. */
  readonly maxPerCore: number;
  readonly min: number;
  /** Milliseconds, as are the others. */
  readonly tcpEstablishedTimeout: number | undefined;
  readonly tcpCloseWaitTimeout: number | undefined;
  readonly udpTimeout: number | undefined;
  readonly udpStreamTimeout: number | undefined;
  readonly tcpBeLiberal: boolean;
}

export interface ProxyOptions {
  readonly nodeName: string;
  /** Label topology.kubernetes.io/zone of the node. */
  readonly zone: string | undefined;
  /** Services with this value of label service.kubernetes.io/service-proxy-name are ours; undefined: those without the label. */
  readonly proxyName: string | undefined;
  readonly mode: ProxyModeName;
  readonly families: readonly Family[];
  /** The node's own address, which also says what its primary family is. Undefined: found by the default route. */
  readonly nodeIps: readonly IpAddress[];
  /** Where services come from. */
  readonly services: ServiceSourceChoice;
  readonly localDetectors: Readonly<Record<Family, LocalDetector>>;
  /** Pods are told by the networks that the node's object has, in place of these. */
  readonly detectsByNode?: boolean;
  readonly masqueradeAll: boolean;
  /** One bit, as a mask. */
  readonly masqueradeMark: number;
  readonly nodePortAddresses: readonly NodePortAddress[];
  readonly localhostNodePorts: boolean;
  readonly serviceNetworks: readonly Prefix[];
  readonly ipvs: IpvsChoices;
  /** Endpoints in loopback, link-local and multicast networks are refused (CVE-2021-25737) unless this says otherwise. */
  readonly allowUnsafeEndpoints: boolean;
  /** Milliseconds. Least time between two syncs, and the longest until everything is looked at again. */
  readonly minSyncPeriod: number;
  readonly syncPeriod: number;
  /** /healthz and /livez. */
  readonly healthz: HostPort | undefined;
  /** /metrics, /proxyMode, /configz. */
  readonly metrics: HostPort | undefined;
  /** A port that cannot be bound ends the program, instead of being tried again. */
  readonly bindHardFail: boolean;
  /** Counts of packets and bytes by service (nftables mode), and how many services get metrics of their own. */
  readonly serviceCounters: boolean;
  readonly serviceCounterLimit: number;
  readonly conntrack: ConntrackChoices;
  /** -1000 to 1000; undefined: left. */
  readonly oomScoreAdjust: number | undefined;
  /** For the proxy's socket, `proxy.sock`. */
  readonly runDirectory: string;
  /** What /configz shows: the configuration in kube-proxy's form. */
  readonly configuration: Readonly<Record<string, unknown>>;
}
