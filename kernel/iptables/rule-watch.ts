// Tells whether others changed the rules that a caller keeps with iptables-nft: notifications of nf_tables about the tables that these
// programs use, told apart from the caller's own changes. It starts no program and reads no rules; iptables-legacy changes unseen.
import type { Family } from '../../net/address.ts';
import { isNotSupported } from '../kernel-error.ts';
import { at, attributeTable } from '../netlink/attribute-table.ts';
import { ByteReader, DecodeError } from '../netlink/bytes.ts';
import { text } from '../netlink/codec.ts';
import { type DumpedMessage, NETLINK_NETFILTER, NetlinkSocket } from '../netlink/netlink-socket.ts';
import type { Netns } from '../netns.ts';
import { NFT_MSG, subsystem } from '../nft/attributes.ts';
import { openNftDriver } from '../nft/driver.ts';
import { readHeader } from '../nft/object-wire.ts';
import { plainBytes } from '../nft/plain-bytes.ts';
import type { Poller } from '../poller.ts';

/** NFNLGRP_NFTABLES of linux/netfilter/nfnetlink.h */
const NFNLGRP_NFTABLES = 7;

/** In every message about a table's object. Of a rule and its chain there is more, which is looked at as bytes. */
const names = attributeTable({ TABLE: at(1, text) });
const ruleContent = attributeTable({ NFTA_RULE_EXPRESSIONS: at(4, plainBytes) });

/** A full load makes tens of thousands of notifications at once. */
const receiveBuffer = 8 << 20;

export interface RuleWatch {
  /** True when somebody else changed what is watched since `forget`. A few microseconds. */
  changed(): boolean;
  /** What happened until now is known, since the caller is about to look. */
  forget(): void;
  /** Changes to `tables` while `change` runs are the caller's own: one transaction each, which does change something. */
  own(tables: readonly string[], change: () => Promise<void>): Promise<void>;
  close(): void;
}

export interface RuleWatchOptions {
  readonly netns?: Netns | undefined;
  readonly family: Family;
  readonly tables: readonly string[];
  /** Text that the message of every change of interest holds: the start of the chains' names. Deleted tables always are of interest. */
  readonly mark: string;
  /** With it notifications are taken as they come, so that a burst by others does not fill the socket's buffer. */
  readonly poller?: Poller | undefined;
}

/** Opens a socket. Throws KernelError: EPROTONOSUPPORT in a kernel without nf_tables. */
export function watchRules(options: RuleWatchOptions): RuleWatch {
  return new KernelRuleWatch(options);
}

class KernelRuleWatch implements RuleWatch {
  readonly #options: RuleWatchOptions;
  readonly #socket: NetlinkSocket;
  readonly #driver: ReturnType<typeof openNftDriver>;
  readonly #stop: () => void;
  #changed = false;
  /** Tables of interest that the transaction being read touched. */
  #touched = new Set<string>();
  /** While changes of our own run: how many transactions touched each table. */
  #own: Map<string, number> | undefined;
  #lost = false;

  constructor(options: RuleWatchOptions) {
    this.#options = options;
    const { netns, poller } = options;
    this.#socket = new NetlinkSocket({
      protocol: NETLINK_NETFILTER,
      netns,
      groups: [NFNLGRP_NFTABLES],
      receiveBuffer,
    });
    this.#driver = openNftDriver({ netns });
    this.#stop = poller?.watch(this.#socket.fd, () => this.#drain()) ?? (() => {});
  }

  changed(): boolean {
    this.#drain();
    return this.#changed;
  }

  forget(): void {
    this.#drain();
    this.#changed = false;
  }

  async own(tables: readonly string[], change: () => Promise<void>): Promise<void> {
    this.#drain();
    const before = this.#driver.generation();
    const counts = new Map<string, number>();
    this.#own = counts;
    this.#lost = false;
    try {
      await change();
    } finally {
      this.#drain();
      this.#own = undefined;
      const others = [...counts].some(([table, count]) => !tables.includes(table) || count > 1);
      // Where notifications were lost the number of transactions still tells whether all were ours.
      const alone = this.#driver.generation() - before === new Set(tables).size;
      if (!alone && (others || this.#lost)) this.#changed = true;
    }
  }

  close(): void {
    this.#stop();
    this.#socket.close();
    this.#driver.close();
  }

  #drain(): void {
    const { messages, overrun } = this.#socket.notifications();
    if (overrun) this.#lose();
    for (const message of messages) {
      try {
        this.#read(message);
      } catch (error) {
        if (!(error instanceof DecodeError)) throw error;
        this.#lose();
      }
    }
  }

  #lose(): void {
    this.#touched = new Set();
    if (this.#own === undefined) this.#changed = true;
    else this.#lost = true;
  }

  #read({ type, body }: DumpedMessage): void {
    if (type >> 8 !== subsystem) return;
    const message = type & 0xff;
    if (message === NFT_MSG.NEWGEN) {
      this.#endTransaction();
      return;
    }
    const bytes = body.raw();
    const input = new ByteReader(bytes);
    if (readHeader(input) !== (this.#options.family === 4 ? 'ip' : 'ip6')) return;
    const { TABLE: table } = names.read(input);
    if (table === undefined || !this.#options.tables.includes(table)) return;
    if (message === NFT_MSG.DELTABLE || bytes.includes(this.#options.mark) || isUnknownRule(message, bytes))
      this.#touched.add(table);
  }

  #endTransaction(): void {
    const touched = this.#touched;
    if (touched.size === 0) return;
    this.#touched = new Set();
    if (this.#own === undefined) this.#changed = true;
    else for (const table of touched) this.#own.set(table, (this.#own.get(table) ?? 0) + 1);
  }
}

/** A deleted rule of which the kernel only tells the number: it may be one that led to ours. */
function isUnknownRule(message: number, bytes: Buffer): boolean {
  if (message !== NFT_MSG.DELRULE) return false;
  const input = new ByteReader(bytes);
  readHeader(input);
  return ruleContent.read(input).NFTA_RULE_EXPRESSIONS === undefined;
}

/** As `watchRules`; undefined where the kernel has no nf_tables. */
export function tryWatchRules(options: RuleWatchOptions): RuleWatch | undefined {
  try {
    return watchRules(options);
  } catch (error) {
    if (isNotSupported(error)) return undefined;
    throw error;
  }
}
