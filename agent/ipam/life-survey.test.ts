import { mkdirSync, mkdtempSync, rmSync, utimesSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, test } from '@jest/globals';
import { Prefix } from '../../net/prefix.ts';
import { type Attachment, hostLinkName } from '../wiring/attachment.ts';
import { withAttachmentLock } from '../wiring/attachment-lock.ts';
import type { AttachmentRecord } from '../wiring/attachment-record.ts';
import { rangeOf } from './address-range.ts';
import { AddressStore } from './address-store.ts';
import { findDead, type LifeQuestion, ownNetworks, surveyLife } from './life-survey.ts';

let root: string;
let ipamDirectory: string;
let runDirectory: string;
beforeEach(() => {
  root = mkdtempSync(join(tmpdir(), 'netloom-life-'));
  ipamDirectory = join(root, 'networks');
  runDirectory = join(root, 'run');
});
afterEach(() => rmSync(root, { recursive: true, force: true }));

const sets = [[rangeOf(Prefix.parse('10.0.0.0/24'))]];
const attachmentOf = (containerId: string, network = 'cbr0'): Attachment => ({
  network,
  containerId,
  ifname: 'eth0',
});

async function reserve(containerId: string, network = 'cbr0', directory = ipamDirectory): Promise<void> {
  const owner = attachmentOf(containerId, network);
  await new AddressStore(join(directory, network)).allocate({ owner, sets });
}

function recordOf(attachment: Attachment, more: Partial<AttachmentRecord> = {}): AttachmentRecord {
  return {
    attachment,
    phase: 'added',
    bootId: 'this',
    netns: { path: '/none', identity: '4:1' },
    hostLink: hostLinkName(attachment),
    ipamDirectory,
    addresses: [],
    bandwidth: false,
    madeAt: 0,
    ...more,
  };
}

const question = (more: Partial<LifeQuestion> = {}): LifeQuestion => ({
  ipamDirectory,
  networks: ['cbr0'],
  records: [],
  runDirectory,
  hostLinks: () => [],
  ...more,
  signs: {
    bootId: 'this',
    namespaces: () => ({ identities: new Set(), holders: new Map(), isComplete: true }),
    ...more.signs,
  },
});

const lives = async (more: Partial<LifeQuestion> = {}) =>
  Object.fromEntries(
    (await surveyLife(question(more))).attachments.map(({ attachment, life }) => [
      attachment.containerId,
      life,
    ]),
  );

test('reservations and records of one attachment are one', async () => {
  for (const id of ['linked', 'unlinked', 'unrecorded', 'locked']) await reserve(id);
  const records = ['linked', 'unlinked', 'locked', 'unreserved'].map((id) => recordOf(attachmentOf(id)));
  const hostLinks = () => [hostLinkName(attachmentOf('linked')), 'eth0'];
  const held = withAttachmentLock(attachmentOf('locked'), () => lives({ records, hostLinks }), {
    directory: join(runDirectory, 'locks'),
    waitMs: 0,
  });
  expect(await held).toEqual({
    linked: 'alive',
    unlinked: 'dead',
    locked: 'alive',
    unreserved: 'dead',
    unrecorded: 'unknown',
  });
  const dead = await findDead(question({ records, hostLinks }));
  expect(dead.map(({ attachment, addresses }) => [attachment.containerId, addresses.join(' ')])).toEqual([
    ['unlinked', '10.0.0.3'],
    ['locked', '10.0.0.5'],
    ['unreserved', ''],
  ]);
});

test('what is old and without a record is dead, with all of its addresses', async () => {
  await reserve('a');
  await reserve('a', 'other');
  utimesSync(join(ipamDirectory, 'cbr0', '10.0.0.2'), 1000, 1000);
  expect(await findDead(question())).toMatchObject([{ attachment: attachmentOf('a'), ipamDirectory }]);
});

test('a file without an interface is of whatever record its container has', async () => {
  await reserve('a');
  writeFileSync(join(ipamDirectory, 'cbr0', '10.0.0.9'), 'b');
  utimesSync(join(ipamDirectory, 'cbr0', '10.0.0.9'), 1000, 1000);
  const records = [recordOf(attachmentOf('b'))];
  const hostLinks = () => [hostLinkName(attachmentOf('b'))];
  expect(await lives({ records, hostLinks })).toMatchObject({ b: 'alive' });
  expect((await findDead(question())).map(({ attachment }) => attachment)).toEqual([
    { network: 'cbr0', containerId: 'b', ifname: '' },
  ]);
});

test('addresses in the directory that a record names are looked at too', async () => {
  const elsewhere = join(root, 'elsewhere');
  await reserve('a', 'cbr0', elsewhere);
  const records = [recordOf(attachmentOf('a'), { ipamDirectory: elsewhere })];
  const [found] = (await surveyLife(question({ records }))).attachments;
  expect(found).toMatchObject({ life: 'dead', ipamDirectory: elsewhere });
  expect(String(found?.addresses)).toBe('10.0.0.2');
});

test('addresses without an owner are listed apart', async () => {
  await reserve('a');
  for (const [name, age] of [
    ['10.0.0.7', 1000],
    ['10.0.0.8', Date.now() / 1000],
  ] as const) {
    writeFileSync(join(ipamDirectory, 'cbr0', name), '');
    utimesSync(join(ipamDirectory, 'cbr0', name), age, age);
  }
  const { ownerless } = await surveyLife(question());
  expect(ownerless.map(({ address, life }) => `${address} ${life}`)).toEqual([
    '10.0.0.7 dead',
    '10.0.0.8 unknown',
  ]);
});

test('networks of ours: configured, recorded, or marked', async () => {
  expect(ownNetworks({ ipamDirectory, configured: ['cbr0'], records: [] })).toEqual(['cbr0']);
  await reserve('a', 'second');
  mkdirSync(join(ipamDirectory, 'theirs'));
  writeFileSync(join(ipamDirectory, 'theirs', '10.9.0.2'), 'x\r\neth0');
  const records = [recordOf(attachmentOf('a', 'chained'))];
  expect(ownNetworks({ ipamDirectory, configured: ['cbr0'], records })).toEqual([
    'cbr0',
    'chained',
    'second',
  ]);
});
