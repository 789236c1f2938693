// Mends what can be mended. An attachment goes the way that a DEL goes, through the wiring, which takes its lock and knows all
// that was made for it; nothing of one is removed by hand.
import { rmSync } from 'node:fs';
import { join } from 'node:path';
import { lockFile } from '../../kernel/file-lock.ts';
import type { Netns } from '../../kernel/netns.ts';
import { applyAll } from '../../kernel/route/apply-all.ts';
import { openRouteDriver } from '../../kernel/route/driver.ts';
import { writeSysctl } from '../../kernel/sysctl.ts';
import { errorMessage } from '../../runtime/error-text.ts';
import { AddressStore } from '../ipam/address-store.ts';
import { AttachmentRecords, recordedRules } from '../wiring/attachment-record.ts';
import { openPodFirewall } from '../wiring/rules/open-pod-firewall.ts';
import type { Wiring } from '../wiring/wiring.ts';
import type { Finding, Mend } from './finding.ts';

/** An executor a kind: one that is forgotten does not compile. */
export type Repair = {
  readonly [Kind in Mend['kind']]: (mend: Extract<Mend, { readonly kind: Kind }>) => Promise<void>;
};

export interface RepairOutcome {
  readonly mended: readonly Finding[];
  readonly failed: readonly { readonly finding: Finding; readonly why: string }[];
}

/** Goes on when one fails. Findings that cannot be mended are passed over. */
export async function mendFindings(findings: readonly Finding[], repair: Repair): Promise<RepairOutcome> {
  const mended: Finding[] = [];
  const failed: { finding: Finding; why: string }[] = [];
  for (const finding of findings) {
    if (finding.mend === undefined) continue;
    try {
      await execute(finding.mend, repair);
      mended.push(finding);
    } catch (error) {
      failed.push({ finding, why: errorMessage(error) });
    }
  }
  return { mended, failed };
}

function execute(mend: Mend, repair: Repair): Promise<void> {
  switch (mend.kind) {
    case 'attachment-delete':
      return repair[mend.kind](mend);
    case 'address-release':
      return repair[mend.kind](mend);
    case 'link-delete':
      return repair[mend.kind](mend);
    case 'file-delete':
      return repair[mend.kind](mend);
    case 'lock-delete':
      return repair[mend.kind](mend);
    case 'sysctl-set':
      return repair[mend.kind](mend);
    case 'rules-ensure':
      return repair[mend.kind](mend);
    default:
      return mend satisfies never;
  }
}

export interface RepairTools {
  readonly wiring: Pick<Wiring, 'del'>;
  readonly runDirectory: string;
  /** For attachments whose addresses nothing else places. */
  readonly ipamDirectory: string;
  readonly netns?: Netns | undefined;
}

export function createRepair({ wiring, runDirectory, ipamDirectory, netns }: RepairTools): Repair {
  return {
    'attachment-delete': ({ attachment, ipamDirectory: own }) =>
      wiring.del({ attachment, runDirectory, ipamDirectory: own ?? ipamDirectory, netns: '' }),
    async 'address-release'({ network, address, ipamDirectory: directory }) {
      await new AddressStore(join(directory, network)).releaseOwnerless([address]);
    },
    async 'link-delete'({ name, type }) {
      const route = openRouteDriver({ netns });
      try {
        applyAll(route, [{ kind: 'link-delete', link: { name, detail: { kind: type } } }]);
      } finally {
        route.close();
      }
    },
    async 'file-delete'({ path }) {
      rmSync(path, { force: true });
    },
    async 'lock-delete'({ path }) {
      // Whoever takes it in this moment keeps it: it is removed only while it is ours.
      (await lockFile(path, { wait: 0 }))?.release();
    },
    async 'sysctl-set'({ key, value }) {
      writeSysctl(key, value, { netns });
    },
    async 'rules-ensure'() {
      const firewall = openPodFirewall({ netns });
      try {
        await firewall.ensure(recordedRules(new AttachmentRecords({ runDirectory }).all().records));
      } finally {
        firewall.close();
      }
    },
  };
}
