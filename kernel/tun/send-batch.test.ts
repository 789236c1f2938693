import { describe, expect, test } from '@jest/globals';
import { imaginaryMemory } from './packet-memory.ts';
import { SendBatch } from './send-batch.ts';

const here = 0x0102_00c0;
const there = 0x0202_00c0;

function batchOf(splits: boolean, datagrams: readonly (readonly [number, ...number[]])[]) {
  let next = 0x1_0000_0000;
  const memories: ReturnType<typeof imaginaryMemory>[] = [];
  const batch = new SendBatch({
    messages: 256,
    vectors: 512,
    port: 8285,
    splits,
    allocate(size) {
      const memory = imaginaryMemory(size, next);
      next += 0x10_0000;
      memories.push(memory);
      return memory;
    },
  });
  for (const [receiver, ...vectors] of datagrams) {
    batch.begin(
      receiver,
      vectors.reduce((sum, size) => sum + size, 0),
    );
    for (const size of vectors) batch.vectors.add(0x7000 + size, size);
  }
  return { batch, memories };
}

function messages(batch: SendBatch): readonly (readonly [count: number, size: number, bytes: number])[] {
  return Array.from({ length: batch.count }, (_, i) => [
    batch.segmentsOf(i),
    batch.sizeOf(i),
    batch.bytesOf(i),
  ]);
}

describe('datagrams in a row', () => {
  test('of one size and to one receiver are one message', () => {
    const { batch } = batchOf(true, [
      [here, 40, 60],
      [here, 100],
      [here, 100],
    ]);
    expect(messages(batch)).toEqual([[3, 100, 300]]);
    expect(batch.datagrams).toBe(3);
  });

  test('a shorter one is the last, a larger one begins another', () => {
    const { batch } = batchOf(true, [
      [here, 100],
      [here, 50],
      [here, 50],
      [here, 51],
    ]);
    expect(messages(batch)).toEqual([
      [2, 100, 150],
      [1, 50, 50],
      [1, 51, 51],
    ]);
  });

  test('to somebody else', () => {
    const { batch } = batchOf(true, [
      [here, 100],
      [there, 100],
      [here, 100],
    ]);
    expect(messages(batch).length).toBe(3);
  });

  test('no more than 64, and no more than a datagram holds', () => {
    const many = batchOf(
      true,
      Array.from({ length: 65 }, () => [here, 20]),
    );
    expect(messages(many.batch)).toEqual([
      [64, 20, 1280],
      [1, 20, 20],
    ]);
    const large = batchOf(
      true,
      Array.from({ length: 46 }, () => [here, 1472]),
    );
    expect(messages(large.batch)).toEqual([
      [44, 1472, 64_768],
      [2, 1472, 2944],
    ]);
  });

  test('each is a message where the kernel cannot split', () => {
    const { batch } = batchOf(false, [
      [here, 100],
      [here, 100],
    ]);
    expect(messages(batch).length).toBe(2);
  });
});

test('in memory as sendmmsg(2) takes it', () => {
  const { batch, memories } = batchOf(true, [
    [here, 40, 60],
    [here, 100],
    [there, 77],
  ]);
  const [vectors, headers, names, controls] = memories;
  if (vectors === undefined || headers === undefined || names === undefined || controls === undefined)
    throw new Error('four memories are wanted');
  expect(batch.finish()).toBe(headers.address);
  const header = Buffer.from(headers.bytes);
  const [first, second] = [header.subarray(0, 64), header.subarray(64, 128)];
  expect(first.readBigUInt64LE(0)).toBe(BigInt(names.address));
  expect(first.readUInt32LE(8)).toBe(16);
  expect(first.readBigUInt64LE(16)).toBe(BigInt(vectors.address));
  expect(first.readBigUInt64LE(24)).toBe(3n);
  expect(first.readBigUInt64LE(32)).toBe(BigInt(controls.address));
  expect(first.readBigUInt64LE(40)).toBe(24n);
  expect(second.readBigUInt64LE(0)).toBe(BigInt(names.address + 16));
  expect(second.readBigUInt64LE(16)).toBe(BigInt(vectors.address + 3 * 16));
  expect(second.readBigUInt64LE(24)).toBe(1n);
  expect(second.readBigUInt64LE(32)).toBe(0n);
  expect(second.readBigUInt64LE(40)).toBe(0n);
  // struct sockaddr_in: AF_INET, port 8285, 192.0.2.1.
  expect(Buffer.from(names.bytes.subarray(0, 8)).toString('hex')).toBe('0200205dc0000201');
  // struct cmsghdr: 18 bytes, SOL_UDP, UDP_SEGMENT, 100.
  const control = Buffer.from(controls.bytes.subarray(0, 18)).toString('hex');
  expect(control).toBe('1200000000000000110000006700000064'.padEnd(36, '0'));
  const vector = Buffer.from(vectors.bytes.subarray(0, 16));
  expect(vector.readBigUInt64LE(0)).toBe(BigInt(0x7000 + 40));
  expect(vector.readBigUInt64LE(8)).toBe(40n);
});

test('taken apart, each datagram is a message with its own vectors', () => {
  const { batch, memories } = batchOf(true, [
    [there, 500],
    [here, 40, 60],
    [here, 40, 60],
    [here, 40, 10],
    [there, 30],
  ]);
  batch.finish();
  expect(batch.count).toBe(3);
  batch.takeApart(1);
  expect(messages(batch)).toEqual([
    [1, 500, 500],
    [1, 100, 100],
    [1, 100, 100],
    [1, 50, 50],
    [1, 30, 30],
  ]);
  const [vectors, headers, names] = memories;
  const header = Buffer.from(headers?.bytes ?? []);
  const of = (i: number) => [
    (Number(header.readBigUInt64LE(i * 64 + 16)) - (vectors?.address ?? 0)) / 16,
    header.readBigUInt64LE(i * 64 + 24),
    header.readBigUInt64LE(i * 64 + 40),
    names?.words[i * 4 + 1],
  ];
  expect([0, 1, 2, 3, 4].map(of)).toEqual([
    [0, 1n, 0n, there],
    [1, 2n, 0n, here],
    [3, 2n, 0n, here],
    [5, 2n, 0n, here],
    [7, 1n, 0n, there],
  ]);
});

test('a full one says so', () => {
  const { batch } = batchOf(
    true,
    Array.from({ length: 255 }, () => [here, 20]),
  );
  expect(batch.room(1)).toBe(1);
  expect(batch.room(2)).toBe(1);
  batch.clear();
  expect(batch.room(2)).toBe(256);
  expect(messages(batch)).toEqual([]);
});
