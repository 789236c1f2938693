// Whether somebody else changed a table, by the kernel's notifications: most changes of a ruleset are of other tables, and then nothing
// has to be read. One can serve both families.
import { type TableId, tableKey } from '../../kernel/nft/objects.ts';
import type { NftDriver, NftResult, NftStep } from '../../kernel/nft/step.ts';
import { type NftWatchOptions, openNftWatch } from '../../kernel/nft/watch.ts';

export interface ForeignChanges {
  /** Applies steps of our own: they are not news. */
  apply(driver: NftDriver, steps: readonly NftStep[], options: { readonly generation: number }): NftResult;
  /** Whether somebody else changed the table since this was asked last, up to a generation that was read before. */
  take(table: TableId): boolean;
  close(): void;
}

/** Watches these tables. Throws KernelError as opening a driver does. */
export function watchForeignChanges(
  options: Omit<NftWatchOptions, 'onChange' | 'tables'> & { readonly tables: readonly TableId[] },
  open: typeof openNftWatch = openNftWatch,
): ForeignChanges {
  const changed = new Set<string>();
  const watch = open({
    ...options,
    onChange(change) {
      for (const table of change.kind === 'overrun' ? options.tables : change.tables)
        changed.add(tableKey(table));
    },
  });
  return {
    apply: (driver, steps, at) => watch.apply(driver, steps, at),
    take(table) {
      watch.drain();
      return changed.delete(tableKey(table));
    },
    close: () => watch.stop(),
  };
}
