// Sets of the kernel's ipset as values: what is (read from the kernel) and what should be have the same types. iptables asks them with
// `-m set`. Of the kernel's types only those that Netloom makes.
import type { Family, IpAddress } from '../../net/address.ts';
import type { Prefix } from '../../net/prefix.ts';
import type { Transport } from '../../net/transport.ts';

export const ipsetTypes = [
  'hash:ip',
  'hash:ip,port',
  'hash:ip,port,ip',
  'hash:ip,port,net',
  'bitmap:port',
] as const;
export type IpsetType = (typeof ipsetTypes)[number];

export interface Ipset {
  /** 1 to 31 bytes. */
  readonly name: string;
  readonly type: IpsetType;
  /** Of the addresses; of bitmap:port 4, and without meaning. */
  readonly family: Family;
  /** Most entries of a hash; the kernel's own default is 65536. Undefined for bitmap:port, which is 0-65535. */
  readonly maxElements: number | undefined;
}

/** One entry; which fields there are follows from the set's type. */
export interface IpsetEntry {
  readonly address?: IpAddress | undefined;
  readonly protocol?: Transport | undefined;
  readonly port?: number | undefined;
  /** The third part of hash:ip,port,ip and hash:ip,port,net; a host's of the former. Never of length 0 (the kernel refuses that). */
  readonly second?: Prefix | undefined;
}

export type IpsetStep =
  | { readonly kind: 'set-create'; readonly set: Ipset }
  /** Refused while a rule asks it. */
  | { readonly kind: 'set-destroy'; readonly name: string }
  /** Takes the contents and options of one for the other's, at once: how a set that is too small grows under rules that ask it. */
  | { readonly kind: 'set-swap'; readonly name: string; readonly other: string }
  | { readonly kind: 'entry-add'; readonly set: Ipset; readonly entry: IpsetEntry }
  | { readonly kind: 'entry-delete'; readonly set: Ipset; readonly entry: IpsetEntry };

export interface IpsetStepResult {
  readonly step: IpsetStep;
  /** Undefined: done, or it was so already (an addition of what is there, a removal of what is not). */
  readonly error: Error | undefined;
}

/** What is known of any set, also one of a type or with options that are not ours. */
export interface IpsetHeader {
  readonly name: string;
  /** As the kernel names it. */
  readonly type: string;
  /** NFPROTO_*: 2 IPv4, 10 IPv6, 0 for types without addresses. */
  readonly family: number;
  readonly maxElements: number | undefined;
  /** False when it has options that sets of ours have not: a timeout, counters, comments, a netmask, fewer ports ... */
  readonly isPlain: boolean;
  /** How many rules and sets refer to it: it cannot be destroyed unless 0. */
  readonly references: number;
}

/** The sets of one network namespace. All throw KernelError: EPERM without CAP_NET_ADMIN, where the kernel has no ipset isNotSupported or EINVAL. */
export interface IpsetAccess {
  /** All sets of the namespace, by name. */
  headers(): readonly IpsetHeader[];
  /**
   * Undefined when there is no such set. Throws DecodeError when its type is none of ours. What strangers put into it and no set of ours
   * has (other protocols, `nomatch`) is left out.
   */
  entries(name: string): readonly IpsetEntry[] | undefined;
  /**
   * The same a few hundred at a time, each in a system call of its own, for who must not be held up by a large set; none when there is no
   * such set. The namespace must still be open, and what is added or deleted in between may come or not.
   */
  entrySlices(name: string): Iterable<readonly IpsetEntry[]>;
  /** Steps in order, many in one system call; a step that is refused does not stop the others. */
  apply(steps: readonly IpsetStep[]): readonly IpsetStepResult[];
  close(): void;
}

/** A set as it is: its header and its entries, by their text. */
export interface IpsetState {
  readonly header: IpsetHeader;
  readonly entries: ReadonlyMap<string, IpsetEntry>;
}

/** Entries by their text, with networks as the kernel has them: without host bits. */
export function ipsetEntries(entries: Iterable<IpsetEntry>): ReadonlyMap<string, IpsetEntry> {
  const found = new Map<string, IpsetEntry>();
  for (const given of entries) {
    const { second } = given;
    const entry = second === undefined || second.isNetwork ? given : { ...given, second: second.network() };
    found.set(entryText(entry), entry);
  }
  return found;
}

/** As `ipset save` prints it: "10.96.0.1,tcp:80", "10.0.0.1,tcp:80,10.0.0.0/8", "30080". A key for maps. */
export function entryText({ address, protocol, port, second }: IpsetEntry): string {
  const ofPort = port === undefined ? undefined : protocol === undefined ? `${port}` : `${protocol}:${port}`;
  const isHost = second?.length === (second?.family === 4 ? 32 : 128);
  const third = isHost ? second?.address : second;
  return [address, ofPort, third].filter((part) => part !== undefined).join(',');
}
