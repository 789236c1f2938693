// Takes away what is left of pods that are dead, when the agent starts: after a reboot, or when a runtime died with them and no DEL
// will come. Which are dead, and by what that is known, is ipam/life-survey.ts's.
import { join } from 'node:path';
import type { Netns } from '../kernel/netns.ts';
import { openRouteDriver } from '../kernel/route/driver.ts';
import { errorMessage } from '../runtime/error-text.ts';
import type { Logger } from '../runtime/log.ts';
import { AddressStore } from './ipam/address-store.ts';
import { type OwnerlessAddress, ownNetworks, surveyLife } from './ipam/life-survey.ts';
import { AttachmentRecords } from './wiring/attachment-record.ts';
import type { Wiring } from './wiring/wiring.ts';
import { sweepRunDirectory } from './wiring/wiring-state.ts';

export interface ReclaimOptions {
  readonly ipamDirectory: string;
  readonly runDirectory: string;
  /** The network of the conflist that the agent installs. */
  readonly network: string;
  readonly netns?: Netns | undefined;
  readonly wiring: Pick<Wiring, 'del'>;
  readonly log: Pick<Logger, 'info' | 'warn'>;
}

/** Only networks that are ours, and only what is dead for sure; the rest is the doctor's to tell. Never rejects. */
export async function reclaimDead(options: ReclaimOptions): Promise<void> {
  const { log, network } = options;
  try {
    await reclaim(options);
  } catch (error) {
    log.warn({ err: error, network }, 'cannot look for what dead pods left');
  }
}

async function reclaim({ ipamDirectory, runDirectory, network, netns, wiring, log }: ReclaimOptions) {
  const { records } = new AttachmentRecords({ runDirectory }).all();
  const route = openRouteDriver({ netns });
  try {
    const { attachments, ownerless } = await surveyLife({
      ipamDirectory,
      networks: ownNetworks({ ipamDirectory, configured: [network], records }),
      records,
      runDirectory,
      hostLinks: () => route.read().links.keys(),
    });
    for (const { attachment, life, evidence, ipamDirectory: own = ipamDirectory } of attachments) {
      if (life !== 'dead') continue;
      const where = { ...attachment, evidence };
      await wiring.del({ attachment, runDirectory, ipamDirectory: own, netns: '' }).then(
        () => log.info(where, 'removed what a dead pod left'),
        (error: unknown) => log.warn(where, `cannot remove what a dead pod left: ${errorMessage(error)}`),
      );
    }
    await releaseOwnerless(ownerless.filter(({ life }) => life === 'dead'));
    await sweepRunDirectory(runDirectory);
  } finally {
    route.close();
  }
}

/** Files without content, as a power cut leaves them. */
async function releaseOwnerless(dead: readonly OwnerlessAddress[]): Promise<void> {
  for (const { network, address, ipamDirectory } of dead)
    await new AddressStore(join(ipamDirectory, network)).releaseOwnerless([address]);
}
