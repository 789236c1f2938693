import { describe, expect, test } from '@jest/globals';
import fc from 'fast-check';
import { SendBatch } from '../../../kernel/tun/send-batch.ts';
import { IpAddress } from '../../../net/address.ts';
import { Prefix } from '../../../net/prefix.ts';
import { SegmentCutter } from './cut-segments.ts';
import { IcmpTeller } from './icmp-teller.ts';
import { Outbound } from './outbound.ts';
import { addressWord, PeerRoutes, peerWords } from './peer-routes.ts';
import { imaginaryPool, samplePacket, sampleTcp, slowChecksum, transportChecksum } from './sample-packets.ts';
import { sendDrops, UdpCounters } from './udp-counters.ts';

const rows = [
  { subnet: Prefix.parse('10.244.2.0/24'), publicIp: IpAddress.parse('192.0.2.2') },
  { subnet: Prefix.parse('10.244.3.0/24'), publicIp: IpAddress.parse('192.0.2.3') },
];
const plain = Buffer.alloc(10);

function outbound(capacity = 2048) {
  const pool = imaginaryPool();
  const memory = pool.allocate(70_000);
  const counters = new UdpCounters();
  const told: Buffer[] = [];
  const batch = new SendBatch({
    messages: capacity,
    vectors: 2 * capacity,
    port: 8285,
    splits: false,
    ...pool,
  });
  const teller = new IcmpTeller({
    counters,
    send: ({ bytes }, size) => told.push(Buffer.from(bytes.subarray(0, size))),
    now: () => 0,
    allocate: pool.allocate,
  });
  teller.source = IpAddress.parse('10.244.1.0').bytes;
  const cutter = new SegmentCutter(capacity, pool.allocate);
  const routes = new PeerRoutes(peerWords(rows));
  const out = new Outbound(memory, routes, { batch, cutter, teller, counters });
  return {
    told,
    counters,
    batch,
    take(packet: Uint8Array, header: Uint8Array = plain): boolean {
      memory.bytes.set(header, 2);
      memory.bytes.set(packet, 12);
      return out.take(2, 10 + packet.length);
    },
    sent(): readonly Buffer[] {
      batch.finish();
      const packets: Buffer[] = [];
      for (let i = 0, vector = 0; i < batch.count; i++) {
        let vectors = 0;
        for (let sum = 0; sum < batch.bytesOf(i); vectors++) sum += batch.vectors.lengthOf(vector + vectors);
        packets.push(Buffer.from(pool.gather(batch.vectors, vector, vectors)));
        vector += vectors;
      }
      return packets;
    },
    drops: () =>
      Object.fromEntries(
        sendDrops.map((reason) => [reason, counters.sentDropped(reason)]).filter(([, count]) => count !== 0),
      ),
  };
}

/** struct virtio_net_hdr: flags, kind, header length, segment size, checksum's start and offset. */
function virtio(
  flags: number,
  kind: number,
  [headers = 0, size = 0, start = 0, offset = 0]: number[],
): Buffer {
  const bytes = Buffer.alloc(10);
  bytes.writeUInt8(flags, 0);
  bytes.writeUInt8(kind, 1);
  for (const [i, value] of [headers, size, start, offset].entries()) bytes.writeUInt16LE(value, 2 + 2 * i);
  return bytes;
}

test('a packet goes to its peer as it is, one hop older', () => {
  const tunnel = outbound();
  expect(tunnel.take(samplePacket({ ttl: 64, destination: '10.244.3.9' }))).toBe(true);
  expect(tunnel.sent()).toEqual([Buffer.from(samplePacket({ ttl: 63, destination: '10.244.3.9' }))]);
  expect(tunnel.drops()).toEqual({});
  expect(addressWord(IpAddress.parse('192.0.2.3'))).toBe(0x0302_00c0 | 0);
});

describe('checksums that the kernel left', () => {
  test.each([6, 17])('are completed (protocol %i)', (protocol) => {
    const place = protocol === 6 ? 16 : 6;
    const payload = Buffer.from(Array.from({ length: 61 }, (_, i) => i));
    if (protocol === 6) payload[12] = 0x50;
    payload.writeUInt16BE(0, place);
    const packet = Buffer.from(samplePacket({ protocol, payload }));
    // The pseudo header's sum.
    const pseudo = Buffer.concat([packet.subarray(12, 20), Buffer.from([0, protocol, 0, payload.length])]);
    packet.writeUInt16BE(~slowChecksum(pseudo) & 0xffff, 20 + place);
    const tunnel = outbound();
    tunnel.take(packet, virtio(1, 0, [0, 0, 20, place]));
    const [sent] = tunnel.sent();
    expect(sent?.readUInt16BE(20 + place)).not.toBe(0);
    expect(transportChecksum(sent ?? Buffer.alloc(20))).toBe(0);
  });

  test('of UDP is never zero, which would say that there is none', () => {
    // A payload that makes the sum 0xffff.
    const payload = Buffer.alloc(10);
    const packet = Buffer.from(samplePacket({ payload }));
    const pseudo = Buffer.concat([packet.subarray(12, 20), Buffer.from([0, 17, 0, payload.length])]);
    const sum = ~slowChecksum(pseudo) & 0xffff;
    packet.writeUInt16BE(sum, 26);
    packet.writeUInt16BE(0xffff - sum, 28);
    const tunnel = outbound();
    tunnel.take(packet, virtio(1, 0, [0, 0, 20, 6]));
    expect(tunnel.sent()[0]?.readUInt16BE(26)).toBe(0xffff);
  });

  test('outside of the packet are none', () => {
    const tunnel = outbound();
    for (const [start, offset] of [
      [20, 7],
      [0, 6],
      [65_535, 65_535],
    ] as const) {
      tunnel.take(samplePacket(), virtio(1, 0, [0, 0, start, offset]));
    }
    expect(tunnel.sent()).toEqual([]);
    expect(tunnel.drops()).toEqual({ malformed: 3 });
  });
});

test('a packet of TCP that stands for many is cut', () => {
  const tunnel = outbound();
  tunnel.take(sampleTcp({ data: new Uint8Array(5000) }), virtio(1, 1, [40, 1400, 20, 16]));
  const sent = tunnel.sent();
  expect(sent.map(({ length }) => length)).toEqual([1440, 1440, 1440, 840]);
  expect(sent.every((packet) => packet[8] === 63 && transportChecksum(packet) === 0)).toBe(true);
});

describe('what is not sent', () => {
  test('to nobody: its sender is told', () => {
    const tunnel = outbound();
    tunnel.take(samplePacket({ destination: '10.244.9.9' }));
    expect(tunnel.drops()).toEqual({ 'no-peer': 1 });
    expect(tunnel.told.map((message) => [message[20], message[21]])).toEqual([[3, 0]]);
    expect(tunnel.counters.get('icmp')).toBe(1);
  });

  test.each([0, 1])('a packet whose time is over (TTL %i): its sender is told', (ttl) => {
    const tunnel = outbound();
    tunnel.take(samplePacket({ ttl }));
    expect(tunnel.sent()).toEqual([]);
    expect(tunnel.drops()).toEqual({ ttl: 1 });
    expect(tunnel.told.map((message) => [message[20], message[21]])).toEqual([[11, 0]]);
  });

  test('what is no packet, or of a kind that we did not ask for', () => {
    const tunnel = outbound();
    tunnel.take(Uint8Array.of(0x60, ...new Uint8Array(39)));
    tunnel.take(new Uint8Array());
    tunnel.take(samplePacket(), virtio(0, 3, []));
    tunnel.take(samplePacket(), virtio(1, 1, [28, 1400, 20, 16]));
    expect(tunnel.sent()).toEqual([]);
    expect(tunnel.told).toEqual([]);
    expect(tunnel.drops()).toEqual({ 'not-ipv4': 1, malformed: 3 });
  });

  test('complaints end before they are many', () => {
    const tunnel = outbound();
    for (let i = 0; i < 100; i++) tunnel.take(samplePacket({ destination: '10.244.9.9' }));
    expect(tunnel.told.length).toBe(50);
    expect(tunnel.drops()).toEqual({ 'no-peer': 100 });
  });
});

test('a batch without room has to be sent first; the packet is as it was', () => {
  const tunnel = outbound(4);
  for (let i = 0; i < 4; i++) expect(tunnel.take(samplePacket())).toBe(true);
  expect(tunnel.take(samplePacket())).toBe(false);
  const many = sampleTcp({ data: new Uint8Array(300) });
  expect(tunnel.take(many, virtio(1, 1, [40, 100, 20, 16]))).toBe(false);
  tunnel.batch.clear();
  expect(tunnel.take(many, virtio(1, 1, [40, 100, 20, 16]))).toBe(true);
  expect(tunnel.sent().map((packet) => packet[8])).toEqual([63, 63, 63]);
  // What no batch has room for is dropped.
  const tooMany = outbound(4);
  expect(tooMany.take(sampleTcp({ data: new Uint8Array(500) }), virtio(1, 1, [40, 100, 20, 16]))).toBe(true);
  expect(tooMany.drops()).toEqual({ malformed: 1 });
});

test('whatever the device gives, what is sent is a packet for a peer', () => {
  const base = fc.constantFrom(samplePacket(), sampleTcp(), sampleTcp({ options: new Uint8Array(8) }));
  const edits = fc.array(fc.tuple(fc.nat(80), fc.nat(255)), { maxLength: 6 });
  const packets = fc.oneof(
    fc.uint8Array({ maxLength: 200 }),
    fc.tuple(base, edits, fc.nat(150)).map(([packet, changes, length]) => {
      const copy = Uint8Array.from(packet);
      for (const [at, value] of changes) if (at < copy.length) copy[at] = value;
      return copy.subarray(0, Math.max(length, 20));
    }),
  );
  const headers = fc.oneof(fc.constant(plain), fc.uint8Array({ minLength: 10, maxLength: 10 }));
  fc.assert(
    fc.property(packets, headers, (packet, header) => {
      const tunnel = outbound();
      tunnel.take(packet, header);
      for (const sent of tunnel.sent()) {
        expect(sent.readUInt16BE(2)).toBe(sent.length);
        expect([2, 3]).toContain(sent[18]);
      }
    }),
    { numRuns: 1000 },
  );
});
