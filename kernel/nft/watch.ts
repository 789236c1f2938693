// Notifications of nf_tables changes in a namespace: which tables each transaction touched, and which process made it, so that
// agent and proxy tell foreign changes of its tables from all others. It does not read the tables.

import { type ByteReader, DecodeError } from '../netlink/bytes.ts';
import { text } from '../netlink/codec.ts';
import { type DumpedMessage, NETLINK_NETFILTER, NetlinkSocket } from '../netlink/netlink-socket.ts';
import type { Netns } from '../netns.ts';
import type { Poller } from '../poller.ts';
import { generationAttributes, NFT_MSG, subsystem } from './attributes.ts';
import { readHeader } from './object-wire.ts';
import { type TableId, tableKey } from './objects.ts';
import type { NftDriver, NftResult, NftStep } from './step.ts';

/** NFNLGRP_NFTABLES of linux/netfilter/nfnetlink.h */
const NFNLGRP_NFTABLES = 7;

/** The name of its table is attribute 1 in every message about an object (NFTA_TABLE_NAME, NFTA_CHAIN_TABLE ...). */
const tableAttribute = 1;
const attributeHeader = 4;

export type NftChange =
  | {
      readonly kind: 'transaction';
      readonly generation: number;
      /** Tables with a change in them. */
      readonly tables: readonly TableId[];
      /**
       * Who did it, by the number in the machine's first namespace of processes: to know our own changes compare the
       * generation with what `apply` returned, not this with process.pid.
       */
      readonly pid?: number | undefined;
      readonly process?: string | undefined;
    }
  /** Notifications were lost: what is known of any table may be old. */
  | { readonly kind: 'overrun' };

export interface NftWatchOptions {
  readonly netns?: Netns | undefined;
  readonly poller: Poller;
  readonly onChange: (change: NftChange) => void;
  /** Only transactions that touch one of these are reported, and of them only these; all when absent. */
  readonly tables?: readonly TableId[];
}

export interface NftWatch {
  /**
   * Reports what has happened so far, without waiting for the poller. All that led to a generation is reported by a drain after
   * the generation was read.
   */
  drain(): void;
  /**
   * Applies steps without being told of them: for one that listens the kernel writes a message an element, and each of them has
   * to be read. What somebody else changed at that time is reported as an overrun.
   */
  apply(driver: NftDriver, steps: readonly NftStep[], options: { readonly generation: number }): NftResult;
  stop(): void;
}

/** Starts watching; changes from now on are reported. Returns how to stop. Throws KernelError as opening a driver does. */
export function watchNft(options: NftWatchOptions): () => void {
  const watch = openNftWatch(options);
  return () => watch.stop();
}

/** As `watchNft`, for one that changes the ruleset too. */
export function openNftWatch(options: NftWatchOptions): NftWatch {
  const { onChange, tables } = options;
  const socket = new NetlinkSocket({
    protocol: NETLINK_NETFILTER,
    ...(options.netns === undefined ? {} : { netns: options.netns }),
    groups: [NFNLGRP_NFTABLES],
  });
  const gather = new Gatherer(onChange, tables);
  const drain = () => {
    const { messages, overrun } = socket.notifications();
    gather.take(messages, overrun);
  };
  const stop = options.poller.watch(socket.fd, drain);
  return {
    drain,
    apply(driver, steps, { generation }) {
      socket.leave(NFNLGRP_NFTABLES);
      let ours: number | undefined;
      try {
        const result = driver.apply(steps, { generation });
        ours = result.kind === 'done' ? result.generation : generation;
        return result;
      } finally {
        socket.join(NFNLGRP_NFTABLES);
        // From the generation that the steps were made for to the one they made nobody else can have come between.
        if (ours === undefined || driver.generation() !== ours) onChange({ kind: 'overrun' });
      }
    },
    stop() {
      stop();
      socket.close();
    },
  };
}

/** Puts the messages of each transaction together: its changes come first, then its generation. */
class Gatherer {
  readonly #onChange: (change: NftChange) => void;
  readonly #wanted: ReadonlySet<string> | undefined;
  #touched = new Map<string, TableId>();
  /** Of the message before: most messages of a transaction are of one table. */
  #last: TableId | undefined;

  constructor(onChange: (change: NftChange) => void, tables: readonly TableId[] | undefined) {
    this.#onChange = onChange;
    this.#wanted = tables === undefined ? undefined : new Set(tables.map(tableKey));
  }

  take(messages: readonly DumpedMessage[], overrun: boolean): void {
    let lost = overrun;
    for (const message of messages) {
      try {
        this.#message(message);
      } catch (error) {
        if (!(error instanceof DecodeError)) throw error;
        lost = true;
      }
    }
    if (!lost) return;
    this.#touched = new Map();
    this.#last = undefined;
    this.#onChange({ kind: 'overrun' });
  }

  #message({ type, body }: DumpedMessage): void {
    if (type >> 8 !== subsystem) return;
    const family = readHeader(body);
    if ((type & 0xff) !== NFT_MSG.NEWGEN) {
      if (family !== undefined) this.#touch(family, tableName(body));
      return;
    }
    const { NFTA_GEN_ID, NFTA_GEN_PROC_PID, NFTA_GEN_PROC_NAME } = generationAttributes.read(body);
    const tables = [...this.#touched.values()];
    this.#touched = new Map();
    this.#last = undefined;
    if (this.#wanted !== undefined && tables.length === 0) return;
    if (NFTA_GEN_ID === undefined) throw new DecodeError('Cannot read a generation: its number is missing');
    this.#onChange({
      kind: 'transaction',
      generation: NFTA_GEN_ID,
      tables,
      pid: NFTA_GEN_PROC_PID,
      process: NFTA_GEN_PROC_NAME,
    });
  }

  #touch(family: TableId['family'], name: string | undefined): void {
    if (name === undefined || (this.#last?.name === name && this.#last.family === family)) return;
    const table = { family, name };
    this.#last = table;
    const key = tableKey(table);
    if (this.#wanted?.has(key) ?? true) this.#touched.set(key, table);
  }
}

/** The first attribute, as the kernel writes it: all others, perhaps a whole list of elements, are left alone. */
function tableName(body: ByteReader): string | undefined {
  const length = body.u16();
  const type = body.u16();
  if (type !== tableAttribute || length < attributeHeader) return undefined;
  return text.read(body.slice(length - attributeHeader));
}
