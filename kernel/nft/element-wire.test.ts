import { describe, expect, test } from '@jest/globals';
import fc from 'fast-check';
import { anySet, intervalSet } from '../../test/nft/arbitrary.ts';
import { address, prefix } from '../../test/nft/example-tables.ts';
import { listOf, nest } from '../netlink/attribute-table.ts';
import { ByteReader, ByteWriter, DecodeError } from '../netlink/bytes.ts';
import { elementAttributes } from './attributes.ts';
import { element, elementKey, map, set } from './declare.ts';
import { readElements } from './element-read.ts';
import { elementWriter } from './element-write.ts';
import type { Element, NftSet } from './set.ts';

const elementList = listOf(nest(1, elementAttributes));

function written(of: NftSet): Buffer {
  const out = new ByteWriter();
  const write = elementWriter(of);
  for (const one of of.elements.values()) write(out, one);
  return Buffer.from(out.bytes());
}

function read(of: NftSet, bytes: Buffer): ReadonlyMap<string, Element> {
  const found = readElements(of, [bytes]);
  return new Map(found.map((one) => [elementKey(of, one), one]));
}

describe('elements', () => {
  test('of any set are encoded, decoded and encoded again', () => {
    fc.assert(
      fc.property(fc.oneof(anySet, intervalSet), (of) => {
        const bytes = written(of);
        const back = read(of, bytes);
        expect(back).toEqual(of.elements);
        expect(written({ ...of, elements: back })).toEqual(bytes);
      }),
    );
  });

  test('written by hand are what the attribute table would write', () => {
    fc.assert(
      fc.property(fc.oneof(anySet, intervalSet), (of) => {
        const bytes = written(of);
        const out = new ByteWriter();
        elementList.write(out, elementList.read(new ByteReader(bytes)));
        // The table writes attributes in the order of their numbers; sizes and contents must agree.
        expect(out.bytes().length).toBe(bytes.length);
        expect(elementList.read(new ByteReader(Buffer.from(out.bytes())))).toEqual(
          elementList.read(new ByteReader(bytes)),
        );
      }),
    );
  });

  test('of plain intervals keep neighbours apart and reach both ends', () => {
    const nets = set('nets', {
      key: 'ipv4_addr',
      flags: ['interval'],
      elements: [
        element(prefix('0.0.0.0/8')),
        element(prefix('10.0.0.0/8')),
        element(prefix('11.0.0.0/8')),
        element({ first: address('12.0.0.0'), last: address('12.0.0.2') }),
        element(address('12.0.0.3')),
        element(address('255.255.255.255')),
      ],
    });
    expect([...read(nets, written(nets)).keys()]).toEqual([...nets.elements.keys()]);
    const all = set('all', {
      key: 'inet_service',
      flags: ['interval'],
      elements: [element({ first: 0, last: 65535 })],
    });
    expect([...read(all, written(all)).keys()]).toEqual(['0-65535']);
  });

  test('of nft itself are read: a mark before the first interval, catch-all elements', () => {
    const nets = set('nets', { key: 'inet_service', flags: ['interval'] });
    const key = (number: number) => ({ NFTA_DATA_VALUE: Uint8Array.of(number >> 8, number & 255) });
    const out = new ByteWriter();
    elementList.write(out, [
      { NFTA_SET_ELEM_KEY: key(0), NFTA_SET_ELEM_FLAGS: 1 },
      { NFTA_SET_ELEM_KEY: key(90), NFTA_SET_ELEM_FLAGS: 1 },
      { NFTA_SET_ELEM_KEY: key(80) },
    ]);
    expect(readElements(nets, [out.bytes()])).toEqual([{ key: [{ first: 80, last: 89 }] }]);
    const any = map('any', { key: 'mark', data: 'mark', elements: [element('default', { data: [7] })] });
    expect([...read(any, written(any)).values()]).toEqual([{ key: 'default', data: [7] }]);
  });

  test('that count say how much, one expression or several', () => {
    const seen = set('seen', { key: 'mark', flags: ['dynamic'] });
    const counter = { packets: 3n, bytes: 180n };
    const text = (value: string) => `${value}\0`;
    const attribute = (type: number, content: Buffer) => {
      const header = Buffer.alloc(4);
      header.writeUInt16LE(content.length + 4);
      header.writeUInt16LE(type, 2);
      return Buffer.concat([header, content, Buffer.alloc(-content.length & 3)]);
    };
    const big64 = (value: bigint) => {
      const bytes = Buffer.alloc(8);
      bytes.writeBigUInt64BE(value);
      return bytes;
    };
    const expression = (name: string, ...data: readonly Buffer[]) =>
      Buffer.concat([attribute(1, Buffer.from(text(name))), attribute(2, Buffer.concat(data))]);
    const counts = expression('counter', attribute(1, big64(180n)), attribute(2, big64(3n)));
    const limits = expression('limit', attribute(1, big64(1n)));
    const list = (type: number, content: Buffer) =>
      attribute(
        1,
        Buffer.concat([attribute(1, attribute(1, Buffer.of(7, 0, 0, 0))), attribute(type, content)]),
      );
    const both = Buffer.concat([attribute(1, limits), attribute(1, counts)]);
    expect(readElements(seen, [list(7, counts), list(11, both), list(7, limits)])).toEqual([
      { key: [7], counter },
      { key: [7], counter },
      { key: [7] },
    ]);
    const left = attribute(5, big64(5000n));
    expect(
      readElements(seen, [
        attribute(1, Buffer.concat([attribute(1, attribute(1, Buffer.of(7, 0, 0, 0))), left])),
      ]),
    ).toEqual([{ key: [7], expires: 5000n }]);
    const timed = { ...seen, timeout: 60_000n };
    expect(readElements(timed, [list(4, big64(60_000n)), list(4, big64(1000n))])).toEqual([
      { key: [7] },
      { key: [7], timeout: 1000n },
    ]);
  });

  test('that are garbage throw nothing but DecodeError', () => {
    fc.assert(
      fc.property(
        fc.oneof(anySet, intervalSet),
        fc.array(fc.tuple(fc.nat(), fc.nat(255)), { minLength: 1, maxLength: 6 }),
        (of, changes) => {
          const bytes = written(of);
          for (const [at, value] of changes) if (bytes.length > 0) bytes[at % bytes.length] = value;
          try {
            read(of, bytes);
          } catch (error) {
            if (!(error instanceof DecodeError)) throw error;
          }
        },
      ),
      { numRuns: 500 },
    );
  });

  test('with the wrong number of fields or data are refused', () => {
    const of = map('m', { key: ['ipv4_addr', 'inet_service'], data: ['mark'] });
    const write = (one: Element) => () => elementWriter(of)(new ByteWriter(), one);
    expect(write({ key: [address('10.0.0.1')], data: [1] })).toThrow(TypeError);
    expect(write({ key: [address('10.0.0.1'), 80], data: [1, 2] })).toThrow(TypeError);
    expect(write({ key: [address('10.0.0.1'), 70_000], data: [1] })).toThrow(TypeError);
    expect(write({ key: [address('::1'), 80], data: [1] })).toThrow(TypeError);
  });
});
