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

/**
 * A look costs by the number of pods, and what tells that one is due also tells of changes in others' tables: where somebody
 * changes those all the time (kube-proxy), looks that find nothing may take this part of the time.
 */
const restAfterLook = 20;

export function createPodRulesKeeper(options: {
  readonly records: Pick<AttachmentRecords, 'all'>;
  /** The one that the wiring uses: what that changes is no foreign change. */
  readonly firewall: Pick<PodFirewall, 'changed' | 'ensure'>;
  /** Milliseconds, of a clock that only goes forward. */
  readonly now?: () => number;
}): PodRulesKeeper {
  const { records, firewall, now = () => performance.now() } = options;
  let looked = false;
  let restUntil = 0;
  const changed = () => !looked || (now() >= restUntil && firewall.changed());
  return {
    changed,
    async ensure() {
      if (!changed()) return [];
      const start = now();
      const changes = await firewall.ensure(recordedRules(records.all().records));
      looked = true;
      const end = now();
      // What was changed once may be changed again at once.
      restUntil = changes.length > 0 ? end : end + (end - start) * restAfterLook;
      return changes;
    },
  };
}
