// Virtual servers and their real servers as values: what is (read from the kernel) and what should be have the same types.
import type { Family, IpAddress } from '../../net/address.ts';
import type { Transport } from '../../net/transport.ts';

/** What a virtual server is known by. There are others, by firewall mark: they are nobody's of ours, and not listed. */
export interface VirtualServerId {
  readonly protocol: Transport;
  readonly address: IpAddress;
  readonly port: number;
}

export interface VirtualServer extends VirtualServerId {
  /** As the kernel names it: rr, wrr, lc, wlc, lblc, lblcr, sh, dh, sed, nq, fo, ovf, mh ... */
  readonly scheduler: string;
  /** Seconds that a client (by its whole address) stays with its real server after its last connection; undefined: it does not. */
  readonly persistentSeconds: number | undefined;
  /** The scheduler's second flag (IP_VS_SVC_F_SCHED2): of `sh` and `mh`, that the source port is hashed, too. */
  readonly hashesPort: boolean;
}

/** A virtual server as the kernel has it. */
export interface VirtualServerState extends VirtualServer {
  /**
   * Others gave it options that ours never have: one-packet scheduling, clients grouped by a netmask, a persistence engine, flags of the
   * scheduler. A change takes them away.
   */
  readonly hasOtherOptions: boolean;
}

export interface RealServerId {
  readonly address: IpAddress;
  readonly port: number;
}

/** Reached by NAT ("masquerading"), the only way that translates ports. */
export interface RealServer extends RealServerId {
  /** 0: no new connections (persistent clients may be an exception, see the sysctl expire_quiescent_template). */
  readonly weight: number;
}

/** A real server as the kernel has it. */
export interface RealServerState extends RealServer {
  /** False for one that others made with tunnelling or direct routing. */
  readonly isNat: boolean;
  readonly activeConnections: number;
  readonly inactiveConnections: number;
  readonly persistentConnections: number;
}

/** Seconds; 0: leave as it is, when set. */
export interface IpvsTimeouts {
  readonly tcp: number;
  readonly tcpFin: number;
  readonly udp: number;
}

export type IpvsStep =
  | { readonly kind: 'server-add'; readonly server: VirtualServer }
  /** Scheduler, persistence or flags of one that is there. Its real servers and connections stay. */
  | { readonly kind: 'server-change'; readonly server: VirtualServer }
  /** With its real servers; packets of its connections are dropped from then on. */
  | { readonly kind: 'server-delete'; readonly server: VirtualServerId }
  | { readonly kind: 'real-add'; readonly server: VirtualServerId; readonly real: RealServer }
  /** Its weight. */
  | { readonly kind: 'real-change'; readonly server: VirtualServerId; readonly real: RealServer }
  | { readonly kind: 'real-delete'; readonly server: VirtualServerId; readonly real: RealServerId };

export interface IpvsStepResult {
  readonly step: IpvsStep;
  /** Undefined: done, or it was so already (an addition of what is there and equal, a removal of what is not there). */
  readonly error: Error | undefined;
}

/** The IPVS of one network namespace. All but `apply` and `close` throw KernelError: EPERM without CAP_NET_ADMIN ... */
export interface IpvsAccess {
  /** Virtual servers of a family, those of others among them. 10,000 of them take long: see `serverSlices`. */
  servers(family: Family): readonly VirtualServerState[];
  /**
   * The same in slices of about a hundred. Between them the caller may do anything, with this access too. The kernel counts where it
   * was: when servers come or go meanwhile, one may be missing or come twice (`server` tells).
   */
  serverSlices(family: Family): Generator<readonly VirtualServerState[], void, void>;
  /** Undefined when there is none. */
  server(id: VirtualServerId): VirtualServerState | undefined;
  /** Throws KernelError (isNotFound) when there is no such virtual server. */
  realServers(id: VirtualServerId): readonly RealServerState[];
  /** Steps in order, many in one system call; a step that is refused does not stop the others. */
  apply(steps: readonly IpvsStep[]): readonly IpvsStepResult[];
  timeouts(): IpvsTimeouts;
  setTimeouts(timeouts: IpvsTimeouts): void;
  close(): void;
}

/** "tcp 10.96.0.10:80", "udp [fd00::1]:53". A key for maps, and what people read. */
export function virtualServerText({ protocol, address, port }: VirtualServerId): string {
  return `${protocol} ${realServerText({ address, port })}`;
}

/** "10.244.1.2:8080", "[fd00::1]:8080". */
export function realServerText({ address, port }: RealServerId): string {
  return address.family === 4 ? `${address}:${port}` : `[${address}]:${port}`;
}
