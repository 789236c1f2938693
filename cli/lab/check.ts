// `lab check`: runs the planned probes, many at once, and gathers a result for each check.
import { randomBytes } from 'node:crypto';
import { Netns } from '../../kernel/netns.ts';
import { Poller } from '../../kernel/poller.ts';
import { openRouteDriver } from '../../kernel/route/driver.ts';
import { type PlannedCheck, type Probe, planChecks } from './check-plan.ts';
import type { CheckReport, CheckResult } from './check-result.ts';
import { netnsPath } from './lab-plan.ts';
import { withLabLock } from './lab-record.ts';
import { type LabState, requireLab } from './lab-state.ts';
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
/** So many failures are told in full. */
const toldFailures = 3;
const largestTransfer = 1 << 20;

/** Throws RangeError when there is nothing to check. A probe that fails makes its check fail; it throws nothing. */
export async function checkLab(state: LabState, options: CheckOptions): Promise<CheckReport> {
  const planned = planChecks(state);
  using handles = openNamespaces(planned);
  const poller = new Poller();
  try {
    const surroundings: ProbeSurroundings = {
      poller,
      netnsOf: handles.netnsOf,
      mtuOf: mtuReader(handles.netnsOf),
      payload: randomBytes(largestTransfer),
      timeout: probeTime,
    };
    const run = limited(atOnce);
    const running = planned.map((check) =>
      runCheck(check, { state, surroundings, run, signal: options.signal }),
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

type Limit = <T>(action: () => Promise<T>) => Promise<T>;

async function runCheck(
  check: PlannedCheck,
  around: {
    readonly state: LabState;
    readonly surroundings: ProbeSurroundings;
    readonly run: Limit;
    readonly signal: AbortSignal;
  },
): Promise<CheckResult> {
  let started: number | undefined;
  const failures: { readonly probe: Probe; readonly seen: string }[] = [];
  await Promise.all(
    check.probes.map((probe) =>
      around.run(async () => {
        around.signal.throwIfAborted();
        started ??= performance.now();
        const seen = await runProbe(probe, around.surroundings);
        if (seen !== undefined) failures.push({ probe, seen });
      }),
    ),
  );
  const ms = Math.round(performance.now() - (started ?? performance.now()));
  if (failures.length === 0) return { name: check.name, ok: true, ms, detail: check.proven };
  const told = await Promise.all(
    failures.slice(0, toldFailures).map(async ({ probe, seen }) => {
      const suspect = await suspectHop(probe, { state: around.state, ...around.surroundings });
      const hint = suspect === undefined ? '' : ` (${suspect})`;
      return `${probe.from.name} → ${probe.to.name} ${probe.what.kind}: ${seen}${hint}`;
    }),
  );
  const more = failures.length > told.length ? `; and ${failures.length - told.length} more` : '';
  const detail = `${failures.length} of ${check.probes.length} failed: ${told.join('; ')}${more}`;
  return { name: check.name, ok: false, ms, detail };
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

function readMtu(netns: Netns): number {
  const driver = openRouteDriver({ netns });
  try {
    const mtu = driver.read().links.get('eth0')?.mtu;
    if (mtu === undefined) throw new Error(`There is no eth0 in "${netns.path}"`);
    return mtu;
  } finally {
    driver.close();
  }
}

/** Runs so many actions at a time, the others in the order in which they came. */
function limited(most: number): Limit {
  let running = 0;
  const waiting: (() => void)[] = [];
  return async (action) => {
    if (running >= most) await new Promise<void>((resolve) => waiting.push(resolve));
    else running += 1;
    try {
      return await action();
    } finally {
      const next = waiting.shift();
      if (next === undefined) running -= 1;
      else next();
    }
  };
}
