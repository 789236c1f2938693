import { describe, expect, test } from '@jest/globals';
import fc from 'fast-check';
import { anySet, comment } from '../../test/nft/arbitrary.ts';
import { map, set } from './declare.ts';
import { commentUserdata, readComment, readSetUserdata, setUserdata } from './userdata.ts';

const hex = (bytes: Uint8Array) => Buffer.from(bytes).toString('hex');

describe('user data', () => {
  test('is what nft 1.0.6 writes', () => {
    expect(hex(commentUserdata('hello'))).toBe('000668656c6c6f00');
    expect(hex(setUserdata(set('s', { key: 'ipv4_addr' })))).toBe('000402000000');
    expect(hex(setUserdata(map('m', { key: 'mark', data: 'verdict' })))).toBe('000401000000010400000000');
    expect(
      hex(setUserdata(map('m', { key: ['ipv4_addr', 'inet_service'], data: 'mark', comment: 'x' }))),
    ).toBe('000400000000010401000000' + '07027800');
    const typed = map('eps', {
      key: ['ipv4_addr', 'inet_proto', 'inet_service', 'integer'],
      data: ['ipv4_addr', 'inet_service'],
      typeof: [
        'ip daddr',
        'meta l4proto',
        'th dport',
        { numgen: 'random', modulus: 3 },
        'ip daddr',
        'th dport',
      ],
    });
    expect(hex(setUserdata(typed))).toBe(
      [
        '000400000000',
        '010400000000',
        '036000040d0000000158',
        '0014000407000000010c00040c00000001040c000000',
        '010e000409000000010600' + '0410000000',
        '0214000407000000010c00040b000000010402000000',
        '031a0004170000000112000401000000010403000000020400000000',
        '043400040d000000012c',
        '0014000407000000010c00040c00000001040c000000',
        '0114000407000000010c00040b000000010402000000',
      ].join(''),
    );
  });

  test('comes back', () => {
    fc.assert(
      fc.property(comment, (text) => expect(readComment(commentUserdata(text))).toEqual({ comment: text })),
    );
    fc.assert(
      fc.property(anySet, (of) => {
        expect(readSetUserdata(setUserdata(of), of)).toEqual(
          of.comment === undefined ? {} : { comment: of.comment },
        );
      }),
    );
    const typed = set('s', {
      key: ['ipv6_addr', 'mark', 'integer'],
      typeof: ['ip6 saddr', 'meta mark', { numgen: 'inc', modulus: 9 }],
    });
    expect(readSetUserdata(setUserdata(typed), typed)).toEqual({ typeof: typed.typeof });
  });

  test('of anybody never throws', () => {
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 80 }), anySet, (bytes, of) => {
        readComment(bytes);
        readSetUserdata(bytes, of);
      }),
      { numRuns: 500 },
    );
    expect(readComment(undefined)).toEqual({});
    expect(readComment(Uint8Array.of(0, 9, 65))).toEqual({});
  });
});
