// Which peer a packet goes to and which one it may come from, by the leases. Addresses are words as memory holds them (ip4-header.ts).
import type { IpAddress } from '../../../net/address.ts';
import type { Prefix } from '../../../net/prefix.ts';

/** One peer: its subnet, and where its node is reached. */
export interface PeerRow {
  readonly subnet: Prefix;
  readonly publicIp: IpAddress;
}

export interface WordPrefix {
  readonly network: number;
  readonly mask: number;
}

/** What goes to the thread: four words a peer, its network, mask, length and address. */
export type PeerWords = Int32Array<ArrayBuffer>;

const rowWords = 4;

export function addressWord({ bytes: [a = 0, b = 0, c = 0, d = 0] }: IpAddress): number {
  return a | (b << 8) | (c << 16) | (d << 24);
}

export function prefixWords(prefix: Prefix): WordPrefix {
  const { length } = prefix;
  const mask = length === 0 ? 0 : (-1 << (32 - length)) >>> 0;
  const bytes = (mask >>> 24) | ((mask >>> 8) & 0xff00) | ((mask << 8) & 0xff0000) | (mask << 24);
  return { network: addressWord(prefix.first()), mask: bytes };
}

export function peerWords(rows: readonly PeerRow[]): PeerWords {
  const words = new Int32Array(rows.length * rowWords);
  rows.forEach(({ subnet, publicIp }, i) => {
    const { network, mask } = prefixWords(subnet);
    words.set([network, mask, subnet.length, addressWord(publicIp)], i * rowWords);
  });
  return words;
}

interface RoutesOfLength {
  readonly length: number;
  readonly mask: number;
  /** Network -> the peer's address. */
  readonly receivers: Map<number, number>;
}

export class PeerRoutes {
  /** Longest first. All leases of a network have one length, unless that was changed. */
  readonly #lengths: readonly RoutesOfLength[];
  /** A peer's address -> its subnet. */
  readonly #senders = new Map<number, WordPrefix>();
  readonly count: number;

  constructor(words: PeerWords) {
    const lengths = new Map<number, RoutesOfLength>();
    this.count = words.length / rowWords;
    for (let at = 0; at < words.length; at += rowWords) {
      const [network = 0, mask = 0, length = 0, address = 0] = words.subarray(at, at + rowWords);
      const same = lengths.get(length) ?? { length, mask, receivers: new Map<number, number>() };
      lengths.set(length, same);
      same.receivers.set(network, address);
      this.#senders.set(address, { network, mask });
    }
    this.#lengths = [...lengths.values()].sort((one, other) => other.length - one.length);
  }

  receiverOf(destination: number): number | undefined {
    for (const { mask, receivers } of this.#lengths) {
      const receiver = receivers.get(destination & mask);
      if (receiver !== undefined) return receiver;
    }
    return undefined;
  }

  /** The subnet of the peer at that address; undefined when it is no peer's. */
  subnetOf(sender: number): WordPrefix | undefined {
    return this.#senders.get(sender);
  }
}

export function contains({ network, mask }: WordPrefix, address: number): boolean {
  return (address & mask) === network;
}
