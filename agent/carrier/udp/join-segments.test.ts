import { describe, expect, test } from '@jest/globals';
import fc from 'fast-check';
import { SegmentJoiner } from './join-segments.ts';
import {
  imaginaryPool,
  type SampleTcp,
  samplePacket,
  sampleTcp,
  slowChecksum,
  transportChecksum,
} from './sample-packets.ts';

interface Written {
  readonly header: Buffer;
  readonly packet: Buffer;
}

/** What is written when these packets come one after another. */
function join(packets: readonly Uint8Array[], gap = 4): readonly Written[] {
  const pool = imaginaryPool();
  const memory = pool.allocate(400_000);
  const written: Written[] = [];
  const joiner = new SegmentJoiner({
    memory,
    allocate: pool.allocate,
    write(vectors) {
      const bytes = Buffer.from(pool.gather(vectors));
      written.push({ header: bytes.subarray(0, 10), packet: bytes.subarray(10) });
    },
  });
  let at = 7;
  for (const packet of packets) {
    memory.bytes.set(packet, at);
    joiner.take(at, packet.length);
    at += packet.length + gap;
  }
  joiner.flush();
  return written;
}

/** What a network card makes of a packet that is written so. */
function cut({ header, packet }: Written): readonly Buffer[] {
  if (header[1] === 0) {
    expect(header.equals(Buffer.alloc(10))).toBe(true);
    return [packet];
  }
  // VIRTIO_NET_HDR_F_NEEDS_CSUM, VIRTIO_NET_HDR_GSO_TCPV4.
  expect([header[0], header[1]]).toEqual([1, 1]);
  const headers = 20 + ((packet[32] ?? 0) >> 4) * 4;
  expect(header.readUInt16LE(2)).toBe(headers);
  expect(header.readUInt16LE(6)).toBe(20);
  expect(header.readUInt16LE(8)).toBe(16);
  const size = header.readUInt16LE(4);
  expect(packet.readUInt16BE(2)).toBe(packet.length);
  expect(slowChecksum(packet.subarray(0, 20))).toBe(0);
  const pseudo = Buffer.concat([packet.subarray(12, 20), Buffer.from([0, 6, 0, 0])]);
  pseudo.writeUInt16BE(packet.length - 20, 10);
  expect(packet.readUInt16BE(36)).toBe(~slowChecksum(pseudo) & 0xffff);
  const data = packet.subarray(headers);
  const packets: Buffer[] = [];
  for (let done = 0; done < data.length; done += size) {
    const each = Buffer.concat([packet.subarray(0, headers), data.subarray(done, done + size)]);
    const isLast = done + size >= data.length;
    each.writeUInt16BE(each.length, 2);
    each.writeUInt16BE((packet.readUInt16BE(4) + packets.length) & 0xffff, 4);
    each.writeUInt16BE(0, 10);
    each.writeUInt16BE(slowChecksum(each.subarray(0, 20)), 10);
    each.writeUInt32BE((packet.readUInt32BE(24) + done) % 2 ** 32, 24);
    if (!isLast) each[33] = (each[33] ?? 0) & ~0x08;
    each.writeUInt16BE(0, 36);
    each.writeUInt16BE(transportChecksum(each), 36);
    packets.push(each);
  }
  return packets;
}

/** So many packets in a row of one flow. */
function row(sizes: readonly number[], sample: SampleTcp = {}): readonly Uint8Array[] {
  let sequence = sample.sequence ?? 0xffff_ff00;
  return sizes.map((size, i) => {
    const packet = sampleTcp({
      ...sample,
      id: ((sample.id ?? 0xfffe) + i) & 0xffff,
      sequence,
      data: Uint8Array.from({ length: size }, (_, k) => k + i),
    });
    sequence = (sequence + size) % 2 ** 32;
    return packet;
  });
}

const options = Uint8Array.of(1, 1, 8, 10, 0, 0, 0, 1, 0, 0, 0, 2);

describe('one flow', () => {
  test('packets in a row are one, which is cut into the same', () => {
    for (const sample of [{}, { tcpOptions: options }, { fragment: 0 }, { tos: 2 }]) {
      const packets = row([1400, 1400, 1400, 1399], sample);
      const written = join(packets);
      expect(written.length).toBe(1);
      expect(written.flatMap(cut)).toEqual(packets.map((packet) => Buffer.from(packet)));
    }
  });

  test('a shorter one ends it, and so does one that pushes', () => {
    expect(join(row([100, 100, 50, 50, 50])).map(({ packet }) => packet.length)).toEqual([290, 140]);
    const [one, two, three, four] = row([100, 100, 100, 100]);
    if (one === undefined || two === undefined || three === undefined || four === undefined)
      throw new Error();
    const pushed = sampleTcp({ id: 0xffff, sequence: 0xffff_ff64, flags: 0x18, data: two.subarray(40) });
    const written = join([one, pushed, three, four]);
    expect(written.map(({ packet }) => packet.length)).toEqual([240, 240]);
    expect(written[0]?.packet[33]).toBe(0x18);
    expect(written.flatMap(cut)).toEqual([one, pushed, three, four].map((packet) => Buffer.from(packet)));
  });

  test('no more than a packet can hold, and no more than 64', () => {
    const large = join(row(Array.from({ length: 60 }, () => 1420)));
    expect(large.map(({ packet }) => packet.length)).toEqual([40 + 46 * 1420, 40 + 14 * 1420]);
    const small = join(row(Array.from({ length: 130 }, () => 10)));
    expect(small.map(({ packet }) => packet.length)).toEqual([680, 680, 60]);
  });
});

describe('what is not joined', () => {
  const first = sampleTcp({ id: 1, sequence: 1000 });
  const next: SampleTcp = { id: 2, sequence: 1100 };
  const spoilt = Uint8Array.from(sampleTcp(next));
  spoilt[spoilt.length - 1] = 99;
  const spoiltFirst = Uint8Array.from(first);
  spoiltFirst[spoiltFirst.length - 1] = 99;
  test.each([
    ['a gap', first, sampleTcp({ ...next, sequence: 1101 })],
    ['the same again', first, sampleTcp({ ...next, sequence: 1000 })],
    ['a larger one', first, sampleTcp({ ...next, data: new Uint8Array(101) })],
    ['another port', first, sampleTcp({ ...next, ports: [40_001, 80] })],
    ['another source', first, sampleTcp({ ...next, source: '10.244.1.3' })],
    ['another destination', first, sampleTcp({ ...next, destination: '10.244.2.3' })],
    ['something new acknowledged', first, sampleTcp({ ...next, acknowledgement: 2001 })],
    ['another window', first, sampleTcp({ ...next, window: 501 })],
    ['congestion noted', first, sampleTcp({ ...next, tos: 3 })],
    ['another TTL', first, sampleTcp({ ...next, ttl: 63 })],
    ['options', first, sampleTcp({ ...next, tcpOptions: options })],
    [
      'other options',
      sampleTcp({ tcpOptions: options }),
      sampleTcp({ ...next, tcpOptions: Uint8Array.of(...options.subarray(0, 11), 9) }),
    ],
    ['an end', first, sampleTcp({ ...next, flags: 0x11 })],
    ['a reset', first, sampleTcp({ ...next, flags: 0x14 })],
    ['a start', sampleTcp({ flags: 0x02 }), sampleTcp(next)],
    ['congestion answered', first, sampleTcp({ ...next, flags: 0x90 })],
    ['an urgent one', first, sampleTcp({ ...next, flags: 0x30 })],
    ['one without payload', first, sampleTcp({ ...next, data: new Uint8Array() })],
    ['a fragment', first, sampleTcp({ ...next, fragment: 0x2000 })],
    ['one that may be fragmented', first, sampleTcp({ ...next, fragment: 0 })],
    ['ids apart', sampleTcp({ id: 1, fragment: 0 }), sampleTcp({ ...next, id: 3, fragment: 0 })],
    ['IP options', first, sampleTcp({ ...next, options: new Uint8Array(4).fill(1) })],
    ['UDP', first, samplePacket()],
    ['a wrong checksum', first, spoilt],
    ['a wrong checksum before', spoiltFirst, sampleTcp(next)],
  ])('%s', (_, one, other) => {
    const written = join([one, other]);
    expect(written.map(({ packet }) => packet)).toEqual([Buffer.from(one), Buffer.from(other)]);
    expect(written.every(({ header }) => header.equals(Buffer.alloc(10)))).toBe(true);
  });

  test('ids do not matter where nothing is fragmented', () => {
    expect(join([first, sampleTcp({ ...next, id: 77 })]).length).toBe(1);
  });
});

test('whatever comes is written, in order and as it was, as far as a receiver can tell', () => {
  const flow = fc.record({ port: fc.integer({ min: 1, max: 2 }), size: fc.integer({ min: 1, max: 3 }) });
  fc.assert(
    fc.property(fc.array(flow, { maxLength: 60 }), fc.nat(3), (parts, gap) => {
      const next = new Map<number, { sequence: number; id: number }>();
      const packets = parts.map(({ port, size }, i) => {
        const { sequence, id } = next.get(port) ?? { sequence: 5, id: port * 100 };
        const data = new Uint8Array(size === 3 ? 100 : size * 40).fill(i);
        next.set(port, { sequence: sequence + data.length, id: id + 1 });
        return sampleTcp({
          ports: [port, 80],
          sequence,
          id,
          data,
          fragment: 0,
          flags: size === 1 ? 0x18 : 0x10,
        });
      });
      expect(join(packets, gap).flatMap(cut)).toEqual(packets.map((packet) => Buffer.from(packet)));
    }),
    { numRuns: 300 },
  );
});

test('bytes at random are never joined to anything', () => {
  fc.assert(
    fc.property(fc.array(fc.uint8Array({ minLength: 20, maxLength: 200 }), { maxLength: 20 }), (packets) => {
      expect(join(packets).map(({ packet }) => packet)).toEqual(packets.map((packet) => Buffer.from(packet)));
    }),
  );
});
