// What a plugin that failed said, as runtimes understand it: JSON on standard output, else words on standard error, else how
// it ended.
import { z } from 'zod';
import type { ProgramEnd } from '../../kernel/start-program.ts';

export const verbs = ['ADD', 'DEL', 'CHECK', 'GC', 'STATUS', 'VERSION'] as const;
export type Verb = (typeof verbs)[number];

const errorShape = z.looseObject({ code: z.number(), msg: z.string(), details: z.string().optional() });

export class PluginError extends Error {
  override readonly name = 'PluginError';
  /** 0 when it said nothing that could be understood. */
  readonly code: number;
  /** The plugin's own words. */
  readonly msg: string;
  readonly details: string;

  constructor(
    message: string,
    said: { readonly code: number; readonly msg: string; readonly details: string },
  ) {
    super(message);
    this.code = said.code;
    this.msg = said.msg;
    this.details = said.details;
  }
}

export interface FailedCall {
  /** The plugin's type. */
  readonly type: string;
  readonly verb: Verb;
  /** The container, or the network. */
  readonly object: string;
  readonly end: ProgramEnd;
  /** Why it was killed, if we did it. */
  readonly killed: string | undefined;
}

export function pluginError({ type, verb, object, end, killed }: FailedCall): PluginError {
  const said = errorShape.safeParse(parseJson(end.stdout));
  const { code, msg, details = '' } = said.success ? said.data : { code: 0, msg: wordsOf(end, killed) };
  const text = said.success ? `${msg}${details === '' ? '' : ` (${details})`}, code ${code}` : msg;
  return new PluginError(`CNI plugin "${type}" failed to ${verb} "${object}": ${text}`, {
    code,
    msg,
    details,
  });
}

function wordsOf({ stderr, exitCode, signal }: ProgramEnd, killed: string | undefined): string {
  if (killed !== undefined) return killed;
  const lines = stderr.trim().split('\n');
  const line = lines.find((text) => text.includes('Error')) ?? lines.at(-1) ?? '';
  if (line !== '') return line;
  // As Go names it.
  const name = signal === 'SIGKILL' ? 'killed' : signal;
  return exitCode === undefined ? `no error message: signal: ${name}` : `exit code ${exitCode}`;
}

function parseJson(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}
