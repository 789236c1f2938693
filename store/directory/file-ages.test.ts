import { expect, test } from '@jest/globals';
import { FileAges } from './file-ages.ts';
import type { FileStamp } from './manifest-file.ts';

const stamp = (changedAt: number, size = 1): FileStamp => ({
  device: 1,
  inode: 2,
  size,
  modifiedAt: 0,
  changedAt,
});

test('by our own clock, a file is as old as its times say', () => {
  const ages = new FileAges();
  expect(ages.ageOf('a', stamp(Date.now() - 60_000))).toBeGreaterThanOrEqual(60_000);
  expect(ages.ageOf('a', stamp(Date.now() + 60_000))).toBeLessThan(0);
  expect(ages.isRacy(19)).toBe(true);
  expect(ages.isRacy(21)).toBe(false);
});

test('by a foreign clock, a state is as old as we know it', () => {
  const ages = new FileAges();
  ages.clock = 'foreign';
  const old = stamp(0);
  expect(ages.ageOf('a', old)).toBe(0);
  const later = ages.ageOf('a', old);
  expect(later).toBeGreaterThan(0);
  expect(ages.ageOf('a', old)).toBeGreaterThan(later);
  expect(ages.ageOf('a', stamp(0, 2))).toBe(0);
  expect(ages.ageOf('b', old)).toBe(0);
  ages.forget('a');
  expect(ages.ageOf('a', stamp(0, 2))).toBe(0);
  expect(ages.isRacy(2000)).toBe(true);
});
