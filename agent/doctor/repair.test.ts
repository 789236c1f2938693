import { existsSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, test } from '@jest/globals';
import { lockFile } from '../../kernel/file-lock.ts';
import type { Attachment } from '../wiring/attachment.ts';
import type { Finding, Mend } from './finding.ts';
import { createRepair, mendFindings } from './repair.ts';
import { sampleAttachment } from './sample-facts.ts';

let root: string;
beforeEach(() => {
  root = mkdtempSync(join(tmpdir(), 'netloom-repair-'));
});
afterEach(() => rmSync(root, { recursive: true, force: true }));

const finding = (object: string, mend?: Mend): Finding => ({
  check: 'a-check',
  severity: 'hint',
  object,
  finding: 'x',
  evidence: 'x',
  remedy: 'x',
  mend,
});

test('attachments go through DEL, what fails is told, and what cannot be mended is passed over', async () => {
  const deleted: string[] = [];
  const repair = createRepair({
    wiring: {
      async del({ attachment, ipamDirectory, netns }) {
        if (attachment.containerId === 'stuck') throw new Error('it is under way');
        deleted.push(`${attachment.containerId} ${ipamDirectory} ${JSON.stringify(netns)}`);
      },
    },
    runDirectory: join(root, 'run'),
    ipamDirectory: '/default',
  });
  const path = join(root, 'file');
  writeFileSync(path, '');
  const of = (attachment: Attachment, ipamDirectory?: string): Mend => ({
    kind: 'attachment-delete',
    attachment,
    ipamDirectory,
  });
  const outcome = await mendFindings(
    [
      finding('a', of(sampleAttachment, '/own')),
      finding('b', of({ ...sampleAttachment, containerId: 'stuck' })),
      finding('c', of({ ...sampleAttachment, containerId: 'two' })),
      finding('d'),
      finding('e', { kind: 'file-delete', path }),
    ],
    repair,
  );
  expect(deleted).toEqual(['one /own ""', 'two /default ""']);
  expect(existsSync(path)).toBe(false);
  expect(outcome.mended.map(({ object }) => object)).toEqual(['a', 'c', 'e']);
  expect(outcome.failed.map(({ finding: { object }, why }) => `${object}: ${why}`)).toEqual([
    'b: it is under way',
  ]);
});

test('a lock goes only while nobody holds it', async () => {
  const path = join(root, 'lock');
  const repair = createRepair({
    wiring: { del: async () => undefined },
    runDirectory: root,
    ipamDirectory: root,
  });
  const held = await lockFile(path, { wait: 0 });
  await repair['lock-delete']({ kind: 'lock-delete', path });
  expect(existsSync(path)).toBe(true);
  held?.release();
  writeFileSync(path, '');
  await repair['lock-delete']({ kind: 'lock-delete', path });
  expect(existsSync(path)).toBe(false);
});
