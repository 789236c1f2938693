// What the wiring asks of whatever carries the rules of pods: an nftables table of our own, or chains of iptables.
import type { PodRules } from './pod-rules.ts';

export interface PodFirewall {
  /**
   * Carries the rules of one attachment, all or none of them. Again with the same rules: nothing changes. Rejects with CniError
   * (try again later) that names the holder when another attachment has one of the ports, with KernelError or ProgramError.
   */
  add(rules: PodRules): Promise<void>;
  /** Takes the rules of one attachment away. Those that are not there, or are another's by now, are passed over. */
  remove(rules: PodRules): Promise<void>;
  /** What is missing, in words; none: all is there. */
  check(rules: PodRules): Promise<readonly string[]>;
  /** Makes what is in the kernel exactly what all these want. Returns what it changed, in words; a second call changes nothing. */
  ensure(wanted: readonly PodRules[]): Promise<readonly string[]>;
  /** True when somebody else may have changed our rules since the last look: cheap, to be asked often. */
  changed(): boolean;
  close(): void;
}
