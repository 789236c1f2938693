// iptables through its own save and restore programs, a table or more at a time. What the rules mean is the caller's business.
import { execute, ProgramError } from '../exec.ts';
import type { Netns } from '../netns.ts';
import { chainName } from './chain-name.ts';
import { type IptablesTable, parseIptablesSave } from './save-text.ts';

export type IptablesFamily = 4 | 6;

/** Which programs: the system's choice (iptables-restore), or one named (iptables-nft-restore, iptables-legacy-restore). */
export const iptablesVariantNames = ['default', 'nft', 'legacy'] as const;
export type IptablesVariant = (typeof iptablesVariantNames)[number];

export interface IptablesOptions {
  readonly family: IptablesFamily;
  readonly netns?: Netns | undefined;
  readonly variant?: IptablesVariant | undefined;
  readonly signal?: AbortSignal;
}

export interface RestoreOptions extends IptablesOptions {
  /** Chains and rules take the counts that the text gives ("[12:3456]"), zero without it. */
  readonly counters?: boolean;
}

export function programName(
  { family, variant = 'default' }: Pick<IptablesOptions, 'family' | 'variant'>,
  verb: 'save' | 'restore',
): string {
  const name = family === 4 ? 'iptables' : 'ip6tables';
  return variant === 'default' ? `${name}-${verb}` : `${name}-${variant}-${verb}`;
}

/** Reads one table. Throws ProgramError when iptables is missing or refuses. */
export async function saveIptables(table: string, options: IptablesOptions): Promise<IptablesTable> {
  const { stdout } = await execute([programName(options, 'save'), '-t', chainName(table)], {
    netns: options.netns,
    ...(options.signal === undefined ? {} : { signal: options.signal }),
  });
  return parseIptablesSave(stdout, table);
}

/**
 * Applies text in iptables-restore's format to what it names and leaves the rest (--noflush); waits for the lock (-w). Throws
 * ProgramError that quotes the line the program complained about.
 */
export async function restoreIptables(text: string, options: RestoreOptions): Promise<void> {
  const { netns, signal, counters = false } = options;
  const flags = ['--noflush', '-w', '5', ...(counters ? ['--counters'] : [])];
  try {
    await execute([programName(options, 'restore'), ...flags], {
      input: text,
      netns,
      ...(signal === undefined ? {} : { signal }),
    });
  } catch (error) {
    throw error instanceof ProgramError ? withLine(error, text) : error;
  }
}

/** The program gives a line's number only: without the text, which nobody keeps, that tells nothing. */
function withLine(error: ProgramError, text: string): ProgramError {
  const number = Number(/\bline:? (\d+)/.exec(error.stderr)?.[1]);
  const line = text.split('\n')[number - 1];
  if (line === undefined) return error;
  return new ProgramError(`${error.message} (line ${number} is "${line}")`, {
    program: error.program,
    exitCode: error.exitCode,
    stderr: error.stderr,
    cause: error,
  });
}
