import { uptime } from 'node:os';
import { expect, test } from '@jest/globals';
import { bootId, bootTime } from './boot.ts';

test('the id is a UUID and stays', () => {
  expect(bootId()).toMatch(/^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$/);
  expect(bootId()).toBe(bootId());
});

test('the kernel started as long ago as it is up', () => {
  expect(Math.abs(Date.now() - bootTime() - uptime() * 1000)).toBeLessThan(60_000);
});
