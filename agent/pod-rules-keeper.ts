// Keeps the rules of the node's pods in the kernel as their records have them, whoever flushed a ruleset. Rules of a pod that comes
// or goes are the wiring's, at that moment.
import { type AttachmentRecords, recordedRules } from './wiring/attachment-record.ts';
import type { PodFirewall } from './wiring/pod-firewall.ts';

export interface PodRulesKeeper {
  /** True when it is worth a look: cheap, to be asked often. */
  changed(): boolean;
  /** Makes the rules as the records have them. Returns what it changed, in words. */
  ensure(): Promise<readonly string[]>;
}

export function createPodRulesKeeper(options: {
  readonly records: AttachmentRecords;
  /** The one that the wiring uses: what that changes is no foreign change. */
  readonly firewall: PodFirewall;
}): PodRulesKeeper {
  const { records, firewall } = options;
  let looked = false;
  return {
    changed: () => !looked || firewall.changed(),
    async ensure() {
      if (looked && !firewall.changed()) return [];
      const changes = await firewall.ensure(recordedRules(records.all().records));
      looked = true;
      return changes;
    },
  };
}
