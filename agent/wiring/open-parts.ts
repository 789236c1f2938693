// What the wiring uses of the kernel beside links and addresses: firewall, limits, flows, deletions. Opened when it is first needed:
// most pods have no limits, and a plugin that works for one call has no time to lose.
import { type Conntrack, openConntrack } from '../../kernel/conntrack/driver.ts';
import { type LinkDeleter, openLinkDeleter } from '../../kernel/route/link-deleter.ts';
import { openTcDriver } from '../../kernel/tc/driver.ts';
import type { TcDriver } from '../../kernel/tc/step.ts';
import type { Attachment } from './attachment.ts';
import { applyBandwidth, checkBandwidth, removeBandwidth } from './bandwidth.ts';
import { type BandwidthRequest, limiterName } from './bandwidth-plan.ts';
import type { PodFirewall } from './pod-firewall.ts';
import type { Host } from './pod-links.ts';
import type { PodRules } from './pod-rules.ts';
import { openPodFirewall } from './rules/open-pod-firewall.ts';
import { flushPodUdpFlows, flushUdpFlows } from './stale-flows.ts';

export interface WiringParts {
  readonly firewall: PodFirewall;
  readonly limiter: {
    apply(attachment: Attachment, request: BandwidthRequest): void;
    /** What is on a link of ours goes with it; from one that stays (`limitedLink`) it must be taken. */
    remove(attachment: Attachment, limitedLink: string | undefined): Promise<void>;
    check(attachment: Attachment, request: BandwidthRequest): readonly string[];
  };
  /** Ends UDP flows that would go on the way they went before the pod came or went. */
  flushFlows(rules: PodRules, moment: 'come' | 'gone'): void;
  /** True: it was there, and is gone. */
  deleteLink(name: string): Promise<boolean>;
  close(): Promise<void>;
}

/** A firewall that is given is not closed. */
export function openParts(
  { netns, route }: Host,
  { firewall: given }: { readonly firewall?: PodFirewall | undefined },
): WiringParts {
  const firewall = given ?? openPodFirewall({ netns });
  let tc: TcDriver | undefined;
  let flows: Conntrack | undefined;
  let deleter: LinkDeleter | undefined;
  const shaping = () => {
    tc ??= openTcDriver({ netns });
    return { route, tc };
  };
  const deleteLink = (name: string): Promise<boolean> => {
    deleter ??= openLinkDeleter({ netns });
    return deleter.delete(name);
  };
  return {
    firewall,
    limiter: {
      apply: (attachment, request) => applyBandwidth(attachment, request, shaping()),
      async remove(attachment, limitedLink) {
        if (limitedLink === undefined) await deleteLink(limiterName(attachment));
        else removeBandwidth(attachment, shaping(), { hostLink: limitedLink });
      },
      check: (attachment, request) => checkBandwidth(attachment, request, shaping()),
    },
    flushFlows(rules, moment) {
      if (!rules.ports.some(({ protocol }) => protocol === 'udp')) return;
      flows ??= openConntrack({ netns });
      if (moment === 'come') flushUdpFlows(rules, flows);
      else flushPodUdpFlows(rules, flows);
    },
    deleteLink,
    async close() {
      await deleter?.close();
      tc?.close();
      flows?.close();
      if (given === undefined) firewall.close();
    },
  };
}
