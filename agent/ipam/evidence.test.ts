import { describe, expect, test } from '@jest/globals';
import { IpAddress } from '../../net/address.ts';
import { hostLinkName } from '../wiring/attachment.ts';
import type { AttachmentRecord } from '../wiring/attachment-record.ts';
import { judge, judgeAddresses, type Life, type NamespaceSigns, type Signs } from './evidence.ts';

const attachment = { network: 'cbr0', containerId: 'one', ifname: 'eth0' };
const hostLink = hostLinkName(attachment);
const minutes = 60_000;
const now = 100 * minutes;
const bootTime = 50 * minutes;

const record: AttachmentRecord = {
  attachment,
  phase: 'added',
  bootId: 'this',
  netns: { path: '/run/netns/one', identity: '4:100' },
  hostLink,
  ipamDirectory: '/ipam',
  addresses: [],
  bandwidth: false,
  madeAt: 0,
};
const chained: AttachmentRecord = { ...record, hostLink: undefined, ipamDirectory: undefined };
const taken = (writtenAt: number) => [{ address: IpAddress.parse('10.0.0.2'), writtenAt }];

type SomeSigns = Partial<Omit<Signs, 'namespaces'>> & Partial<NamespaceSigns>;

function signs(some: SomeSigns = {}): Signs {
  const { identities = new Set(), holders = new Map(), isComplete = true, ...rest } = some;
  return {
    bootId: 'this',
    bootTime,
    now,
    isLocked: () => false,
    links: new Set(),
    identityAt: () => undefined,
    ...rest,
    namespaces: () => ({ identities, holders, isComplete }),
  };
}

describe('an attachment with a record', () => {
  test.each<readonly [string, AttachmentRecord, SomeSigns, Life, string]>([
    ['its lock is held', record, { isLocked: () => true }, 'alive', 'an operation on it is under way'],
    [
      'being added, lock held',
      { ...record, phase: 'adding' },
      { isLocked: () => true },
      'alive',
      'under way',
    ],
    ['its link is there', record, { links: new Set([hostLink]) }, 'alive', `${hostLink} is on the node`],
    ['its link is missing', record, {}, 'dead', `its interface ${hostLink} is gone`],
    ['an ADD that died early', { ...record, phase: 'adding' }, {}, 'dead', 'is gone'],
    ['of another boot', { ...record, bootId: 'other' }, {}, 'dead', 'made before the node started'],
    ['chained, of another boot', { ...chained, bootId: 'other' }, {}, 'dead', 'before the node started'],
    [
      'chained, its namespace at its path',
      chained,
      { identityAt: () => '4:100' },
      'alive',
      'its namespace "/run/netns/one" is there',
    ],
    [
      'chained, another namespace at its path',
      chained,
      { identityAt: () => '4:101' },
      'dead',
      'its namespace "/run/netns/one" is gone',
    ],
    [
      'chained, its namespace elsewhere',
      chained,
      { identities: new Set(['4:100']) },
      'alive',
      'though not at "/run/netns/one"',
    ],
    ['chained, its namespace maybe elsewhere', chained, { isComplete: false }, 'unknown', 'not all others'],
  ])('%s', (_, given, seen, life, words) => {
    expect(judge({ attachment, record: given, addresses: taken(0) }, signs(seen))).toEqual({
      life,
      evidence: expect.stringContaining(words),
    });
  });
});

describe('an attachment without a record', () => {
  test.each<readonly [string, number, SomeSigns, Life, string]>([
    ['its link is there', 0, { links: new Set([hostLink]) }, 'alive', 'is on the node'],
    ['its lock is held', 0, { isLocked: () => true }, 'alive', 'under way'],
    [
      'a namespace has its address',
      0,
      { holders: new Map([['10.0.0.2', '/run/netns/x']]), isComplete: false },
      'alive',
      'namespace "/run/netns/x" has 10.0.0.2',
    ],
    ['older than the boot', bootTime - 1, {}, 'dead', 'reserved before the node started'],
    ['older than ten minutes', now - 11 * minutes, {}, 'dead', 'reserved 11 minutes ago'],
    ['young', now - 9 * minutes, {}, 'unknown', 'only now'],
    ['of the future', now + 9 * minutes, {}, 'unknown', 'only now'],
    ['old, but there may be more to see', 0, { isComplete: false }, 'unknown', 'not all can be seen'],
  ])('%s', (_, writtenAt, seen, life, words) => {
    expect(judge({ attachment, record: undefined, addresses: taken(writtenAt) }, signs(seen))).toEqual({
      life,
      evidence: expect.stringContaining(words),
    });
  });

  test('the younger of two addresses counts, and each may be found', () => {
    const two = [...taken(0), { address: IpAddress.parse('fd00::2'), writtenAt: now }];
    expect(judgeAddresses(two, signs())).toMatchObject({ life: 'unknown' });
    expect(judgeAddresses(two, signs({ holders: new Map([['fd00::2', '/proc/9/ns/net']]) }))).toEqual({
      life: 'alive',
      evidence: 'namespace "/proc/9/ns/net" has fd00::2',
    });
  });
});

test('namespaces are looked at only when nothing else tells', () => {
  const dear = {
    ...signs({ links: new Set([hostLink]) }),
    namespaces: () => {
      throw new Error('they were looked at');
    },
  };
  expect(judge({ attachment, record, addresses: [] }, dear).life).toBe('alive');
  expect(judge({ attachment, record, addresses: [] }, { ...dear, links: new Set() }).life).toBe('dead');
  expect(() =>
    judge({ attachment, record: undefined, addresses: taken(0) }, { ...dear, links: new Set() }),
  ).toThrow();
});
