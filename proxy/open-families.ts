// Opens the families that the kernel can do. A node without IPv6 has its services of IPv4 all the same, and says what it lacks.
import type { Family } from '../net/address.ts';
import { errorMessage } from '../runtime/error-text.ts';
import type { Logger } from '../runtime/log.ts';
import type { StoreProblem } from '../store/lease-store.ts';
import { familyName } from './family-name.ts';

/** Returns what could not be opened; rejects when nothing could. `open` puts what it opened where it belongs. */
export async function openFamilies(
  families: readonly Family[],
  { open, log }: { readonly open: (family: Family) => Promise<void>; readonly log: Pick<Logger, 'warn'> },
): Promise<readonly StoreProblem[]> {
  const problems: StoreProblem[] = [];
  let first: unknown;
  for (const family of families) {
    try {
      await open(family);
    } catch (error) {
      first ??= error;
      problems.push({ object: familyName(family), message: errorMessage(error) });
    }
  }
  if (problems.length === families.length && first !== undefined) throw first;
  for (const { object, message } of problems) log.warn({ family: object }, `going on without it: ${message}`);
  return problems;
}
