import { expect, test } from '@jest/globals';
import fc from 'fast-check';
import { imaginaryMemory } from '../../../kernel/tun/packet-memory.ts';
import { addUp, folded, putChecksum, swapped } from './checksum.ts';
import { slowChecksum } from './sample-packets.ts';

test('adds up bytes from any place on, of any number, as the slow way does', () => {
  fc.assert(
    fc.property(fc.uint8Array({ maxLength: 300 }), fc.nat(9), (content, at) => {
      const memory = imaginaryMemory(312, 0);
      memory.bytes.fill(0xee);
      memory.bytes.set(content, at);
      expect(swapped(~addUp(memory, at, content.length) & 0xffff)).toBe(slowChecksum(content));
    }),
    { numRuns: 2000 },
  );
});

test('goes on from a sum', () => {
  fc.assert(
    fc.property(fc.uint8Array({ maxLength: 60 }), fc.uint8Array({ maxLength: 60 }), (even, rest) => {
      const first = even.subarray(0, even.length & ~1);
      const memory = imaginaryMemory(128, 0);
      memory.bytes.set(first, 0);
      memory.bytes.set(rest, 65);
      const sum = addUp(memory, 65, rest.length, addUp(memory, 0, first.length));
      const whole = imaginaryMemory(128, 0);
      whole.bytes.set(first, 0);
      whole.bytes.set(rest, first.length);
      expect(sum).toBe(addUp(whole, 0, first.length + rest.length));
    }),
  );
});

test('the largest packet of the largest bytes', () => {
  const memory = imaginaryMemory(65_536, 0);
  memory.bytes.fill(0xff);
  expect(addUp(memory, 0, 65_536)).toBe(0xffff);
  expect(addUp(memory, 1, 65_535)).toBe(folded(0xffff + 0xff));
});

test('what is written makes the sum complete', () => {
  const memory = imaginaryMemory(64, 0);
  memory.bytes.fill(0x5a);
  memory.bytes.fill(0, 10, 12);
  putChecksum(memory.bytes, 10, addUp(memory, 0, 64));
  expect(addUp(memory, 0, 64)).toBe(0xffff);
});
