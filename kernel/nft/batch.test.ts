import { describe, expect, test } from '@jest/globals';
import { address } from '../../test/nft/example-tables.ts';
import { ByteReader, ByteWriter } from '../netlink/bytes.ts';
import { elementListAttributes } from './attributes.ts';
import { messageBound, writeBatch } from './batch.ts';
import { anonymousSet, chain, element, map, rule } from './declare.ts';
import { ip } from './fields.ts';
import { readHeader } from './object-wire.ts';
import { accept } from './statement.ts';
import type { NftStep } from './step.ts';

const table = { family: 'ip', name: 'netloom' } as const;
const svc = map('svc', { key: ['ipv4_addr', 'inet_proto', 'inet_service'], data: 'mark' });

interface Sent {
  readonly type: number;
  readonly flags: number;
  readonly sequence: number;
  readonly start: number;
  readonly body: Buffer;
}

function messages(bytes: Uint8Array): readonly Sent[] {
  const buffer = Buffer.from(bytes);
  const found: Sent[] = [];
  for (let at = 0; at < buffer.length; ) {
    const length = buffer.readUInt32LE(at);
    found.push({
      type: buffer.readUInt16LE(at + 4),
      flags: buffer.readUInt16LE(at + 6),
      sequence: buffer.readUInt32LE(at + 8),
      start: at,
      body: buffer.subarray(at + 16, at + length),
    });
    at += length;
  }
  return found;
}

describe('writeBatch', () => {
  test('frames the changes, names the generation and asks for one answer', () => {
    const steps: readonly NftStep[] = [
      { kind: 'table-add', table },
      { kind: 'chain-add', table, chain: chain('c') },
    ];
    const sent = messages(writeBatch(steps, { first: 7, generation: 0x01020304 }).bytes);
    expect(sent.map(({ type, flags, sequence }) => [type, flags, sequence])).toEqual([
      [16, 0x1, 7],
      [0xa00, 0x601, 8],
      [0xa03, 0x605, 9],
      [17, 0x1, 10],
    ]);
    // struct nfgenmsg with the subsystem, then NFNL_BATCH_GENID.
    expect(sent[0]?.body.toString('hex')).toBe('0000000a0800010001020304');
  });

  test('puts elements of one set together and splits them below 64 KiB', () => {
    const steps = Array.from({ length: 4000 }, (_, i) => ({
      kind: 'element-add' as const,
      table,
      set: svc,
      element: element([address('10.0.0.0').plus(i), 6, 80], { data: [i] }),
    }));
    const batch = writeBatch(steps, { first: 1 });
    const sent = messages(batch.bytes).slice(1, -1);
    expect(sent.length).toBeGreaterThan(1);
    expect(sent.every(({ body }) => body.length < 65_536)).toBe(true);
    const counts = sent.map(({ body }) => {
      const input = new ByteReader(body);
      readHeader(input);
      return elementListAttributes.read(input).NFTA_SET_ELEM_LIST_ELEMENTS?.length ?? 0;
    });
    expect(counts.reduce((sum, count) => sum + count, 0)).toBe(steps.length);
    // An offset in the second message leads to the element there.
    const second = sent[1];
    expect(batch.stepAt(second?.sequence ?? 0, 100)).toBe(steps[(counts[0] ?? 0) + 1]);
    expect(batch.stepAt(second?.sequence ?? 0, undefined)).toBe(steps[counts[0] ?? 0]);
    expect(batch.stepAt(999, undefined)).toBeUndefined();
  });

  test('keeps the order of changes of different kinds', () => {
    const one = {
      kind: 'element-delete',
      table,
      set: svc,
      element: element([address('10.0.0.1'), 6, 1], { data: [1] }),
    } as const;
    const steps: readonly NftStep[] = [
      one,
      { ...one, kind: 'element-add' },
      { ...one, set: { ...svc, name: 'other' } },
      one,
    ];
    expect(messages(writeBatch(steps, { first: 1 }).bytes).map(({ type }) => type & 0xff)).toEqual([
      16, 14, 12, 14, 14, 17,
    ]);
  });

  test('makes the sets that a rule holds before the rule', () => {
    const set = anonymousSet('ipv4_addr', [element(address('10.0.0.1')), element(address('10.0.0.2'))]);
    const step: NftStep = { kind: 'rule-add', table, rule: rule('c', [ip.saddr.inSet(set), accept]) };
    const batch = writeBatch([step], { first: 1 });
    const sent = messages(batch.bytes);
    expect(sent.map(({ type }) => type & 0xff)).toEqual([16, 9, 12, 6, 17]);
    expect(sent.slice(1, -1).map(({ sequence }) => batch.stepAt(sequence, 40))).toEqual([step, step, step]);
    expect(sent.length).toBeLessThanOrEqual(messageBound([step]));
  });

  test('uses a writer again', () => {
    const out = new ByteWriter();
    const steps: readonly NftStep[] = [{ kind: 'table-add', table }];
    const first = Buffer.from(writeBatch(steps, { first: 1, out }).bytes);
    expect(Buffer.from(writeBatch(steps, { first: 1, out }).bytes)).toEqual(first);
  });
});
