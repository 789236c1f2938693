// iptables of one family in one network namespace: reads a table, applies text. Does not plan, does not retry. The fake that stands
// in for it is fake.ts.
import type { Netns } from '../netns.ts';
import { type IptablesFamily, type IptablesVariant, restoreIptables, saveIptables } from './programs.ts';
import type { IptablesTable } from './save-text.ts';

export type { IptablesTable, IptablesVariant };

export interface IptablesAccess {
  readonly family: IptablesFamily;
  /** One table as iptables-save prints it; to ask may make it. Rejects with ProgramError. */
  save(table: string, options?: { readonly signal?: AbortSignal }): Promise<IptablesTable>;
  /**
   * Text in iptables-restore's format; what it does not name stays (--noflush). `counters`: chains and rules take the counts that
   * the text gives. A table's block is applied whole or not at all, one table after the other. Rejects with ProgramError that
   * quotes the line.
   */
  restore(
    text: string,
    options?: { readonly signal?: AbortSignal; readonly counters?: boolean },
  ): Promise<void>;
}

export function openIptables(options: {
  readonly family: IptablesFamily;
  readonly netns?: Netns | undefined;
  readonly variant?: IptablesVariant | undefined;
}): IptablesAccess {
  const { family, netns, variant } = options;
  const where = { family, netns, variant };
  return {
    family,
    save: (table, more) => saveIptables(table, { ...where, ...more }),
    restore: (text, more) => restoreIptables(text, { ...where, ...more }),
  };
}
