// Runs the probes of one planned check, many at once, and says what came of it. How a probe is sent is the caller's business: from a
// namespace of this machine (check.ts) or by another machine (vagrant/).
import type { PlannedCheck, Probe } from './check-plan.ts';
import type { CheckResult } from './check-result.ts';

/** So many failures are told in full. */
const toldFailures = 3;

/** Runs an action when its turn has come. */
export type Limit = <T>(action: () => Promise<T>) => Promise<T>;

/** A probe that fails makes the check fail. Throws only what `signal` throws. */
export async function runCheck(
  check: PlannedCheck,
  around: {
    /** Resolves with what was seen where something else was expected; undefined when all is as it must be. */
    readonly probe: (probe: Probe) => Promise<string | undefined>;
    /** A hint at what is broken on the way of a probe that failed. */
    readonly suspect: (probe: Probe) => Promise<string | undefined>;
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
        const seen = await around.probe(probe);
        if (seen !== undefined) failures.push({ probe, seen });
      }),
    ),
  );
  const ms = Math.round(performance.now() - (started ?? performance.now()));
  if (failures.length === 0) return { name: check.name, ok: true, ms, detail: check.proven };
  const told = await Promise.all(
    failures.slice(0, toldFailures).map(async ({ probe, seen }) => {
      const suspect = await around.suspect(probe);
      const hint = suspect === undefined ? '' : ` (${suspect})`;
      return `${probe.from.name} → ${probe.to.name} ${probe.what.kind}: ${seen}${hint}`;
    }),
  );
  const more = failures.length > told.length ? `; and ${failures.length - told.length} more` : '';
  const detail = `${failures.length} of ${check.probes.length} failed: ${told.join('; ')}${more}`;
  return { name: check.name, ok: false, ms, detail };
}

/** Runs so many actions at a time, the others in the order in which they came. */
export function limited(most: number): Limit {
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
