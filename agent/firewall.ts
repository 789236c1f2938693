// What the agent asks of whatever carries its masquerading and forward rules. Made by nft-firewall.ts and iptables-firewall.ts.
import type { MasqueradeInput } from './masquerade-input.ts';

export interface FirewallOptions {
  readonly signal: AbortSignal;
  /** Look at what is there even if nothing said that it changed. */
  readonly thorough: boolean;
}

export interface Firewall {
  /** Makes the rules as wanted; `undefined`: takes ours away. Returns what it changed, in words; nothing when all was in order. */
  ensure(wanted: MasqueradeInput | undefined, options: FirewallOptions): Promise<readonly string[]>;
  /** True when somebody changed the ruleset since the last look: cheap, to be asked often. */
  changed(): boolean;
  close(): void;
}
