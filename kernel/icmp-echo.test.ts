import { describe, expect, test } from '@jest/globals';
import fc from 'fast-check';
import { echoRequest, internetChecksum, readAnswer } from './icmp-echo.ts';

const ipHeader = (source: readonly number[]): Buffer =>
  Buffer.from([0x45, 0, 0, 0, 0, 0, 0, 0, 64, 1, 0, 0, ...source, 10, 0, 0, 1]);

function answerOf(request: Buffer): Buffer {
  const reply = Buffer.from(request);
  reply[0] = 0;
  return Buffer.concat([ipHeader([10, 0, 0, 2]), reply]);
}

test('the checksum is that of RFC 1071’s example, and a packet with its own sums up to zero', () => {
  expect(internetChecksum(Buffer.from('0001f203f4f5f6f7', 'hex'))).toBe(0xffff ^ 0xddf2);
  fc.assert(
    fc.property(fc.integer({ min: 28, max: 3000 }), (size) => {
      const request = echoRequest(size);
      expect(request.length).toBe(size - 20);
      expect(internetChecksum(request)).toBe(0);
    }),
  );
});

test.each([27, 65536])('a packet of %i bytes is refused', (size) => {
  expect(() => echoRequest(size)).toThrow(RangeError);
});

describe('what is an answer', () => {
  const request = echoRequest(84);
  const asked = { request, sent: performance.now() };

  test('the reply with our own bytes', () => {
    expect(readAnswer(answerOf(request), asked)).toMatchObject({ kind: 'reply', from: '10.0.0.2' });
  });

  test.each([
    ['a reply to somebody else', answerOf(echoRequest(84))],
    ['our own request, seen on lo', Buffer.concat([ipHeader([10, 0, 0, 2]), request])],
    ['a truncated packet', answerOf(request).subarray(0, 24)],
    ['nothing', Buffer.alloc(0)],
  ])('not %s', (_, packet) => {
    expect(readAnswer(packet, asked)).toBeUndefined();
  });

  test('a router’s refusal of our request, with its reason', () => {
    const quoted = Buffer.concat([ipHeader([10, 0, 0, 1]), request.subarray(0, 8)]);
    const refusal = Buffer.concat([ipHeader([10, 0, 0, 9]), Buffer.from([3, 13, 0, 0, 0, 0, 0, 0]), quoted]);
    expect(readAnswer(refusal, asked)).toEqual({
      kind: 'unreachable',
      from: '10.0.0.9',
      reason: 'administratively prohibited',
    });
    const others = Buffer.concat([
      ipHeader([10, 0, 0, 9]),
      Buffer.from([3, 1, 0, 0, 0, 0, 0, 0]),
      ipHeader([10, 0, 0, 1]),
      echoRequest(84).subarray(0, 8),
    ]);
    expect(readAnswer(others, asked)).toBeUndefined();
  });

  test('no bytes make it throw', () => {
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 120 }), (bytes) => {
        readAnswer(Buffer.from(bytes), asked);
      }),
    );
  });
});
