import { describe, expect, test } from '@jest/globals';
import fc from 'fast-check';
import { imaginaryMemory } from '../../../kernel/tun/packet-memory.ts';
import { decrementTtl, headerFault, long, putHeaderChecksum, putLong, short, word } from './ip4-header.ts';
import { samplePacket, slowChecksum } from './sample-packets.ts';

function laid(packet: Uint8Array) {
  const memory = imaginaryMemory(2048, 0);
  memory.bytes.set(packet, 4);
  return memory;
}

function edited(at: number, value: number, packet = samplePacket()): Uint8Array {
  const copy = Uint8Array.from(packet);
  copy[at] = value;
  return copy;
}

describe('headerFault', () => {
  test.each([
    ['a packet', samplePacket(), undefined],
    ['options', samplePacket({ options: new Uint8Array(40) }), undefined],
    ['nothing behind the header', samplePacket({ payload: new Uint8Array() }), undefined],
    ['nothing', new Uint8Array(), 'malformed'],
    ['less than a header', samplePacket().subarray(0, 19), 'malformed'],
    ['IPv6', Uint8Array.of(0x60, ...new Uint8Array(39)), 'not-ipv4'],
    ['a byte that says IPv6', Uint8Array.of(0x60), 'not-ipv4'],
    ['a header of 16 bytes', edited(0, 0x44), 'malformed'],
    ['a header longer than the packet', edited(0, 0x4f), 'malformed'],
    ['a byte short', samplePacket().subarray(0, -1), 'malformed'],
    ['a byte too many', Uint8Array.of(...samplePacket(), 0), 'malformed'],
    ['a wrong checksum', edited(10, 0), 'checksum'],
    ['another source than the checksum is for', edited(15, 9), 'checksum'],
  ])('%s', (_, packet, fault) => {
    const found = { at: 4, size: packet.length };
    expect(headerFault(laid(packet), { ...found, isChecked: true })).toBe(fault);
    const unchecked = fault === 'checksum' ? undefined : fault;
    expect(headerFault(laid(packet), { ...found, isChecked: false })).toBe(unchecked);
  });
});

test('the checksum follows the TTL, whatever it is', () => {
  for (let id = 0; id <= 0xffff; id += 5) {
    const packet = samplePacket({ id, ttl: 1 + (id % 255) });
    decrementTtl(packet, 0);
    const sum = slowChecksum(packet.subarray(0, 20));
    if (sum !== 0) throw new Error(`id ${id}: the checksum is off by ${sum}`);
    // Two values say the same; the one that is computed anew is zero.
    const now = short(packet, 10);
    const memory = laid(packet);
    putHeaderChecksum(memory, 4);
    expect(now).toBe(short(memory.bytes, 14));
  }
});

test('numbers of four bytes, in the network’s order and in the machine’s', () => {
  fc.assert(
    fc.property(fc.integer({ min: 0, max: 0xffffffff }), fc.nat(7), (value, at) => {
      const bytes = Buffer.alloc(12);
      putLong(bytes, at, value);
      expect(bytes.readUInt32BE(at)).toBe(value);
      expect(long(bytes, at)).toBe(value);
      expect(word(bytes, at)).toBe(bytes.readInt32LE(at));
    }),
  );
});
