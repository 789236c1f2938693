// Has the firewall carry an attachment's rules. A port that somebody has is refused by the holder's name, unless the holder is dead:
// a pod that is gone must not keep another from its start.
import { bootId } from '../../kernel/boot.ts';
import { errorMessage } from '../../runtime/error-text.ts';
import { attachmentText } from './attachment.ts';
import { type AttachmentRecord, type AttachmentRecords, recordedRules } from './attachment-record.ts';
import { CniError, cniCodes } from './cni-error.ts';
import type { PodRules } from './pod-rules.ts';
import { portHolder } from './rules/port-taken.ts';
import { undoAttachment } from './undo-attachment.ts';
import { unlessHeld, type WiringState } from './wiring-state.ts';

/** The attachment's record must have the rules already. */
export async function carryRules(
  state: WiringState,
  rules: PodRules,
  place: { readonly records: AttachmentRecords; readonly runDirectory: string },
): Promise<void> {
  const { firewall } = state.parts;
  try {
    await firewall.add(rules);
  } catch (error) {
    const holder = portHolder(error);
    if (holder === undefined) throw error;
    await evict(state, { ...place, holder, error });
    await firewall.add(rules);
  }
  state.parts.flushFlows(rules, 'come');
}

interface Eviction {
  readonly records: AttachmentRecords;
  readonly runDirectory: string;
  /** Name of the attachment's files. */
  readonly holder: string;
  readonly error: unknown;
}

async function evict(state: WiringState, { records, runDirectory, holder, error }: Eviction): Promise<void> {
  const record = records.readNamed(holder);
  if (record === undefined) {
    // Nobody's: what no record wants goes.
    await state.parts.firewall.ensure(recordedRules(records.all().records));
    return;
  }
  const undo = async () => {
    await undoAttachment(state, record, { records, release: 'all' });
    return true;
  };
  if (isDead(record, state) && (await unlessHeld({ runDirectory, name: holder }, undo)) === true) return;
  const who = attachmentText(record.attachment, record.pod);
  throw new CniError(cniCodes.tryAgainLater, `${errorMessage(error)}: ${who}`, { cause: error });
}

/** The pair that an ADD made ends with the pod's namespace. Of an interface that another plugin made it cannot be told here. */
function isDead({ hostLink, bootId: ofBoot }: AttachmentRecord, { host }: WiringState): boolean {
  return ofBoot !== bootId() || (hostLink !== undefined && host.route.link(hostLink) === undefined);
}
