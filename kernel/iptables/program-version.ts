// What iptables-restore says of itself: which kernel interface it writes to. The rules are none of this file's business.

import type { Family } from '../../net/address.ts';
import { execute } from '../exec.ts';
import { type IptablesVariant, programName } from './programs.ts';

export interface IptablesVersion {
  /** What stands behind the plain name `iptables-restore`, or what was asked for. */
  readonly kind: 'nft' | 'legacy';
  readonly major: number;
  readonly minor: number;
  readonly patch: number;
}

/** Reads "iptables-restore v1.8.9 (nf_tables)"; before 1.8 there was only what is now called legacy, and no word for it. */
export function parseIptablesVersion(text: string): IptablesVersion {
  const match = /\bv(\d+)\.(\d+)(?:\.(\d+))?/.exec(text);
  if (match === null)
    throw new SyntaxError(`Cannot read a version of iptables from ${JSON.stringify(text.trim())}`);
  const [, major, minor, patch] = match;
  return {
    kind: text.includes('nf_tables') ? 'nft' : 'legacy',
    major: Number(major),
    minor: Number(minor),
    patch: Number(patch ?? 0),
  };
}

/** Throws ProgramError when the program is missing. */
export async function iptablesVersion(options: {
  readonly family: Family;
  readonly variant?: IptablesVariant | undefined;
}): Promise<IptablesVersion> {
  return parseIptablesVersion((await execute([programName(options, 'restore'), '--version'])).stdout);
}

/** MASQUERADE --random-fully is known from 1.6.2 on. */
export function knowsRandomFully({ major, minor, patch }: IptablesVersion): boolean {
  return major > 1 || (major === 1 && (minor > 6 || (minor === 6 && patch >= 2)));
}
