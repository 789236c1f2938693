import { describe, expect, test } from '@jest/globals';
import fc from 'fast-check';
import { IpAddress } from '../net/address.ts';
import { echoRequest, internetChecksum, readAnswer } from './icmp-echo.ts';

const ipHeader = (source: readonly number[]): Buffer =>
  Buffer.from([0x45, 0, 0, 0, 0, 0, 0, 0, 64, 1, 0, 0, ...source, 10, 0, 0, 1]);

function replyTo(request: Buffer, type: number): Buffer {
  const reply = Buffer.from(request);
  reply[0] = type;
  return reply;
}

const answerOf = (request: Buffer): Buffer => Buffer.concat([ipHeader([10, 0, 0, 2]), replyTo(request, 0)]);

test('the checksum is that of RFC 1071’s example, and a packet with its own sums up to zero', () => {
  expect(internetChecksum(Buffer.from('0001f203f4f5f6f7', 'hex'))).toBe(0xffff ^ 0xddf2);
  fc.assert(
    fc.property(fc.integer({ min: 28, max: 3000 }), (size) => {
      const request = echoRequest(size, 4);
      expect(request.length).toBe(size - 20);
      expect(internetChecksum(request)).toBe(0);
    }),
  );
});

test.each([
  [27, 4],
  [65536, 4],
  [47, 6],
] as const)('a packet of %i bytes is refused in IPv%i', (size, family) => {
  expect(() => echoRequest(size, family)).toThrow(RangeError);
});

describe('what is an answer', () => {
  const request = echoRequest(84, 4);
  const asked = { request, sent: performance.now(), target: IpAddress.parse('10.0.0.2') };

  test('the reply with our own bytes', () => {
    expect(readAnswer(answerOf(request), asked)).toMatchObject({ kind: 'reply', from: '10.0.0.2' });
  });

  test.each([
    ['a reply to somebody else', answerOf(echoRequest(84, 4))],
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
      echoRequest(84, 4).subarray(0, 8),
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

describe('what is an answer in IPv6, whose sockets give no IP header', () => {
  const request = echoRequest(104, 6);
  const asked = { request, sent: performance.now(), target: IpAddress.parse('2001:db8::2') };

  test('the request leaves the checksum to the kernel', () => {
    expect(request.length).toBe(64);
    expect(request.subarray(0, 4).toString('hex')).toBe('80000000');
  });

  test('the reply with our own bytes, whatever its checksum', () => {
    const reply = replyTo(request, 129);
    reply.writeUInt16BE(0xabcd, 2);
    expect(readAnswer(reply, asked)).toMatchObject({ kind: 'reply', from: '2001:db8::2' });
  });

  test.each([
    ['a reply to somebody else', replyTo(echoRequest(104, 6), 129)],
    ['our own request, seen on lo', request],
    ['a neighbour’s advertisement', Buffer.concat([Buffer.from([136, 0, 0, 0]), request.subarray(4)])],
    ['nothing', Buffer.alloc(0)],
  ])('not %s', (_, packet) => {
    expect(readAnswer(packet, asked)).toBeUndefined();
  });

  test('a refusal of our request, with its reason', () => {
    const quoted = Buffer.concat([Buffer.alloc(40), request.subarray(0, 8)]);
    const refusal = Buffer.concat([Buffer.from([1, 3, 0, 0, 0, 0, 0, 0]), quoted]);
    expect(readAnswer(refusal, asked)).toEqual({
      kind: 'unreachable',
      from: '2001:db8::2',
      reason: 'address unreachable',
    });
    expect(readAnswer(refusal.subarray(0, 50), asked)).toBeUndefined();
  });
});
