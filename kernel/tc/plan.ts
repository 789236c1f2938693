// From what traffic control of some links is to what it should be: the steps between. Pure.
import { isSameBurst } from './bucket-clock.ts';
import type { OwnQdisc, Qdisc, Redirect, TcState } from './objects.ts';
import type { TcStep } from './step.ts';

export interface DesiredTc {
  readonly qdiscs: ReadonlyMap<string, OwnQdisc>;
  readonly redirects: ReadonlyMap<string, Redirect>;
}

/**
 * Qdiscs come before the redirects that need them, and go after them: nothing is sent where it is not limited yet, and a hook takes
 * the filters on it along. `actual` holds only the links in question: what of ours is there and not desired goes.
 */
export function planTc(desired: DesiredTc, actual: TcState): readonly TcStep[] {
  const qdiscs = [...desired.qdiscs].flatMap(([key, qdisc]) => qdiscSteps(qdisc, actual.qdiscs.get(key)));
  const redirects = [...desired.redirects].flatMap(([key, redirect]) =>
    redirectSteps(redirect, actual.redirects.get(key)),
  );
  const staleRedirects = [...actual.redirects].flatMap(([key, redirect]): readonly TcStep[] =>
    desired.redirects.has(key) ? [] : [{ kind: 'redirect-delete', redirect }],
  );
  const staleQdiscs = [...actual.qdiscs].flatMap(([key, qdisc]): readonly TcStep[] =>
    desired.qdiscs.has(key) || qdisc.kind === 'other' ? [] : [{ kind: 'qdisc-delete', qdisc }],
  );
  return [...qdiscs, ...redirects, ...staleRedirects, ...staleQdiscs];
}

function qdiscSteps(wanted: OwnQdisc, actual: Qdisc | undefined): readonly TcStep[] {
  // Beside a stranger's the addition fails, and says so.
  if (actual?.kind !== wanted.kind) return [{ kind: 'qdisc-add', qdisc: wanted }];
  if (wanted.kind !== 'tbf' || actual.kind !== 'tbf') return [];
  const isSame = wanted.rate === actual.rate && wanted.limit === actual.limit && isSameBurst(wanted, actual);
  return isSame ? [] : [{ kind: 'qdisc-change', qdisc: wanted }];
}

function redirectSteps(wanted: Redirect, actual: Redirect | undefined): readonly TcStep[] {
  if (actual?.to === wanted.to) return [];
  const add: TcStep = { kind: 'redirect-add', redirect: wanted };
  return actual === undefined ? [add] : [{ kind: 'redirect-delete', redirect: actual }, add];
}
