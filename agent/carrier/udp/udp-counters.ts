// What the forwarder counts, in memory that its thread writes and the agent reads: numbers of eight bytes, each written whole. They outlive
// the thread.

export const sendDrops = ['not-ipv4', 'malformed', 'no-peer', 'ttl', 'refused'] as const;
export const receiveDrops = [
  'malformed',
  'not-ipv4',
  'checksum',
  'unknown-sender',
  'foreign-source',
  'foreign-destination',
  'ttl',
  'refused',
] as const;
export type SendDrop = (typeof sendDrops)[number];
export type ReceiveDrop = (typeof receiveDrops)[number];

/** Packets as they are on the wire between nodes; batches are system calls that carried some; writes are packets given to the machine. */
const plain = [
  'sentPackets',
  'sentBytes',
  'sentBatches',
  'sentMessages',
  'receivedPackets',
  'receivedBytes',
  'receivedBatches',
  'receivedMessages',
  'receivedWrites',
  'icmp',
] as const;
export type UdpCounter = (typeof plain)[number];

const places: ReadonlyMap<string, number> = new Map(
  [...plain, ...sendDrops.map(sendName), ...receiveDrops.map(receiveName)].map((name, place) => [
    name,
    place,
  ]),
);

function sendName(reason: SendDrop): string {
  return `send ${reason}`;
}

function receiveName(reason: ReceiveDrop): string {
  return `receive ${reason}`;
}

export class UdpCounters {
  readonly memory: SharedArrayBuffer;
  readonly #values: Float64Array;

  constructor(memory: SharedArrayBuffer = new SharedArrayBuffer(places.size * 8)) {
    this.memory = memory;
    this.#values = new Float64Array(memory);
  }

  add(counter: UdpCounter, count: number): void {
    this.#add(counter, count);
  }

  dropSent(reason: SendDrop, count = 1): void {
    this.#add(sendName(reason), count);
  }

  dropReceived(reason: ReceiveDrop, count = 1): void {
    this.#add(receiveName(reason), count);
  }

  get(counter: UdpCounter): number {
    return this.#get(counter);
  }

  sentDropped(reason: SendDrop): number {
    return this.#get(sendName(reason));
  }

  receivedDropped(reason: ReceiveDrop): number {
    return this.#get(receiveName(reason));
  }

  #add(name: string, count: number): void {
    const place = places.get(name) ?? 0;
    this.#values[place] = (this.#values[place] ?? 0) + count;
  }

  #get(name: string): number {
    return this.#values[places.get(name) ?? 0] ?? 0;
  }
}

/** One direction, for people and scripts. */
export interface UdpDirection {
  readonly packets: number;
  readonly bytes: number;
  /** System calls that carried some. */
  readonly batches: number;
  /** By reason; those that were not dropped are left out. */
  readonly dropped: Readonly<Record<string, number>>;
}

export interface UdpTraffic {
  readonly sent: UdpDirection;
  readonly received: UdpDirection;
  /** ICMP messages about packets that could not be carried. */
  readonly icmp: number;
}

/** Undefined when nothing was ever carried or dropped. */
export function udpTraffic(counters: UdpCounters): UdpTraffic | undefined {
  const some = <Reason extends string>(reasons: readonly Reason[], count: (reason: Reason) => number) =>
    Object.fromEntries(
      reasons.map((reason) => [reason, count(reason)] as const).filter(([, dropped]) => dropped > 0),
    );
  const sent = {
    packets: counters.get('sentPackets'),
    bytes: counters.get('sentBytes'),
    batches: counters.get('sentBatches'),
    dropped: some(sendDrops, (reason) => counters.sentDropped(reason)),
  };
  const received = {
    packets: counters.get('receivedPackets'),
    bytes: counters.get('receivedBytes'),
    batches: counters.get('receivedBatches'),
    dropped: some(receiveDrops, (reason) => counters.receivedDropped(reason)),
  };
  const isUsed = [sent, received].some(
    ({ packets, dropped }) => packets > 0 || Object.keys(dropped).length > 0,
  );
  return isUsed ? { sent, received, icmp: counters.get('icmp') } : undefined;
}
