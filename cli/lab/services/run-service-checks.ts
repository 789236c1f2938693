// Runs the checks of services one after the other and times them. What they ask is service-checks.ts; whom, the caller's.
import { errorMessage } from '../../../runtime/error-text.ts';
import type { CheckResult } from '../check-result.ts';
import { type CheckSurroundings, serviceChecks } from './service-checks.ts';

/** Rejects only when the signal aborts. */
export async function runServiceChecks(
  around: CheckSurroundings,
  onResult: (result: CheckResult) => void,
): Promise<void> {
  for (const check of serviceChecks) {
    if (check.applies?.(around) === false) continue;
    const started = performance.now();
    const outcome = await check.run(around).then(
      (detail) => ({ ok: true, detail }),
      (error: unknown) => ({ ok: false, detail: errorMessage(error) }),
    );
    around.signal.throwIfAborted();
    onResult({ name: check.name, ...outcome, ms: Math.round(performance.now() - started) });
  }
}
