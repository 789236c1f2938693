// Notifications of nf_tables changes in a namespace: which tables each transaction touched, and which process made it, so that the
// agent tells foreign changes of its tables from all others. It does not read the tables.

import { at, attributeTable } from '../netlink/attribute-table.ts';
import { DecodeError } from '../netlink/bytes.ts';
import { text } from '../netlink/codec.ts';
import { type DumpedMessage, NETLINK_NETFILTER, NetlinkSocket } from '../netlink/netlink-socket.ts';
import type { Netns } from '../netns.ts';
import type { Poller } from '../poller.ts';
import { generationAttributes, NFT_MSG, subsystem } from './attributes.ts';
import { readHeader } from './object-wire.ts';
import { type TableId, tableKey } from './objects.ts';

/** NFNLGRP_NFTABLES of linux/netfilter/nfnetlink.h */
const NFNLGRP_NFTABLES = 7;

/** The name of its table is attribute 1 in every message about an object (NFTA_TABLE_NAME, NFTA_CHAIN_TABLE ...). */
const tableNameAttributes = attributeTable({ TABLE: at(1, text) });

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
}

/** Starts watching; changes from now on are reported. Returns how to stop. Throws KernelError as opening a driver does. */
export function watchNft(options: NftWatchOptions): () => void {
  const socket = new NetlinkSocket({
    protocol: NETLINK_NETFILTER,
    ...(options.netns === undefined ? {} : { netns: options.netns }),
    groups: [NFNLGRP_NFTABLES],
  });
  const gather = new Gatherer(options.onChange);
  const stop = options.poller.watch(socket.fd, () => {
    const { messages, overrun } = socket.notifications();
    gather.take(messages, overrun);
  });
  return () => {
    stop();
    socket.close();
  };
}

/** Puts the messages of each transaction together: its changes come first, then its generation. */
class Gatherer {
  readonly #onChange: (change: NftChange) => void;
  #touched = new Map<string, TableId>();

  constructor(onChange: (change: NftChange) => void) {
    this.#onChange = onChange;
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
    this.#onChange({ kind: 'overrun' });
  }

  #message({ type, body }: DumpedMessage): void {
    if (type >> 8 !== subsystem) return;
    const family = readHeader(body);
    if ((type & 0xff) !== NFT_MSG.NEWGEN) {
      const { TABLE: name } = tableNameAttributes.read(body);
      if (family !== undefined && name !== undefined) {
        const table = { family, name };
        this.#touched.set(tableKey(table), table);
      }
      return;
    }
    const { NFTA_GEN_ID, NFTA_GEN_PROC_PID, NFTA_GEN_PROC_NAME } = generationAttributes.read(body);
    const tables = [...this.#touched.values()];
    this.#touched = new Map();
    if (NFTA_GEN_ID === undefined) throw new DecodeError('Cannot read a generation: its number is missing');
    this.#onChange({
      kind: 'transaction',
      generation: NFTA_GEN_ID,
      tables,
      pid: NFTA_GEN_PROC_PID,
      process: NFTA_GEN_PROC_NAME,
    });
  }
}
