// Golden bytes are what `tc` of iproute2 6.1 sends for the same; the real kernel and `tc` are in test/kernel/tc.test.ts.
import { describe, expect, test } from '@jest/globals';
import fc from 'fast-check';
import { ByteReader, ByteWriter, DecodeError } from '../netlink/bytes.ts';
import { isSameBurst } from './bucket-clock.ts';
import type { TokenBucket } from './objects.ts';
import {
  readQdisc,
  readRedirect,
  writeFilterDump,
  writeQdisc,
  writeQdiscDelete,
  writeQdiscQuery,
  writeRedirect,
  writeRedirectDelete,
} from './wire.ts';

const known = ['lo', 'veth0', 'ifb0'];
const links = {
  indexOf: (name: string) => known.indexOf(name) + 1,
  nameOf: (index: number) => known[index - 1],
};

function encoded(write: (out: ByteWriter) => void): Buffer {
  const out = new ByteWriter(16);
  write(out);
  out.align();
  return Buffer.from(out.bytes());
}

function reader(bytes: Buffer): ByteReader {
  return new ByteReader(bytes);
}

const bucket: TokenBucket = { kind: 'tbf', link: 'veth0', rate: 1_000_000, burst: 10_240, limit: 35_240 };
const hook = { kind: 'ingress', link: 'veth0' } as const;
const redirect = { link: 'veth0', to: 'ifb0' } as const;

const cases = [
  {
    what: 'a token bucket',
    bytes: encoded((out) => writeQdisc(out, bucket, links)),
    // But for the cell size of the rate table, which is not sent.
    golden: `00000000 02000000 00000100 ffffffff 00000000 08000100 74626600 34000200 28000100
      00010000 00000000 40420f00 00000000 00000000 00000000 a8890000 00710200 00000000 08000600 00280000`,
  },
  {
    what: 'a token bucket beyond 32 bits',
    bytes: encoded((out) =>
      writeQdisc(out, { ...bucket, rate: 2 ** 32, burst: 0xffffffff, limit: 0xffffffff }, links),
    ),
    golden: `00000000 02000000 00000100 ffffffff 00000000 08000100 74626600 40000200 28000100
      00010000 00000000 ffffffff 00000000 00000000 00000000 ffffffff 276bee00 00000000
      0c000400 00000000 01000000 08000600 ffffffff`,
  },
  {
    what: 'a deleted token bucket',
    bytes: encoded((out) => writeQdiscDelete(out, bucket, links)),
    golden: '00000000 02000000 00000100 ffffffff 00000000 08000100 74626600',
  },
  {
    what: 'an ingress hook',
    bytes: encoded((out) => writeQdisc(out, hook, links)),
    golden: '00000000 02000000 0000ffff f1ffffff 00000000 0c000100 696e677265737300',
  },
  {
    what: 'the question for the root qdisc',
    bytes: encoded((out) => writeQdiscQuery(out, { link: 'veth0', place: 'root' }, links)),
    golden: '00000000 02000000 00000000 ffffffff 00000000',
  },
  {
    what: 'a redirect',
    bytes: encoded((out) => writeRedirect(out, redirect, links)),
    // `tc` puts the action before the selector.
    golden: `00000000 02000000 00000000 0000ffff 00030100 08000100 75333200 60000200
      24000500 01000100 00000000 00000000 00000000 00000000 00000000 00000000 00000000
      38000700 34000100 0b000100 6d69727265640000 24000280 20000200 00000000 00000000 04000000 00000000 00000000
      01000000 03000000`,
  },
  {
    what: 'a deleted redirect',
    bytes: encoded((out) => writeRedirectDelete(out, redirect, links)),
    golden: '00000000 02000000 00000000 0000ffff 00030100',
  },
  {
    what: 'the question for filters',
    bytes: encoded((out) => writeFilterDump(out, 'veth0', links)),
    golden: '00000000 02000000 00000000 0000ffff 00000000',
  },
] as const;

describe('encoding', () => {
  test.each(cases)('of $what', ({ bytes, golden }) => {
    expect(bytes.toString('hex')).toBe(golden.replaceAll(/\s+/g, ''));
  });
});

describe('decoding', () => {
  test('gives back what was encoded', () => {
    expect(readQdisc(reader(cases[0].bytes), 'veth0')).toEqual(bucket);
    expect(readQdisc(reader(cases[3].bytes), 'veth0')).toEqual(hook);
    expect(readRedirect(reader(cases[5].bytes), { link: 'veth0', names: links })).toEqual(redirect);
  });

  test('of any token bucket: rate and limit as they were, the burst but for a tick', () => {
    const u32 = fc.integer({ min: 1, max: 0xffffffff });
    const rate = fc.oneof(u32, fc.integer({ min: 1, max: 2 ** 50 }));
    fc.assert(
      fc.property(rate, u32, u32, (bytesPerSecond, burst, limit) => {
        const wanted = { ...bucket, rate: bytesPerSecond, burst, limit };
        const read = readQdisc(reader(encoded((out) => writeQdisc(out, wanted, links))), 'veth0');
        expect(read).toMatchObject({ rate: bytesPerSecond, limit });
        // More ticks than fit are cut off in the message.
        if (burst / bytesPerSecond < 274)
          expect(read?.kind === 'tbf' && isSameBurst(wanted, read)).toBe(true);
      }),
    );
  });

  test.each([
    ['the default qdisc', { handle: 0, kind: 'pfifo_fast' }, undefined],
    ['a token bucket of another handle', { handle: 0x80010000, kind: 'tbf' }, 'tbf'],
    ['another kind', { handle: 0x10000, kind: 'fq_codel' }, 'fq_codel'],
  ])('of %s: not ours', (_, { handle, kind }, type) => {
    const head = Buffer.from('0000000002000000 00000000 ffffffff 00000000'.replaceAll(' ', ''), 'hex');
    head.writeUInt32LE(handle, 8);
    const name = encoded((out) => {
      out.u16(5 + kind.length);
      out.u16(1);
      out.text(`${kind}\0`);
    });
    const read = readQdisc(reader(Buffer.concat([head, name])), 'veth0');
    expect(read).toEqual(type && { kind: 'other', link: 'veth0', place: 'root', type });
  });

  test.each([
    ['of another preference', 18, '02'],
    ['of one protocol', 17, '08'],
    ['that looks into the packet', 52, 'ff'],
    ['that only copies', 116, '02'],
  ])('of a filter %s: not ours', (_, at, byte) => {
    const bytes = Buffer.from(cases[5].bytes);
    Buffer.from(byte, 'hex').copy(bytes, at);
    expect(readRedirect(reader(bytes), { link: 'veth0', names: links })).toBeUndefined();
  });

  test('of a redirect to a link that is gone', () => {
    const bytes = Buffer.from(cases[5].bytes);
    bytes.writeUInt32LE(0, bytes.length - 4);
    expect(readRedirect(reader(bytes), { link: 'veth0', names: links })).toEqual({ link: 'veth0', to: '' });
  });

  test('of whatever bytes ends, and fails only with DecodeError', () => {
    const bodies = cases.map(({ bytes }) => bytes);
    const spoilt = fc
      .tuple(
        fc.constantFrom(...bodies),
        fc.array(fc.tuple(fc.nat(), fc.nat(255)), { maxLength: 5 }),
        fc.nat(),
      )
      .map(([body, changes, length]) => {
        const bytes = Buffer.from(body);
        for (const [at, value] of changes) bytes[at % bytes.length] = value;
        return bytes.subarray(0, length % (bytes.length + 1));
      });
    fc.assert(
      fc.property(spoilt, (bytes) => {
        for (const read of [
          () => readQdisc(reader(bytes), 'veth0'),
          () => readRedirect(reader(bytes), { link: 'veth0', names: links }),
        ]) {
          try {
            read();
          } catch (error) {
            expect(error).toBeInstanceOf(DecodeError);
          }
        }
      }),
    );
  });
});
