// Sets of addresses through the `ipset` program: which there are, and away with some. Netloom makes none of its own.
import { execute, ProgramError } from './exec.ts';
import type { Netns } from './netns.ts';

export interface IpsetOptions {
  readonly netns?: Netns | undefined;
  readonly signal?: AbortSignal | undefined;
}

/** Names of all sets of the namespace; undefined where the program is not there or the kernel knows no sets. */
export async function listIpsets(options: IpsetOptions = {}): Promise<readonly string[] | undefined> {
  try {
    const { stdout } = await execute(['ipset', 'list', '-n'], where(options));
    return stdout.split('\n').filter((name) => name !== '');
  } catch (error) {
    if (error instanceof ProgramError) return undefined;
    throw error;
  }
}

/** Throws ProgramError: a rule still asks the set, or it is gone. */
export async function destroyIpset(name: string, options: IpsetOptions = {}): Promise<void> {
  await execute(['ipset', 'destroy', name], where(options));
}

function where({ netns, signal }: IpsetOptions) {
  return { netns, ...(signal === undefined ? {} : { signal }) };
}
