import { mkdtempSync, readdirSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, test } from '@jest/globals';
import { attachmentFileName } from './attachment.ts';
import { withAttachmentLock } from './attachment-lock.ts';

const attachment = { network: 'cbr0', containerId: 'abc', ifname: 'eth0' };
let root: string;
let directory: string;
beforeEach(() => {
  root = mkdtempSync(join(tmpdir(), 'netloom-lock-'));
  directory = join(root, 'run', 'locks');
});
afterEach(() => rmSync(root, { recursive: true, force: true }));

/** Holds the lock until `end` is called. */
function hold(which = attachment) {
  const { promise, resolve } = Promise.withResolvers<void>();
  const done = withAttachmentLock(which, () => promise, { directory, waitMs: 0 });
  return { end: resolve, done };
}
const tryLock = (waitMs: number, which = attachment) =>
  withAttachmentLock(which, async () => 'done', { directory, waitMs });

test('a second operation on one attachment is refused, or waits if it may', async () => {
  const first = hold();
  await expect(tryLock(0)).rejects.toMatchObject({
    code: 11,
    message: 'Another operation on interface "eth0" of container "abc" is under way',
  });
  const waiting = tryLock(10_000);
  first.end();
  await first.done;
  expect(await waiting).toBe('done');
  expect(await tryLock(0)).toBe('done');
});

test('other attachments do not wait', async () => {
  const first = hold();
  for (const other of [{ ifname: 'eth1' }, { containerId: 'def' }, { network: 'pods' }]) {
    expect(await tryLock(0, { ...attachment, ...other })).toBe('done');
  }
  first.end();
  await first.done;
});

test('files are private, and go with the lock', async () => {
  const first = hold();
  await expect(tryLock(0)).rejects.toThrow();
  expect(readdirSync(directory)).toEqual([attachmentFileName(attachment)]);
  expect(statSync(directory).mode & 0o777).toBe(0o700);
  first.end();
  await first.done;
  expect(readdirSync(directory)).toEqual([]);
});

test('a failed operation gives the lock back, a file of a killed one is none', async () => {
  const failing = withAttachmentLock(attachment, () => Promise.reject(new RangeError('x')), {
    directory,
    waitMs: 0,
  });
  await expect(failing).rejects.toThrow('x');
  writeFileSync(join(directory, attachmentFileName(attachment)), '');
  expect(await tryLock(0)).toBe('done');
});

test('of many that wait, one works at a time', async () => {
  let inside = 0;
  let most = 0;
  await Promise.all(
    Array.from({ length: 20 }, () =>
      withAttachmentLock(
        attachment,
        async () => {
          inside += 1;
          most = Math.max(most, inside);
          await new Promise(setImmediate);
          inside -= 1;
        },
        { directory, waitMs: 10_000 },
      ),
    ),
  );
  expect(most).toBe(1);
});
