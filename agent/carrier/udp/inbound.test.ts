import { describe, expect, test } from '@jest/globals';
import fc from 'fast-check';
import { IpAddress } from '../../../net/address.ts';
import { Prefix } from '../../../net/prefix.ts';
import { IcmpTeller } from './icmp-teller.ts';
import { Inbound } from './inbound.ts';
import { SegmentJoiner } from './join-segments.ts';
import { addressWord, PeerRoutes, peerWords, prefixWords } from './peer-routes.ts';
import { imaginaryPool, samplePacket, sampleTcp, slowChecksum } from './sample-packets.ts';
import { receiveDrops, UdpCounters } from './udp-counters.ts';

/** This node is 192.0.2.2 with 10.244.2.0/24. */
const rows = [
  { subnet: Prefix.parse('10.244.1.0/24'), publicIp: IpAddress.parse('192.0.2.1') },
  { subnet: Prefix.parse('10.244.3.0/24'), publicIp: IpAddress.parse('192.0.2.3') },
];
const word = (text: string): number => addressWord(IpAddress.parse(text));

interface Sent {
  readonly sender?: string;
  readonly port?: number;
  readonly segmentSize?: number;
}

function inbound() {
  const pool = imaginaryPool();
  const memory = pool.allocate(70_000);
  const counters = new UdpCounters();
  const told: Buffer[] = [];
  const written: Buffer[] = [];
  const teller = new IcmpTeller({
    counters,
    send: ({ bytes }, size) => told.push(Buffer.from(bytes.subarray(0, size))),
    now: () => 0,
    allocate: pool.allocate,
  });
  const joiner = new SegmentJoiner({
    memory,
    allocate: pool.allocate,
    write: (vectors) => written.push(Buffer.from(pool.gather(vectors))),
  });
  const into = new Inbound(memory, {
    joiner,
    teller,
    counters,
    routes: new PeerRoutes(peerWords(rows)),
    place: {
      network: prefixWords(Prefix.parse('10.244.0.0/16')),
      subnet: prefixWords(Prefix.parse('10.244.2.0/24')),
      ownAddresses: [word('192.0.2.2'), word('203.0.113.2')],
      port: 8285,
    },
  });
  return {
    told,
    take(datagram: Uint8Array, { sender = '192.0.2.1', port = 8285, segmentSize = 0 }: Sent = {}): number {
      memory.bytes.set(datagram, 64);
      const count = into.take({
        at: 64,
        size: datagram.length,
        segmentSize,
        sender: word(sender),
        port,
      });
      joiner.flush();
      return count;
    },
    /** Without struct virtio_net_hdr. */
    written: () => written.map((bytes) => bytes.subarray(10)),
    drops: () =>
      Object.fromEntries(
        receiveDrops
          .map((reason) => [reason, counters.receivedDropped(reason)])
          .filter(([, count]) => count !== 0),
      ),
  };
}

test('a packet of a peer’s pod comes in, one hop older', () => {
  const tunnel = inbound();
  expect(tunnel.take(samplePacket({ ttl: 62 }))).toBe(1);
  expect(tunnel.written()).toEqual([Buffer.from(samplePacket({ ttl: 61 }))]);
  expect(tunnel.drops()).toEqual({});
});

test('several in one message, the last may be shorter', () => {
  const tunnel = inbound();
  const packets = [1, 2, 3].map((id) => samplePacket({ id, payload: new Uint8Array(id === 3 ? 5 : 80) }));
  expect(tunnel.take(Buffer.concat(packets), { segmentSize: 100 })).toBe(3);
  expect(tunnel.written().map((packet) => packet.length)).toEqual([100, 100, 25]);
});

describe('who may send what', () => {
  test.each([
    ['a pod of the peer', { source: '10.244.1.7' }, {}, 'in'],
    ['the peer’s end of the tunnel', { source: '10.244.1.0' }, {}, 'in'],
    ['the peer itself', { source: '192.0.2.1' }, {}, 'in'],
    ['somebody outside, routed by the peer', { source: '198.51.100.7' }, {}, 'in'],
    ['to our end of the tunnel', { destination: '10.244.2.0' }, {}, 'in'],
    ['a pod of another peer', { source: '10.244.3.7' }, {}, 'foreign-source'],
    ['a pod of ours', { source: '10.244.2.7' }, {}, 'foreign-source'],
    ['a pod of nobody', { source: '10.244.9.7' }, {}, 'foreign-source'],
    ['ourselves', { source: '192.0.2.2' }, {}, 'foreign-source'],
    ['ourselves, as others know us', { source: '203.0.113.2' }, {}, 'foreign-source'],
    ['loopback', { source: '127.0.0.1' }, {}, 'foreign-source'],
    ['nobody', { source: '0.0.0.0' }, {}, 'foreign-source'],
    ['a group', { source: '224.0.0.1' }, {}, 'foreign-source'],
    ['to a pod of another peer', { destination: '10.244.3.2' }, {}, 'foreign-destination'],
    ['to somebody outside', { destination: '198.51.100.7' }, {}, 'foreign-destination'],
    ['to all', { destination: '255.255.255.255' }, {}, 'foreign-destination'],
    ['by another peer', {}, { sender: '192.0.2.3' }, 'foreign-source'],
    ['by a stranger', {}, { sender: '192.0.2.9' }, 'unknown-sender'],
    ['by ourselves', {}, { sender: '192.0.2.2' }, 'unknown-sender'],
    ['by a pod that the peer masquerades', {}, { port: 40_000 }, 'unknown-sender'],
  ] as const)('%s', (_, sample, sent, becomes) => {
    const tunnel = inbound();
    tunnel.take(samplePacket(sample), sent);
    expect(tunnel.written().length).toBe(becomes === 'in' ? 1 : 0);
    expect(tunnel.drops()).toEqual(becomes === 'in' ? {} : { [becomes]: 1 });
    expect(tunnel.told).toEqual([]);
  });
});

test('a packet whose time is over: its sender is told', () => {
  const tunnel = inbound();
  tunnel.take(samplePacket({ ttl: 1 }));
  expect(tunnel.written()).toEqual([]);
  expect(tunnel.drops()).toEqual({ ttl: 1 });
  expect(tunnel.told.map((message) => [message[20], message[21]])).toEqual([[11, 0]]);
});

test('what is no packet', () => {
  const tunnel = inbound();
  expect(tunnel.take(new Uint8Array())).toBe(1);
  tunnel.take(Uint8Array.of(0x60, ...new Uint8Array(39)));
  tunnel.take(Uint8Array.of(...samplePacket(), 0));
  tunnel.take(samplePacket().subarray(0, -1));
  tunnel.take(samplePacket().map((byte, at) => (at === 10 ? byte ^ 1 : byte)));
  expect(tunnel.written()).toEqual([]);
  expect(tunnel.drops()).toEqual({ malformed: 3, 'not-ipv4': 1, checksum: 1 });
});

test('whatever comes, what goes in is a packet of a peer for a pod of ours', () => {
  const edits = fc.array(fc.tuple(fc.nat(60), fc.nat(255)), { maxLength: 5 });
  const datagram = fc.oneof(
    fc.uint8Array({ maxLength: 300 }),
    fc.tuple(fc.constantFrom(samplePacket(), sampleTcp()), edits).map(([packet, changes]) => {
      const copy = Buffer.from(packet);
      for (const [at, value] of changes) if (at < copy.length) copy[at] = value;
      // Most of them with a right checksum, or nothing else would be looked at.
      const header = Math.min(((copy[0] ?? 0) & 15) * 4, copy.length);
      if (header >= 20) {
        copy.writeUInt16BE(0, 10);
        copy.writeUInt16BE(slowChecksum(copy.subarray(0, header)), 10);
      }
      return copy;
    }),
  );
  const sender = fc.constantFrom('192.0.2.1', '192.0.2.3', '192.0.2.9');
  fc.assert(
    fc.property(datagram, sender, fc.nat(120), (bytes, from, segmentSize) => {
      const tunnel = inbound();
      const count = tunnel.take(bytes, { sender: from, segmentSize });
      const dropped = Object.values<number>(tunnel.drops()).reduce((sum, each) => sum + each, 0);
      expect(tunnel.written().length + dropped).toBe(count);
      for (const packet of tunnel.written()) {
        expect(packet.readUInt16BE(2)).toBe(packet.length);
        expect([...packet.subarray(16, 19)]).toEqual([10, 244, 2]);
        const [a, b, c] = packet.subarray(12, 15);
        if (a === 10 && b === 244) expect(c).toBe(from === '192.0.2.1' ? 1 : 3);
      }
    }),
    { numRuns: 1000 },
  );
});
