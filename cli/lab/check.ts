// `lab check`: runs the planned probes, many at once, and gathers a result for each check.
import { randomBytes } from 'node:crypto';
import { Netns } from '../../kernel/netns.ts';
import { Poller } from '../../kernel/poller.ts';
import { type PlannedCheck, planChecks } from './check-plan.ts';
import type { CheckReport, CheckResult } from './check-result.ts';
import { netnsPath } from './lab-plan.ts';
import { withLabLock } from './lab-record.ts';
import { type LabState, requireLab } from './lab-state.ts';
import { readMtu } from './read-mtu.ts';
import { limited, runCheck } from './run-check.ts';
import { type ProbeSurroundings, runProbe } from './run-probe.ts';
import { proveServices } from './services/prove-services.ts';
import { suspectHop } from './suspect-hop.ts';

export interface CheckOptions {
  /** Called with each result as soon as it and those before it are there. */
  readonly onResult?: (result: CheckResult) => void;
  readonly signal: AbortSignal;
}

/** Milliseconds for one probe: generous beside the fraction of one that it takes. */
const probeTime = 2000;
/** Probes under way at the same time. */
const atOnce = 32;
const largestTransfer = 1 << 20;

/** Throws RangeError when there is nothing to check. A probe that fails makes its check fail; it throws nothing. */
export async function checkLab(state: LabState, options: CheckOptions): Promise<CheckReport> {
  const planned = planChecks(state);
  using handles = openNamespaces(planned);
  const poller = new Poller();
  try {
    const timeout = probeTime * state.patience;
    const surroundings: ProbeSurroundings = {
      poller,
      netnsOf: handles.netnsOf,
      mtuOf: mtuReader(handles.netnsOf),
      payload: randomBytes(largestTransfer),
      timeout,
    };
    const run = limited(atOnce);
    const running = planned.map((check) =>
      runCheck(check, {
        probe: (probe) => runProbe(probe, surroundings),
        suspect: (probe) => suspectHop(probe, { state, ...surroundings }),
        run,
        signal: options.signal,
      }),
    );
    const finished = Promise.all(running);
    for (const check of running) {
      const result = await Promise.race([check, finished.then(() => check)]);
      options.onResult?.(result);
    }
    const checks = await finished;
    return { checks: [...checks, ...(await checkServices(state, { ...options, netnsOf: handles.netnsOf }))] };
  } finally {
    await poller.close();
  }
}

/** Nobody else changes the lab meanwhile. The state is read again: a pod may have come while this waited. */
function checkServices(
  { name }: LabState,
  options: CheckOptions & { readonly netnsOf: (name: string) => Netns },
): Promise<readonly CheckResult[]> {
  const { signal, netnsOf, onResult = () => undefined } = options;
  return withLabLock(name, {
    signal,
    action: () => proveServices(requireLab(name), { netnsOf, onResult, signal }),
  });
}

export function allPassed(report: CheckReport): boolean {
  return report.checks.every(({ ok }) => ok);
}

function openNamespaces(
  checks: readonly PlannedCheck[],
): Disposable & { readonly netnsOf: (name: string) => Netns } {
  const stack = new DisposableStack();
  const open = new Map<string, Netns>();
  const names = checks.flatMap(({ probes }) => probes.flatMap(({ from, to }) => [from.netns, to.netns]));
  for (const name of new Set(names)) open.set(name, stack.use(Netns.open(netnsPath(name))));
  return {
    netnsOf(name) {
      const netns = open.get(name);
      if (netns === undefined) throw new RangeError(`Cannot find namespace "${name}"`);
      return netns;
    },
    [Symbol.dispose]: () => stack.dispose(),
  };
}

/** Reads each namespace's link once. */
function mtuReader(netnsOf: (name: string) => Netns): (name: string) => number {
  const known = new Map<string, number>();
  return (name) => {
    const mtu = known.get(name) ?? readMtu(netnsOf(name));
    known.set(name, mtu);
    return mtu;
  };
}
