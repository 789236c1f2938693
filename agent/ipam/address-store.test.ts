import {
  linkSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  statSync,
  utimesSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, test } from '@jest/globals';
import fc from 'fast-check';
import { IpAddress } from '../../net/address.ts';
import { Prefix } from '../../net/prefix.ts';
import { CniError } from '../wiring/cni-error.ts';
import { type RangeSets, rangeOf, rangeSets } from './address-range.ts';
import { AddressStore } from './address-store.ts';
import { withDirectoryLock } from './directory-lock.ts';

const set = (subnet: string) => [rangeOf(Prefix.parse(subnet))];
const ip4 = set('10.0.0.0/29');
const ip6 = set('fd00::/126');
const owner = (containerId: string, ifname = 'eth0') => ({ containerId, ifname });
const addresses = (...texts: string[]) => texts.map((text) => IpAddress.parse(text));

let root: string;
let directory: string;
let store: AddressStore;
beforeEach(() => {
  root = mkdtempSync(join(tmpdir(), 'netloom-ipam-'));
  directory = join(root, 'networks', 'cbr0');
  store = new AddressStore(directory);
});
afterEach(() => rmSync(root, { recursive: true, force: true }));

/** Name, mode and content of every file, as an operator looks at them. */
function listing(): readonly string[] {
  return readdirSync(directory)
    .sort()
    .map((name) => {
      const path = join(directory, name);
      const mode = (statSync(path).mode & 0o777).toString(8);
      return `${mode} ${name} ${JSON.stringify(readFileSync(path, 'utf8'))}`;
    });
}
const take = async (id: string, options: { sets?: RangeSets; requested?: IpAddress[] } = {}) =>
  (
    await store.allocate({
      owner: owner(id),
      sets: options.sets ?? [ip4],
      requested: options.requested ?? [],
    })
  ).addresses.join(' ');

describe('the directory is as host-local writes it', () => {
  test('files, contents and modes', async () => {
    await store.allocate({ owner: owner('one'), sets: [ip4, ip6] });
    await store.allocate({ owner: owner('two', 'net1'), sets: [ip4] });
    expect(listing()).toEqual([
      '600 .netloom ""',
      '600 10.0.0.2 "one\\r\\neth0"',
      '600 10.0.0.3 "two\\r\\nnet1"',
      '600 fd00::2 "one\\r\\neth0"',
      '600 last_reserved_ip.0 "10.0.0.3"',
      '600 last_reserved_ip.1 "fd00::2"',
      '750 lock ""',
    ]);
    expect(statSync(directory).mode & 0o777).toBe(0o755);
  });

  test('what host-local left is understood: owners with and without interface, a last address, empty and strange files', async () => {
    await take('first');
    for (const [name, content] of Object.entries({
      '10.0.0.3': 'old',
      '10.0.0.4': '',
      '10.0.0.5': 'new\r\neth0',
      'last_reserved_ip.0': '10.0.0.2',
      notes: 'x',
    })) {
      writeFileSync(join(directory, name), content);
    }
    expect(await take('second')).toBe('10.0.0.6');
    expect(await store.find(owner('old'))).toEqual(addresses('10.0.0.3'));
    expect(await store.find(owner('new'))).toEqual(addresses('10.0.0.5'));
    await store.release(owner('new'));
    await store.release(owner('old', 'whatever'));
    expect(await take('third')).toBe('10.0.0.3');
    expect(readFileSync(join(directory, '10.0.0.4'), 'utf8')).toBe('');
    expect(await store.owners()).toEqual([owner('first'), owner('second'), owner('third')]);
  });

  test.each(['', 'nonsense', '10.9.9.9', '10.0.0.7', 'fd00::3'])(
    'a last address of %j is passed over',
    async (last) => {
      await take('one');
      await store.release(owner('one'));
      writeFileSync(join(directory, 'last_reserved_ip.0'), last);
      expect(await take('two')).toBe('10.0.0.2');
    },
  );
});

describe('allocate', () => {
  test('an address that was given back rests as long as can be', async () => {
    expect(await take('a')).toBe('10.0.0.2');
    await store.release(owner('a'));
    expect(await take('b')).toBe('10.0.0.3');
    expect(await take('c')).toBe('10.0.0.4');
    await store.release(owner('b'));
    expect(await take('d')).toBe('10.0.0.5');
    expect(await take('e')).toBe('10.0.0.6');
    expect(await take('f')).toBe('10.0.0.2');
    expect(await take('g')).toBe('10.0.0.3');
  });

  test('the same owner gets the same address, another interface another one', async () => {
    expect(await store.allocate({ owner: owner('a'), sets: [ip4] })).toEqual({
      addresses: addresses('10.0.0.2'),
      reserved: addresses('10.0.0.2'),
    });
    expect(await store.allocate({ owner: owner('a'), sets: [ip4, ip6] })).toEqual({
      addresses: addresses('10.0.0.2', 'fd00::2'),
      reserved: addresses('fd00::2'),
    });
    const second = await store.allocate({ owner: owner('a', 'net1'), sets: [ip4] });
    expect(second.addresses).toEqual(addresses('10.0.0.3'));
  });

  test('a full range: try again later, and nothing of the other family stays reserved', async () => {
    await take('a', { sets: [ip4, ip6] });
    await take('b', { sets: [ip4, ip6] });
    const before = listing();
    const full = store.allocate({ owner: owner('c'), sets: [ip4, ip6] });
    await expect(full).rejects.toThrow('container "c": all of fd00::1-fd00::3 are taken');
    await expect(full).rejects.toBeInstanceOf(CniError);
    await expect(full).rejects.toMatchObject({ code: 11 });
    const stays = (line: string) => !line.includes('last_reserved');
    expect(listing().filter(stays)).toEqual(before.filter(stays));
    await store.release(owner('a'));
    expect(await take('c', { sets: [ip4, ip6] })).toBe('10.0.0.5 fd00::2');
  });

  test('requested addresses', async () => {
    expect(await take('a', { requested: addresses('10.0.0.5') })).toBe('10.0.0.5');
    expect(await take('b', { sets: [ip4, ip6], requested: addresses('fd00::3') })).toBe('10.0.0.6 fd00::3');
    await expect(take('c', { requested: addresses('10.0.0.5') })).rejects.toMatchObject({
      code: 7,
      message: 'Cannot reserve requested address "10.0.0.5": container "a" has it',
      details: 'for interface "eth0"',
    });
    for (const [wish, why] of [
      ['10.0.0.1', "it is the subnet's gateway"],
      ['10.0.0.7', 'it is not in 10.0.0.1-10.0.0.6'],
      ['fd00::2', 'it is not in 10.0.0.1-10.0.0.6'],
    ] as const) {
      await expect(take('d', { requested: addresses(wish) })).rejects.toThrow(why);
    }
    await expect(take('d', { requested: addresses('10.0.0.3', '10.0.0.4') })).rejects.toThrow(
      'requested too',
    );
  });
});

describe('sets of several ranges', () => {
  const [two, other] = rangeSets([
    [
      { subnet: Prefix.parse('10.1.0.0/29'), rangeEnd: IpAddress.parse('10.1.0.3') },
      { subnet: Prefix.parse('10.2.0.0/30') },
    ],
    [{ subnet: Prefix.parse('10.1.0.0/29'), rangeStart: IpAddress.parse('10.1.0.5') }],
  ]);
  const sets = [two ?? [], other ?? []];

  test('one address of each; the ranges of a set one after the other, and none is kept when one set is full', async () => {
    expect(await take('a', { sets })).toBe('10.1.0.2 10.1.0.5');
    expect(await take('b', { sets })).toBe('10.1.0.3 10.1.0.6');
    await expect(take('c', { sets })).rejects.toThrow('all of 10.1.0.5-10.1.0.6 are taken');
    expect(await take('c', { sets: [sets[0] ?? []] })).toBe('10.2.0.2');
    await store.release(owner('a'));
    await expect(take('d', { sets, requested: addresses('10.2.0.2') })).rejects.toThrow('"c" has it');
    expect(await take('d', { sets, requested: addresses('10.1.0.5') })).toBe('10.1.0.2 10.1.0.5');
    await expect(take('e', { sets: [sets[0] ?? []] })).rejects.toThrow('10.1.0.1-10.1.0.3,10.2.0.1-10.2.0.2');
  });

  test('what an owner has already is not exchanged for what it wants now', async () => {
    await take('a', { sets });
    await expect(take('a', { sets, requested: addresses('10.2.0.2') })).rejects.toMatchObject({
      code: 7,
      message: expect.stringContaining('the container has "10.1.0.2" of the same range set already'),
    });
    expect(await store.find(owner('a'))).toEqual(addresses('10.1.0.2', '10.1.0.5'));
  });

  test('hasFree', async () => {
    expect(await store.hasFree(sets)).toBe(true);
    for (const id of ['a', 'b']) await take(id, { sets });
    expect(await store.hasFree(sets)).toBe(false);
    expect(await store.hasFree([sets[0] ?? []])).toBe(true);
    await store.release(owner('a'));
    expect(await store.hasFree(sets)).toBe(true);
  });
});

describe('a caller that knows what the owner has', () => {
  test('nothing but that is looked at', async () => {
    await store.allocate({ owner: owner('a'), sets: [ip4], known: [] });
    expect(await store.find(owner('a'), { known: addresses('10.0.0.2', '10.0.0.3') })).toEqual(
      addresses('10.0.0.2'),
    );
    expect(await store.find(owner('a'), { known: [] })).toEqual([]);
    expect(await store.allocate({ owner: owner('a'), sets: [ip4], known: addresses('10.0.0.2') })).toEqual({
      addresses: addresses('10.0.0.2'),
      reserved: [],
    });
    expect((await store.allocate({ owner: owner('a'), sets: [ip4], known: [] })).reserved).toEqual(
      addresses('10.0.0.3'),
    );
    expect(await store.release(owner('a'), { known: addresses('10.0.0.3', '10.0.0.4') })).toEqual(
      addresses('10.0.0.3'),
    );
    expect(await store.find(owner('a'))).toEqual(addresses('10.0.0.2'));
    expect(await store.release(owner('b'), { known: addresses('10.0.0.2') })).toEqual([]);
  });

  test('many addresses in a row are taken', async () => {
    const wide = [rangeOf(Prefix.parse('10.0.0.0/24'))];
    for (let i = 0; i < 100; i++) await store.allocate({ owner: owner(`c${i}`), sets: [wide], known: [] });
    writeFileSync(join(directory, 'last_reserved_ip.0'), '10.0.0.1');
    const fresh = await new AddressStore(directory).allocate({ owner: owner('x'), sets: [wide], known: [] });
    expect(fresh.addresses).toEqual(addresses('10.0.0.102'));
  });
});

describe('what says no owner', () => {
  beforeEach(async () => {
    await take('a');
    writeFileSync(join(directory, '10.0.0.3'), '');
    writeFileSync(join(directory, '10.0.0.4'), 'a b c');
  });

  test('is listed among the reservations, with its age', async () => {
    utimesSync(join(directory, '10.0.0.3'), 1000, 1000);
    const found = await store.reservations();
    expect(found.map(({ address, owner: whose }) => [String(address), whose?.containerId])).toEqual([
      ['10.0.0.2', 'a'],
      ['10.0.0.3', undefined],
      ['10.0.0.4', undefined],
    ]);
    expect(found[1]?.writtenAt).toBe(1_000_000);
  });

  test('is taken until it is given back as such', async () => {
    expect(await take('b')).toBe('10.0.0.5');
    expect(await store.releaseOwnerless(addresses('10.0.0.2', '10.0.0.3', '10.0.0.4', '10.0.0.6'))).toEqual(
      addresses('10.0.0.3', '10.0.0.4'),
    );
    expect(await store.find(owner('a'))).toEqual(addresses('10.0.0.2'));
  });
});

describe('others at the same directory', () => {
  test('an address that was given back and out again between two looks is known as its new owner’s', async () => {
    await take('a');
    await take('b');
    expect(await store.owners()).toHaveLength(2);
    const other = new AddressStore(directory);
    await other.release(owner('a'));
    await other.allocate({ owner: owner('c'), sets: [ip4], requested: addresses('10.0.0.2') });
    expect(await store.find(owner('c'))).toEqual(addresses('10.0.0.2'));
    expect(await store.find(owner('a'))).toEqual([]);
    expect(await store.find(owner('b'))).toEqual(addresses('10.0.0.3'));
  });

  test('files without an interface go only when none names it', async () => {
    await take('a');
    writeFileSync(join(directory, '10.0.0.5'), 'a');
    expect(await store.find(owner('a'))).toEqual(addresses('10.0.0.2', '10.0.0.5'));
    expect(await store.release(owner('a'))).toEqual(addresses('10.0.0.2'));
    expect(await store.release(owner('a'))).toEqual(addresses('10.0.0.5'));
  });

  test('a change by somebody else is seen', async () => {
    await take('a');
    const other = new AddressStore(directory);
    await other.allocate({ owner: owner('b'), sets: [ip4] });
    expect(await store.find(owner('b'))).toEqual(addresses('10.0.0.3'));
    await other.release(owner('a'));
    expect(await store.find(owner('a'))).toEqual([]);
    rmSync(directory, { recursive: true });
    expect(await take('c')).toBe('10.0.0.2');
  });

  test('an address that changed hands unseen is not taken from its new owner', async () => {
    await take('a');
    // In place: the directory's time stays, so the index cannot know.
    writeFileSync(join(directory, '10.0.0.2'), 'b\r\neth0');
    expect(await store.release(owner('a'))).toEqual([]);
    expect(await store.find(owner('b'))).toEqual(addresses('10.0.0.2'));
  });

  test('changes that left no trace in the time of the directory', async () => {
    for (const id of ['a', 'b', 'c', 'd', 'e']) await take(id);
    const standStill = () => utimesSync(directory, 1000, 1000);
    standStill();
    await store.find(owner('a'));
    rmSync(join(directory, '10.0.0.4'));
    standStill();
    expect(await take('f')).toBe('10.0.0.4');
    standStill();
    await store.find(owner('a'));
    rmSync(join(directory, '10.0.0.2'));
    writeFileSync(join(directory, '10.0.0.2'), 'g\r\neth0');
    standStill();
    await expect(take('h')).rejects.toMatchObject({ code: 11 });
    expect(await store.release(owner('a'))).toEqual([]);
    await store.release(owner('g'));
    expect(await take('h')).toBe('10.0.0.2');
  });

  test('a crash between naming and cleaning up harms no reservation', async () => {
    await take('a');
    linkSync(join(directory, '10.0.0.2'), join(directory, '.netloom.tmp'));
    expect(await take('b')).toBe('10.0.0.3');
    expect(readFileSync(join(directory, '10.0.0.2'), 'utf8')).toBe('a\r\neth0');
  });

  test('a held lock is waited for, then reported', async () => {
    let other: Promise<string> | undefined;
    await withDirectoryLock(directory, () => {
      other = take('a');
      expect(listing().some((line) => line.includes('10.0.0.2'))).toBe(false);
      return undefined;
    });
    expect(await other).toBe('10.0.0.2');
    await withDirectoryLock(directory, () => {
      other = withDirectoryLock(directory, () => 'never', { timeoutMs: 0 });
      return undefined;
    });
    await expect(other).rejects.toMatchObject({ code: 11 });
  });

  test('a file in the place of the directory is an error, not a wait', async () => {
    const path = join(root, 'file');
    writeFileSync(path, '');
    await expect(new AddressStore(path).allocate({ owner: owner('a'), sets: [ip4] })).rejects.toThrow();
  });
});

test('nothing to release makes no directory', async () => {
  expect(await store.release(owner('a'))).toEqual([]);
  expect(await store.find(owner('a'))).toEqual([]);
  expect(readdirSync(root)).toEqual([]);
});

test('whatever several stores do, no address has two owners and no owner has two of a range', async () => {
  const id = fc.integer({ min: 0, max: 7 }).map((number) => `c${number}`);
  const command = fc.record({ verb: fc.constantFrom('add', 'add', 'del', 'find'), id, store: fc.nat(1) });
  await fc.assert(
    fc.asyncProperty(fc.array(command, { maxLength: 30 }), async (commands) => {
      rmSync(directory, { recursive: true, force: true });
      const stores = [new AddressStore(directory), new AddressStore(directory)] as const;
      const model = new Map<string, string>();
      for (const { verb, id, store } of commands) {
        const used = stores[store === 0 ? 0 : 1];
        if (verb === 'del') {
          expect((await used.release(owner(id))).join(' ')).toBe(model.get(id) ?? '');
          model.delete(id);
        } else if (verb === 'find') {
          expect((await used.find(owner(id))).join(' ')).toBe(model.get(id) ?? '');
        } else if (model.size < 5 || model.has(id)) {
          const { addresses: got } = await used.allocate({ owner: owner(id), sets: [ip4] });
          expect([...model].filter(([other]) => other !== id).map(([, address]) => address)).not.toContain(
            got.join(' '),
          );
          expect(model.get(id) ?? got.join(' ')).toBe(got.join(' '));
          model.set(id, got.join(' '));
        } else {
          await expect(used.allocate({ owner: owner(id), sets: [ip4] })).rejects.toMatchObject({
            code: 11,
          });
        }
      }
    }),
    { numRuns: 60 },
  );
});
