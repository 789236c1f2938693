// Waits for a condition, not for a time.
import { setTimeout as delay } from 'node:timers/promises';

/** Rejects after the patience, twenty seconds. */
export async function until(condition: () => boolean | Promise<boolean>, patienceMs = 20_000): Promise<void> {
  const end = performance.now() + patienceMs;
  while (!(await condition())) {
    if (performance.now() > end) throw new Error(`It did not come about: ${condition}`);
    await delay(5);
  }
}
