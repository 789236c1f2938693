import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, test } from '@jest/globals';
import { moduleState } from './kernel-modules.ts';

let directory: string;
beforeEach(() => {
  directory = mkdtempSync(join(tmpdir(), 'netloom-modules-'));
});
afterEach(() => rmSync(directory, { recursive: true }));

test('by the lists of the kernel', () => {
  writeFileSync(
    join(directory, 'modules.dep'),
    'kernel/net/netfilter/ipvs/ip_vs_no.ko.xz: kernel/lib/x.ko.xz\nkernel/drivers/net/no-such.ko:\n',
  );
  writeFileSync(join(directory, 'modules.builtin'), 'kernel/net/no_tun.ko\n');
  expect(moduleState('ip_vs_no', { directory })).toBe('available');
  expect(moduleState('no_such', { directory })).toBe('available');
  expect(moduleState('no_tun', { directory })).toBe('built-in');
  expect(moduleState('ip_vs_n', { directory })).toBe('absent');
});

test('without lists nothing is known', () => {
  expect(moduleState('ip_vs_no', { directory })).toBe('unknown');
});
