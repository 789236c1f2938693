import { describe, expect, test } from '@jest/globals';
import fc from 'fast-check';
import { SendBatch } from '../../../kernel/tun/send-batch.ts';
import { SegmentCutter } from './cut-segments.ts';
import {
  imaginaryPool,
  type SampleTcp,
  samplePacket,
  sampleTcp,
  slowChecksum,
  transportChecksum,
} from './sample-packets.ts';

const receiver = 0x0202_00c0;

/** The packets that a packet of TCP becomes, as datagrams. */
function cut(packet: Uint8Array, segmentSize: number, at = 12): readonly Buffer[] | undefined {
  const pool = imaginaryPool();
  const memory = pool.allocate(70_000);
  memory.bytes.set(packet, at);
  const batch = new SendBatch({ messages: 2048, vectors: 4096, port: 8285, splits: false, ...pool });
  const cutter = new SegmentCutter(2048, pool.allocate);
  const whole = { memory, at, size: packet.length, segmentSize, receiver };
  const count = cutter.countOf(whole);
  if (count === undefined) return undefined;
  cutter.cut(whole, batch);
  batch.finish();
  expect(batch.count).toBe(count);
  const packets: Buffer[] = [];
  for (let i = 0, vector = 0; i < batch.count; i++) {
    const size = batch.bytesOf(i);
    let vectors = 0;
    for (let sum = 0; sum < size; vectors++) sum += batch.vectors.lengthOf(vector + vectors);
    packets.push(Buffer.from(pool.gather(batch.vectors, vector, vectors)));
    vector += vectors;
  }
  return packets;
}

const tcpOf = (packet: Buffer): Buffer => packet.subarray(((packet[0] ?? 0) & 15) * 4);
const dataOf = (packet: Buffer): Buffer => tcpOf(packet).subarray(((tcpOf(packet)[12] ?? 0) >> 4) * 4);

const sampleArbitrary: fc.Arbitrary<SampleTcp & { readonly data: Uint8Array }> = fc.record({
  data: fc.uint8Array({ minLength: 1, maxLength: 3000 }),
  id: fc.nat(0xffff),
  sequence: fc.integer({ min: 0, max: 0xffffffff }),
  acknowledgement: fc.integer({ min: 0, max: 0xffffffff }),
  flags: fc.nat(0xff),
  window: fc.nat(0xffff),
  tos: fc.nat(0xff),
  ttl: fc.integer({ min: 2, max: 255 }),
  options: fc.nat(10).map((words) => new Uint8Array(words * 4).fill(1)),
  tcpOptions: fc.nat(10).map((words) => new Uint8Array(words * 4).fill(1)),
});

describe('a packet of TCP', () => {
  test('becomes packets that are whole and right, and that say the same together', () => {
    fc.assert(
      fc.property(
        sampleArbitrary,
        fc.integer({ min: 1, max: 1500 }),
        fc.nat(3),
        (sample, segmentSize, odd) => {
          const packet = Buffer.from(sampleTcp(sample));
          const packets = cut(packet, segmentSize, 12 + odd) ?? [];
          expect(Buffer.concat(packets.map(dataOf)).equals(Buffer.from(sample.data))).toBe(true);
          packets.forEach((each, i) => {
            const header = ((each[0] ?? 0) & 15) * 4;
            expect(each.readUInt16BE(2)).toBe(each.length);
            expect(slowChecksum(each.subarray(0, header))).toBe(0);
            expect(transportChecksum(each)).toBe(0);
            expect(each.readUInt16BE(4)).toBe(((sample.id ?? 0) + i) & 0xffff);
            expect(tcpOf(each).readUInt32BE(4)).toBe(((sample.sequence ?? 0) + i * segmentSize) % 2 ** 32);
            expect(tcpOf(each).readUInt32BE(8)).toBe(sample.acknowledgement);
            expect(each.subarray(20, header)).toEqual(packet.subarray(20, header));
            const isLast = i === packets.length - 1;
            expect(dataOf(each).length).toBe(isLast ? sample.data.length - i * segmentSize : segmentSize);
            const flags = sample.flags ?? 0;
            const kept = (isLast ? flags : flags & ~0x09) & (i === 0 ? 0xff : ~0x80);
            expect(tcpOf(each)[13]).toBe(kept);
          });
        },
      ),
      { numRuns: 300 },
    );
  });

  test('of the largest size', () => {
    const packets = cut(sampleTcp({ data: new Uint8Array(65_495).fill(0xff) }), 1420);
    expect(packets?.length).toBe(47);
    expect(packets?.every((packet) => transportChecksum(packet) === 0)).toBe(true);
  });

  test('without payload', () => {
    expect(cut(sampleTcp({ data: new Uint8Array() }), 1420)?.length).toBe(1);
  });
});

test('what cannot be cut', () => {
  const tcp = sampleTcp();
  const edited = (at: number, value: number): Uint8Array => {
    const copy = Uint8Array.from(tcp);
    copy[at] = value;
    return copy;
  };
  expect(cut(tcp, 0)).toBeUndefined();
  expect(cut(samplePacket(), 100)).toBeUndefined();
  expect(cut(samplePacket({ protocol: 6, payload: new Uint8Array(19) }), 100)).toBeUndefined();
  // Headers shorter than TCP's or longer than the packet; a fragment; more packets than there is room for.
  expect(cut(edited(32, 0x40), 100)).toBeUndefined();
  expect(
    cut(
      sampleTcp({ data: new Uint8Array(3) }).map((byte, i) => (i === 32 ? 0xf0 : byte)),
      100,
    ),
  ).toBeUndefined();
  expect(cut(edited(6, 0x20), 100)).toBeUndefined();
  expect(cut(sampleTcp({ data: new Uint8Array(60_000) }), 20)).toBeUndefined();
});
