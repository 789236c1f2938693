import { describe, expect, test } from '@jest/globals';
import fc from 'fast-check';
import { keyValue, leaseGrantRequest, txnRequest, watchResponse } from './messages.ts';

const int64 = fc.bigInt({ min: -(2n ** 63n), max: 2n ** 63n - 1n });
const bytes = fc.uint8Array({ maxLength: 300 });
const anyKeyValue = fc.record({
  key: bytes,
  create_revision: int64,
  mod_revision: int64,
  version: int64,
  value: bytes,
  lease: int64,
});
/** Bytes as hexadecimal text: arrays and buffers of the same bytes are equal. */
function plain(value: unknown): unknown {
  if (value instanceof Uint8Array || Buffer.isBuffer(value)) return Buffer.from(value).toString('hex');
  if (Array.isArray(value)) return value.map(plain);
  if (typeof value !== 'object' || value === null) return value;
  return Object.fromEntries(Object.entries(value).map(([key, one]) => [key, plain(one)]));
}

describe('messages', () => {
  test.each([
    // As protoc --encode writes them.
    [leaseGrantRequest.encode({ TTL: 60n, ID: 7n }), '083c1007'],
    [leaseGrantRequest.encode({ TTL: -1n }), '08ffffffffffffffffff01'],
    [keyValue.encode({ key: Buffer.from('a'), lease: 300n }), '0a016130ac02'],
    [
      txnRequest.encode({
        compare: [
          { result: 0, target: 2, key: Buffer.from('k'), mod_revision: 5n, range_end: Buffer.from('l') },
        ],
        success: [{ request_put: { key: Buffer.from('k'), value: Buffer.from('v') } }],
      }),
      '0a0d080010021a016b300582 04016c 1208 1206 0a016b 120176'.replaceAll(' ', ''),
    ],
  ])('%#', (encoded, hex) => {
    expect(encoded.toString('hex')).toBe(hex);
  });

  test('come back as they were', () => {
    fc.assert(
      fc.property(
        fc.record({
          header: fc.record({
            cluster_id: fc.bigInt({ min: 0n, max: 2n ** 64n - 1n }),
            member_id: fc.constant(1n),
            revision: int64,
          }),
          watch_id: int64,
          created: fc.boolean(),
          canceled: fc.boolean(),
          compact_revision: int64,
          cancel_reason: fc.string({ unit: 'grapheme' }),
          fragment: fc.boolean(),
          events: fc.array(fc.record({ type: fc.integer({ min: 0, max: 1 }), kv: anyKeyValue })),
        }),
        (response) => {
          expect(plain(watchResponse.decode(watchResponse.encode(response)))).toEqual(plain(response));
        },
      ),
    );
  });

  test('have zero where nothing is said, and pass over what they do not know', () => {
    expect(watchResponse.decode(new Uint8Array())).toEqual({
      ...{ header: undefined, watch_id: 0n, created: false, canceled: false, compact_revision: 0n },
      ...{ cancel_reason: '', fragment: false, events: [] },
    });
    // Field 20, of two bytes, before field 2.
    expect(leaseGrantRequest.decode(Buffer.from('a20102ffff1007', 'hex'))).toEqual({ TTL: 0n, ID: 7n });
  });

  test('are refused or read, and never anything else, whatever the bytes are', () => {
    fc.assert(
      fc.property(bytes, (input) => {
        try {
          watchResponse.decode(input);
        } catch (error) {
          expect(String(error)).toMatch(/Error/);
        }
      }),
    );
    expect(() => leaseGrantRequest.decode(Buffer.from('0a0161', 'hex'))).toThrow('Cannot read field "TTL"');
    expect(() => keyValue.decode(Buffer.from('0a7f61', 'hex'))).toThrow();
  });
});
