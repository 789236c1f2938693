// The limits of an attachment as devices and qdiscs: a pure function of what was asked. Who puts them into the kernel is bandwidth.ts.
import { createHash } from 'node:crypto';
import type { Link } from '../../kernel/route/objects.ts';
import { type OwnQdisc, qdiscKey, redirectKey, type TokenBucket } from '../../kernel/tc/objects.ts';
import type { DesiredTc } from '../../kernel/tc/plan.ts';
import { netloomAlias } from '../alias.ts';
import { type Attachment, attachmentKey } from './attachment.ts';
import type { BandwidthLimits, RateLimit } from './bandwidth-limits.ts';

/** The ifb device of an attachment: "ifb" and 48 bits of hash, which fill the 15 bytes of a link's name. */
export function limiterName(attachment: Attachment): string {
  const hash = createHash('sha256')
    .update(`netloom limiter ${attachmentKey(attachment)}`)
    .digest('hex');
  return `ifb${hash.slice(0, 12)}`;
}

export interface BandwidthRequest {
  /** The host's end of the pair. */
  readonly hostLink: string;
  /** Of the pair. */
  readonly mtu: number;
  readonly limits: BandwidthLimits;
}

export interface Shaping {
  /** The ifb device that what the pod sends is led through: a link can only hold back what it sends itself. */
  readonly limiter?: Link | undefined;
  readonly tc: DesiredTc;
}

/** Seconds that a packet may wait before it is rather dropped. */
const latency = 0.025;
const largest = 0xffffffff;
/**
 * Seconds for which a bucket may have saved up. Longer is what "as much as fits" (see bandwidth-capability.ts) comes to, and would
 * not limit for minutes; it is also as much as the reference plugin gets from the kernel (2^32 ns).
 */
const longestBurst = 2 ** 32 / 1e9;
const ethernetHeader = 14;

/** Bits become whole bytes, at least one; a burst is at least a frame: a smaller bucket would let nothing through, ever. */
function bucketOf(
  limit: RateLimit,
  { link, mtu }: { readonly link: string; readonly mtu: number },
): TokenBucket {
  const rate = Math.max(1, Math.floor(limit.rate / 8));
  const asked = Math.min(Math.floor(limit.burst / 8), Math.floor(rate * longestBurst), largest);
  const burst = Math.max(asked, mtu + ethernetHeader);
  return { kind: 'tbf', link, rate, burst, limit: Math.min(Math.floor(rate * latency) + burst, largest) };
}

/** What goes to the pod is limited where the host's end sends it; what comes from it, where the limiter sends it. */
export function bandwidthPlan(attachment: Attachment, { hostLink, mtu, limits }: BandwidthRequest): Shaping {
  const { ingress, egress } = limits;
  const name = limiterName(attachment);
  const qdiscs: OwnQdisc[] = [];
  if (ingress !== undefined) qdiscs.push(bucketOf(ingress, { link: hostLink, mtu }));
  if (egress === undefined) return { tc: desired(qdiscs) };
  qdiscs.push(bucketOf(egress, { link: name, mtu }), { kind: 'ingress', link: hostLink });
  const redirect = { link: hostLink, to: name };
  return {
    // No queue of its own: all waiting is the bucket's.
    limiter: { name, detail: { kind: 'ifb' }, mtu, txQueueLength: 0, alias: netloomAlias, up: true },
    tc: { ...desired(qdiscs), redirects: new Map([[redirectKey(redirect), redirect]]) },
  };
}

function desired(qdiscs: readonly OwnQdisc[]): DesiredTc {
  return { qdiscs: new Map(qdiscs.map((qdisc) => [qdiscKey(qdisc), qdisc])), redirects: new Map() };
}
