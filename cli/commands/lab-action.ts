// What the words of `netloom lab` have in common: what each is given, and how it reports. Each is a file of commands/lab/.
import { z } from 'zod';
import type { CommandContext } from '../context.ts';
import { type Progress, silentProgress, terminalProgress } from '../progress.ts';
import { UsageError } from '../usage-error.ts';

export interface Given {
  /** As commander parsed them. */
  readonly options: unknown;
  readonly args: readonly string[];
}

export type LabAction = (context: CommandContext, given: Given) => Promise<void>;

/** Options that all have. */
export const usualOptions = z.object({ name: z.string(), json: z.boolean().default(false) });

export function progressFor(context: CommandContext, json: boolean): Progress {
  return json ? silentProgress : terminalProgress(context.terminal);
}

/** A name or a number that makes no sense is the caller's mistake. */
export function asUsage<T>(read: () => T): T {
  try {
    return read();
  } catch (error) {
    if (error instanceof SyntaxError || error instanceof RangeError) {
      throw new UsageError(error.message, { cause: error });
    }
    throw error;
  }
}
