import { describe, expect, test } from '@jest/globals';
import fc from 'fast-check';
import { anySet, comment, intervalSet } from '../../test/nft/arbitrary.ts';
import { examples } from '../../test/nft/example-tables.ts';
import { ByteReader, ByteWriter, DecodeError } from '../netlink/bytes.ts';
import {
  readChain,
  readCounter,
  readRule,
  readTable,
  writeChain,
  writeCounter,
  writeTable,
} from './object-wire.ts';
import type { NftSet } from './set.ts';
import { readSet, writeSet } from './set-wire.ts';

const id = { family: 'inet', name: 'netloom' } as const;

function bytesOf(write: (out: ByteWriter) => void): Buffer {
  const out = new ByteWriter();
  write(out);
  return Buffer.from(out.bytes());
}

function reader(write: (out: ByteWriter) => void): ByteReader {
  return new ByteReader(bytesOf(write));
}

function withoutElements(set: NftSet): Omit<NftSet, 'elements'> {
  const { elements: _, ...rest } = set;
  return rest;
}

describe('objects', () => {
  test('tables come back with their comment and flag', () => {
    fc.assert(
      fc.property(comment, fc.boolean(), (text, dormant) => {
        const table = { ...id, comment: text, ...(dormant ? { dormant } : {}) };
        expect(readTable(reader((out) => writeTable(out, table)))).toEqual(table);
      }),
    );
  });

  test('chains, counters and sets of the examples come back', () => {
    for (const { table } of examples) {
      const at = { family: table.family, name: table.name };
      for (const value of table.chains.values())
        expect(readChain(reader((out) => writeChain(out, table, value)))).toEqual({ table: at, value });
      for (const value of table.counters.values())
        expect(readCounter(reader((out) => writeCounter(out, table, value)))).toEqual({ table: at, value });
      for (const set of table.sets.values())
        expect(readSet(reader((out) => writeSet(out, table, { set, id: 3, anonymous: false })))).toEqual({
          table: at,
          value: { ...withoutElements(set), anonymous: false },
        });
    }
  });

  test('any set comes back', () => {
    fc.assert(
      fc.property(fc.oneof(anySet, intervalSet), (set) => {
        expect(readSet(reader((out) => writeSet(out, id, { set, id: 1, anonymous: false })))?.value).toEqual({
          ...withoutElements(set),
          anonymous: false,
        });
      }),
    );
  });

  test('netdev chains keep their devices', () => {
    const value = {
      name: 'in',
      base: { type: 'filter', hook: 'ingress', priority: -5, policy: 'accept', devices: ['eth0', 'eth1'] },
    } as const;
    const table = { family: 'netdev', name: 'x' } as const;
    expect(readChain(reader((out) => writeChain(out, table, value)))).toEqual({ table, value });
  });

  test('messages that are garbage throw nothing but DecodeError', () => {
    const whole = examples.flatMap(({ table }) => [
      bytesOf((out) => writeTable(out, table)),
      ...[...table.chains.values()].map((chain) => bytesOf((out) => writeChain(out, table, chain))),
      ...[...table.sets.values()].map((set) =>
        bytesOf((out) => writeSet(out, table, { set, id: 1, anonymous: false })),
      ),
    ]);
    const readers = [readTable, readChain, readSet, readCounter, readRule];
    fc.assert(
      fc.property(
        fc.constantFrom(...whole),
        fc.constantFrom(...readers),
        fc.array(fc.tuple(fc.nat(), fc.nat(255)), { maxLength: 6 }),
        (bytes, read, changes) => {
          const broken = Buffer.from(bytes);
          for (const [at, value] of changes) broken[at % broken.length] = value;
          try {
            read(new ByteReader(broken));
          } catch (error) {
            if (!(error instanceof DecodeError)) throw error;
          }
        },
      ),
      { numRuns: 1000 },
    );
  });
});
