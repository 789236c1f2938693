// Puts the limits of an attachment into the kernel, takes them away, and compares. What they are made of is bandwidth-plan.ts.
import { applyAll } from '../../kernel/route/apply-all.ts';
import type { RouteAccess } from '../../kernel/route/driver.ts';
import { isWantedLink } from '../../kernel/route/link-changes.ts';
import type { Link } from '../../kernel/route/objects.ts';
import type { RouteStep } from '../../kernel/route/step.ts';
import type { TcState } from '../../kernel/tc/objects.ts';
import { planTc } from '../../kernel/tc/plan.ts';
import type { TcDriver, TcStep } from '../../kernel/tc/step.ts';
import { type Attachment, hostLinkName } from './attachment.ts';
import { type BandwidthRequest, bandwidthPlan, limiterName, type Shaping } from './bandwidth-plan.ts';
import { limiterProblems, tcProblems } from './bandwidth-problems.ts';

/** Drivers that are open in the node's namespace. */
export interface BandwidthHost {
  readonly route: RouteAccess;
  readonly tc: TcDriver;
}

/** What is in the kernel where an attachment's limits are or would be. */
interface Found {
  /** Undefined when there is no link of the limiter's name. */
  readonly limiter: Link | undefined;
  readonly tc: TcState;
}

/**
 * Makes the limits exactly what is asked: numbers change in place, a direction without a limit loses the one that it had. When
 * something fails all is put back as it was. Throws KernelError: ENODEV when `hostLink` is not there, EEXIST when it has another's
 * qdisc, EOPNOTSUPP when the kernel has no ifb.
 */
export function applyBandwidth(attachment: Attachment, request: BandwidthRequest, host: BandwidthHost): void {
  const names = { limiter: limiterName(attachment), hostLink: request.hostLink };
  const wanted = bandwidthPlan(attachment, request);
  const before = find(names, host);
  try {
    move(before, { to: wanted, steps: ownSteps(wanted, { found: before, ...names }), host });
  } catch (error) {
    try {
      const halfway = find(names, host);
      const old = wantedAgain(before);
      move(halfway, { to: old, steps: planTc(old.tc, halfway.tc), host });
    } catch {
      // The first error says more.
    }
    throw error;
  }
}

/**
 * Nothing there is success: the host's end usually went with the pod, and took all but the limiter. `hostLink` where it is not the
 * one that Netloom made.
 */
export function removeBandwidth(
  attachment: Attachment,
  host: BandwidthHost,
  { hostLink = hostLinkName(attachment) }: { readonly hostLink?: string } = {},
): void {
  const names = { limiter: limiterName(attachment), hostLink };
  const found = find(names, host);
  move(found, { to: nothing, steps: ownSteps(nothing, { found, ...names }), host });
}

/** All that is not as `applyBandwidth` left it, in words. Empty: all is well. Changes nothing. */
export function checkBandwidth(
  attachment: Attachment,
  request: BandwidthRequest,
  host: BandwidthHost,
): readonly string[] {
  const names = { limiter: limiterName(attachment), hostLink: request.hostLink };
  const found = find(names, host);
  const wanted = bandwidthPlan(attachment, request);
  return [
    ...limiterProblems(names.limiter, { wanted: wanted.limiter, actual: found.limiter }),
    ...tcProblems(ownSteps(wanted, { found, ...names }), found.tc),
  ];
}

interface Names {
  readonly limiter: string;
  readonly hostLink: string;
}

const nothing: Shaping = { tc: { qdiscs: new Map(), redirects: new Map() } };

function find({ limiter, hostLink }: Names, { route, tc }: BandwidthHost): Found {
  return { limiter: route.link(limiter), tc: tc.read([hostLink, limiter]) };
}

/** An ingress hook from which nothing leads to the limiter is somebody else's, and so is what hangs on it: they stay. */
function ownSteps(
  { limiter: isWanted, tc }: Shaping,
  { found, limiter, hostLink }: Names & { readonly found: Found },
): readonly TcStep[] {
  const target = found.tc.redirects.get(hostLink)?.to;
  const isOurs = target === limiter || target === '';
  const steps = planTc(tc, found.tc);
  return isOurs || isWanted !== undefined ? steps : steps.filter((step) => !unhooks(step));
}

function unhooks(step: TcStep): boolean {
  return step.kind === 'redirect-delete' || (step.kind === 'qdisc-delete' && step.qdisc.kind === 'ingress');
}

/** What was found, as something to want: without what cannot be made. */
function wantedAgain({ limiter, tc }: Found): Shaping {
  const own = [...tc.qdiscs].flatMap(([key, qdisc]) =>
    qdisc.kind === 'other' ? [] : [[key, qdisc] as const],
  );
  const redirects = new Map([...tc.redirects].filter(([, { to }]) => to !== ''));
  return { ...(limiter?.detail.kind === 'ifb' && { limiter }), tc: { qdiscs: new Map(own), redirects } };
}

/** The limiter is there before anything leads to it, and goes when nothing does: a redirect to nowhere drops. */
function move(
  found: Found,
  {
    to,
    steps,
    host,
  }: { readonly to: Shaping; readonly steps: readonly TcStep[]; readonly host: BandwidthHost },
): void {
  const was = found.limiter?.detail.kind === 'ifb' ? found.limiter : undefined;
  if (to.limiter !== undefined) setLimiter(to.limiter, { was, route: host.route });
  for (const { error } of host.tc.apply(steps)) if (error !== undefined) throw error;
  if (to.limiter === undefined && was !== undefined)
    applyStep(host.route, { kind: 'link-delete', link: was });
}

function setLimiter(
  link: Link,
  { was, route }: { readonly was: Link | undefined; readonly route: RouteAccess },
): void {
  if (was === undefined) applyStep(route, { kind: 'link-add', link });
  else if (!isWantedLink(link, was)) applyStep(route, { kind: 'link-set', link, was });
}

function applyStep(route: RouteAccess, step: RouteStep): void {
  applyAll(route, [step]);
}
