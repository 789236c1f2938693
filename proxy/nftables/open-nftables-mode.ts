// The nftables mode on a real kernel: opens what it needs in a namespace and closes it. Not the mode itself: nftables-mode.ts.

import type { Netns } from '../../kernel/netns.ts';
import { openNftDriver } from '../../kernel/nft/driver.ts';
import type { SeenGeneration } from '../../kernel/nft/seen-generation.ts';
import type { Poller } from '../../kernel/poller.ts';
import type { Family } from '../../net/address.ts';
import { type ForeignChanges, watchForeignChanges } from './foreign-changes.ts';
import { localhostPorts } from './localhost-ports.ts';
import { createNftablesMode, type NftablesMode } from './nftables-mode.ts';
import { proxyTableId } from './proxy-table.ts';

export interface OpenNftablesModeOptions {
  readonly family: Family;
  /** The process's own if absent. Must stay open as long as the mode is used. */
  readonly netns?: Netns | undefined;
  /** With it changes by others are told apart; without, each has the whole table read. */
  readonly poller?: Poller | undefined;
  /** In place of a watch of its own: one that watches the tables of both families. Not closed here. */
  readonly foreign?: ForeignChanges | undefined;
  readonly beside?: SeenGeneration | undefined;
  readonly serviceCounters?: boolean | undefined;
}

/** Throws KernelError: EPERM, EPROTONOSUPPORT. */
export function openNftablesMode(options: OpenNftablesModeOptions): NftablesMode {
  const { family, netns, poller, beside, serviceCounters } = options;
  const own =
    options.foreign === undefined && poller !== undefined
      ? watchForeignChanges({ netns, poller, tables: [proxyTableId(family)] })
      : undefined;
  const driver = openNftDriver({ netns });
  const mode = createNftablesMode({
    family,
    driver,
    beside,
    foreign: options.foreign ?? own,
    localhost: localhostPorts(netns),
    serviceCounters,
  });
  return {
    ...mode,
    close() {
      mode.close();
      own?.close();
      driver.close();
    },
  };
}
