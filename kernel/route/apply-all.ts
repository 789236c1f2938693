// Executes steps that only count when all succeed. What was made before a failure is the caller's to take back.
import type { RouteDriver, RouteStep } from './step.ts';

/** Throws the first step's error. The others were tried. */
export function applyAll(driver: Pick<RouteDriver, 'apply'>, steps: readonly RouteStep[]): void {
  for (const { error } of driver.apply(steps)) if (error !== undefined) throw error;
}
