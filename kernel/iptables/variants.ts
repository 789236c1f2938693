// Which of iptables' programs work on this machine, and what each of them holds: nft and legacy keep tables of their own, side by side
// in one kernel. Changes nothing, and makes no table by asking.
import { execute, ProgramError } from '../exec.ts';
import { isNotSupported, KernelError } from '../kernel-error.ts';
import type { Netns } from '../netns.ts';
import { openNftDriver } from '../nft/driver.ts';
import { legacyTables } from './legacy-tables.ts';
import {
  type IptablesFamily,
  type IptablesVariant,
  iptablesVariantNames,
  programName,
  saveIptables,
} from './programs.ts';
import type { IptablesTable } from './save-text.ts';

/**
 * What keeps the programs of a variant from working here; undefined when they do. They are tried in a network namespace of their own,
 * which goes with them: legacy makes a table where it looks at one.
 */
export async function variantFault(
  variant: IptablesVariant,
  { family = 4 }: { readonly family?: IptablesFamily } = {},
): Promise<string | undefined> {
  const where = { family, variant };
  const text = '*filter\n:NETLOOM-TRY - [0:0]\nCOMMIT\n';
  const restore = [programName(where, 'restore'), '--noflush', '-w', '5'];
  try {
    await execute(['unshare', '--net', '--', programName(where, 'save'), '-t', 'filter']);
    await execute(['unshare', '--net', '--', ...restore], { input: text });
    return undefined;
  } catch (error) {
    if (error instanceof ProgramError) return error.message;
    throw error;
  }
}

/** Those whose programs are on PATH and work with this kernel. Needs the right to make network namespaces. */
export async function iptablesVariants(
  options: { readonly family?: IptablesFamily } = {},
): Promise<readonly IptablesVariant[]> {
  const faults = await Promise.all(iptablesVariantNames.map((variant) => variantFault(variant, options)));
  return iptablesVariantNames.filter((_, i) => faults[i] === undefined);
}

export interface SavedVariant {
  /** With which the table was read, and can be changed. */
  readonly variant: IptablesVariant;
  readonly table: IptablesTable;
}

/**
 * The table as every variant has it that has it at all. Where the programs of a variant are missing, the default ones read it if
 * they are of that kind. Rejects with ProgramError when there is a table that no program here can read.
 */
export async function savedByAnyVariant(
  table: string,
  options: {
    readonly family: IptablesFamily;
    readonly netns?: Netns | undefined;
    readonly signal?: AbortSignal;
  },
): Promise<readonly SavedVariant[]> {
  const found: SavedVariant[] = [];
  for (const variant of ['nft', 'legacy'] as const) {
    if (!hasTable(table, { ...options, variant })) continue;
    const reader = await readerOf(variant, options.family);
    found.push({ variant: reader, table: await saveIptables(table, { ...options, variant: reader }) });
  }
  return found;
}

function hasTable(
  table: string,
  {
    family,
    netns,
    variant,
  }: {
    readonly family: IptablesFamily;
    readonly netns?: Netns | undefined;
    readonly variant: 'nft' | 'legacy';
  },
): boolean {
  if (variant === 'legacy') return legacyTables({ family, netns }).includes(table);
  try {
    const driver = openNftDriver({ netns });
    try {
      return driver.has({ family: family === 4 ? 'ip' : 'ip6', name: table });
    } finally {
      driver.close();
    }
  } catch (error) {
    // A kernel without nf_tables: nfnetlink calls the question invalid.
    if (isNotSupported(error) || (error instanceof KernelError && error.code === 'EINVAL')) return false;
    throw error;
  }
}

/** The variant itself where its program is there; else `default`, if that is of its kind, or the variant, which then fails by name. */
async function readerOf(variant: 'nft' | 'legacy', family: IptablesFamily): Promise<IptablesVariant> {
  if ((await versionOf({ family, variant })) !== undefined) return variant;
  const version = await versionOf({ family, variant: 'default' });
  if (version === undefined) return variant;
  // Before 1.8 there was only what is legacy now, and its version does not say so.
  const kind = version.includes('(nf_tables)') ? 'nft' : 'legacy';
  return kind === variant ? 'default' : variant;
}

/** "iptables-save v1.8.9 (nf_tables)"; undefined when the program is not there. */
async function versionOf(where: {
  readonly family: IptablesFamily;
  readonly variant: IptablesVariant;
}): Promise<string | undefined> {
  try {
    return (await execute([programName(where, 'save'), '--version'])).stdout;
  } catch (error) {
    if (error instanceof ProgramError) return undefined;
    throw error;
  }
}
