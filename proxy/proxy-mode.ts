// What a mode is: something that keeps the kernel as the service ports say, in one family. There are nftables, iptables and IPVS;
// all pass the same table of packets (test/proxy/).
import type { RuleContext } from './rule-context.ts';
import type { ServicePort } from './service-port.ts';

export const proxyModes = ['nftables', 'iptables', 'ipvs'] as const;
export type ProxyModeName = (typeof proxyModes)[number];

export interface ModeInput {
  /** All ports of the family by key. The same map from call to call, changed in place: not to be kept. */
  readonly ports: ReadonlyMap<string, ServicePort>;
  /** Keys that were added, changed or removed since the last call. `all`: look at everything, also at what the kernel has. */
  readonly changed: ReadonlySet<string> | 'all';
  readonly context: RuleContext;
}

export interface SyncReport {
  /** Whether everything was compared with the kernel. */
  readonly full: boolean;
  /** Changes made in the kernel: elements, rules and chains in nftables mode; lines in iptables mode. 0: all was right. */
  readonly changes: number;
  /** Ports that could not be programmed, by key; the others were. They are tried again with the next call that names them. */
  readonly failed: ReadonlyMap<string, Error>;
}

export interface ProxyMode {
  readonly name: ProxyModeName;
  /**
   * Brings the kernel to the input. The first call, and each after a rejected one, is as if `changed` were `all`. With `all` it
   * takes over what an earlier process left, without cutting a connection, and mends what others changed. Rejects when the kernel
   * or a program refuses as a whole; the last good state stays.
   */
  sync(input: ModeInput, signal: AbortSignal): Promise<SyncReport>;
  /** True when somebody else changed our tables or chains since the last sync: cheap, asked a few times a second. */
  changed(): boolean;
  /** Takes away all that this mode makes, in its family. Returns what, in words. Does nothing when nothing is there. */
  cleanUp(): Promise<readonly string[]>;
  close(): void;
}
