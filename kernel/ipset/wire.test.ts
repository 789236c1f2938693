import { describe, expect, test } from '@jest/globals';
import fc from 'fast-check';
import { type Family, IpAddress } from '../../net/address.ts';
import { Prefix } from '../../net/prefix.ts';
import { transports } from '../../net/transport.ts';
import { ByteReader, ByteWriter, DecodeError } from '../netlink/bytes.ts';
import { entryFields } from './entry-fault.ts';
import { readEntries, writeEntries } from './entry-wire.ts';
import { type Ipset, type IpsetEntry, type IpsetType, ipsetTypes } from './objects.ts';
import {
  EntryReader,
  ipsetMessage,
  readHeader,
  readProtocol,
  readRevision,
  writeChange,
  writeCreate,
  writeDestroy,
  writeHeadersQuery,
  writeProtocolQuery,
  writeSwap,
  writeTypeQuery,
} from './wire.ts';

const ip = IpAddress.parse;

function hexOf(write: (out: ByteWriter) => void): string {
  const out = new ByteWriter();
  write(out);
  return out.bytes().toString('hex');
}

function readerOf(hex: string): ByteReader {
  return new ByteReader(Buffer.from(hex.replaceAll(/\s/g, ''), 'hex'));
}

const bytes = (hex: string) => hex.replaceAll(/\s/g, '');
const set: Ipset = { name: 'abc', type: 'hash:ip,port', family: 4, maxElements: 65536 };
const ports: Ipset = { name: 'p', type: 'bitmap:port', family: 4, maxElements: undefined };

describe('requests', () => {
  test('create', () => {
    expect(hexOf((out) => writeCreate(out, set, { protocol: 7, revision: 5 }))).toBe(
      bytes(`02000000 05000100 07000000 08000200 61626300
             11000300 686173683a69702c706f727400 000000
             05000400 05000000 05000500 02000000 0c000780 08001340 00010000`),
    );
    expect(hexOf((out) => writeCreate(out, ports, { protocol: 6, revision: 3 }))).toBe(
      bytes(`02000000 05000100 06000000 06000200 70000000
             10000300 6269746d61703a706f727400
             05000400 03000000 05000500 00000000 14000780 06000440 00000000 06000540 ffff0000`),
    );
  });

  test('destroy, swap, list, protocol and type', () => {
    expect(hexOf((out) => writeDestroy(out, 'abc', 7))).toBe(
      bytes('02000000 05000100 07000000 08000200 61626300'),
    );
    expect(() => hexOf((out) => writeDestroy(out, '', 7))).toThrow(/without a name/);
    expect(hexOf((out) => writeSwap(out, { kind: 'set-swap', name: 'abc', other: 'p' }, 7))).toBe(
      bytes('02000000 05000100 07000000 08000200 61626300 06000300 70000000'),
    );
    expect(hexOf((out) => writeHeadersQuery(out, 7))).toBe(
      bytes('02000000 05000100 07000000 08000640 00000004'),
    );
    expect(hexOf(writeProtocolQuery)).toBe(bytes('02000000 05000100 07000000'));
    expect(hexOf((out) => writeTypeQuery(out, { ...set, type: 'hash:ip', family: 6 }, 7))).toBe(
      bytes('02000000 05000100 07000000 0c000300 686173683a697000 05000500 0a000000'),
    );
  });

  test('entries', () => {
    const entry: IpsetEntry = { address: ip('10.0.0.1'), protocol: 'tcp', port: 80 };
    expect(hexOf((out) => writeChange(out, { set, entries: [entry] }, 7))).toBe(
      bytes(`02000000 05000100 07000000 08000200 61626300 08000940 00000000
             24000880 20000780 0c000180 08000140 0a000001 06000440 00500000 05000700 06000000`),
    );
    const six: IpsetEntry = {
      address: ip('fd00::1'),
      protocol: 'udp',
      port: 53,
      second: Prefix.parse('fd00::/33'),
    };
    expect(hexOf((out) => writeEntries(out, { type: 'hash:ip,port,net', family: 6 }, [six]))).toBe(
      bytes(`50000880 4c000780 18000180 14000240 fd000000000000000000000000000001
             06000440 00350000 05000700 11000000
             18001480 14000240 fd000000000000000000000000000000 05001500 21000000`),
    );
    expect(hexOf((out) => writeEntries(out, ports, [{ port: 1 }, { port: 2 }]))).toBe(
      bytes('1c000880 0c000780 06000440 00010000 0c000780 06000440 00020000'),
    );
    const many = new Array<IpsetEntry>(3000).fill(entry);
    expect(() => hexOf((out) => writeEntries(out, set, many))).toThrow(/3000 entries/);
  });
});

describe('answers', () => {
  test('protocol and revision', () => {
    expect(readProtocol(readerOf('02000000 05000100 07000000 05000a00 06000000'))).toEqual({
      newest: 7,
      oldest: 6,
    });
    expect(readProtocol(readerOf('02000000 05000100 06000000'))).toEqual({ newest: 6, oldest: 6 });
    expect(() => readProtocol(readerOf('02000000'))).toThrow(DecodeError);
    const revision = (newest: number, oldest: number) =>
      readRevision(
        readerOf(`02000000 05000400 ${newest.toString(16).padStart(2, '0')}000000 05000a00 0${oldest}000000`),
        'hash:ip,port',
      );
    expect(revision(7, 0)).toBe(5);
    expect(revision(3, 0)).toBe(3);
    expect(revision(9, 6)).toBe(6);
  });

  test('headers', () => {
    const header = (type: string, data: string) =>
      readHeader(
        readerOf(
          `02000000 05000100 07000000 08000200 61626300 ${type} 05000500 02000000 05000400 05000000 ${data}`,
        ),
      );
    const hashIp = '0c000300 686173683a697000';
    const plain = { name: 'abc', type: 'hash:ip', family: 2, maxElements: 4, isPlain: true, references: 3 };
    expect(header(hashIp, '14000780 08001340 00000004 08001940 00000003')).toEqual(plain);
    // Counters, a timeout, a netmask, a bitmask: of strangers.
    for (const more of ['08000840 00000008', '08000640 0000003c', '05001400 18000000', '08000c00 ffffff00'])
      expect(header(hashIp, `1c000780 08001340 00000004 08001940 00000003 ${more}`)).toEqual({
        ...plain,
        isPlain: false,
      });
    const bitmap = '10000300 6269746d61703a706f727400';
    expect(header(bitmap, '14000780 06000440 00000000 06000540 ffff0000')?.isPlain).toBe(true);
    expect(header(bitmap, '14000780 06000440 00000000 06000540 0fff0000')?.isPlain).toBe(false);
    expect(header('', '')).toBeUndefined();
  });

  test('entries over several messages', () => {
    const reader = new EntryReader();
    const first = `02000000 08000200 61626300 0c000300 686173683a697000 05000500 02000000
      14000880 10000780 0c000180 08000140 0a000001`;
    const next = '02000000 08000200 61626300 14000880 10000780 0c000180 08000140 0a000002';
    expect(reader.read(readerOf(first))).toEqual([{ address: ip('10.0.0.1') }]);
    expect(reader.read(readerOf(next))).toEqual([{ address: ip('10.0.0.2') }]);
    expect(() => new EntryReader().read(readerOf(next))).toThrow(/its type is missing/);
    const strange = first.replace('686173683a697000', '686173683a6d6100');
    expect(() => new EntryReader().read(readerOf(strange))).toThrow(/set "abc": its type is "hash:ma"/);
  });

  test('entries of strangers are left out', () => {
    const icmp = '20000780 0c000180 08000140 0a000001 06000440 00500000 05000700 01000000';
    expect(readEntries(readerOf(icmp), set)).toEqual([]);
    const exception = '18000780 0c000180 08000140 0a000001 08000840 00000004';
    expect(readEntries(readerOf(exception), { type: 'hash:ip', family: 4 })).toEqual([]);
    expect(() => readEntries(readerOf('10000780 0c000180 08000140 0a000001'), set)).toThrow(
      /a part is missing/,
    );
  });
});

function addressOf(family: Family): fc.Arbitrary<IpAddress> {
  const size = family === 4 ? 4 : 16;
  return fc.uint8Array({ minLength: size, maxLength: size }).map((all) => IpAddress.fromBytes(all));
}

function entryOf(type: IpsetType, family: Family): fc.Arbitrary<IpsetEntry> {
  const bits = family === 4 ? 32 : 128;
  const length = type === 'hash:ip,port,net' ? fc.integer({ min: 1, max: bits }) : fc.constant(bits);
  return fc
    .record({
      address: addressOf(family),
      protocol: fc.constantFrom(...transports),
      port: fc.integer({ min: 0, max: 0xffff }),
      second: fc.tuple(addressOf(family), length).map(([address, size]) => new Prefix(address, size)),
    })
    .map((entry) => Object.fromEntries(entryFields[type].map((field) => [field, entry[field]])));
}

describe.each(ipsetTypes.flatMap((type) => ([4, 6] as const).map((family) => [type, family] as const)))(
  '%s of IPv%i',
  (type, family) => {
    test('what is written is read', () => {
      fc.assert(
        fc.property(fc.array(entryOf(type, family)), (entries) => {
          const out = new ByteWriter();
          writeChange(out, { set: { name: 'x', type, family, maxElements: 1 }, entries }, 7);
          const { IPSET_ATTR_ADT: list } = ipsetMessage.read(new ByteReader(out.bytes())).attributes;
          expect(list === undefined ? undefined : readEntries(list, { type, family })).toEqual(entries);
        }),
      );
    });

    test('any bytes are read or refused', () => {
      fc.assert(
        fc.property(fc.uint8Array({ maxLength: 80 }), (all) => {
          try {
            readEntries(new ByteReader(Buffer.from(all)), { type, family });
          } catch (error) {
            expect(error).toHaveProperty('name', 'DecodeError');
          }
        }),
      );
    });
  },
);
