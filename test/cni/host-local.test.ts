// Our store and the real host-local at one directory, in turns: each finds what the other left as its own.
import { execFileSync } from 'node:child_process';
import { existsSync, mkdtempSync, readdirSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, test } from '@jest/globals';
import { rangeSets } from '../../agent/ipam/address-range.ts';
import { AddressStore } from '../../agent/ipam/address-store.ts';
import { IpAddress } from '../../net/address.ts';
import { Prefix } from '../../net/prefix.ts';

const hostLocal = '/usr/lib/cni/host-local';
const why = existsSync(hostLocal) ? '' : ` (skipped: there is no ${hostLocal})`;

interface RangeText {
  readonly subnet: string;
  readonly rangeStart?: string;
  readonly rangeEnd?: string;
  readonly gateway?: string;
}
type SetTexts = readonly (readonly RangeText[])[];

/** The same four questions to either of the two. */
interface Allocator {
  readonly name: string;
  add(id: string, wanted?: readonly string[]): Promise<readonly string[]>;
  del(id: string): Promise<void>;
  /** Whether the container has an address. */
  has(id: string): Promise<boolean>;
}

let root: string;
let directory: string;
beforeEach(() => {
  root = mkdtempSync(join(tmpdir(), 'netloom-host-local-'));
  directory = join(root, 'net');
});
afterEach(() => rmSync(root, { recursive: true, force: true }));

function theirs(ranges: SetTexts): Allocator {
  const call = (verb: string, id: string, ips: readonly string[] = []): string => {
    const stdin = {
      cniVersion: '0.4.0',
      name: 'net',
      ipam: { type: 'host-local', dataDir: root, ranges },
      ...(ips.length === 0 ? {} : { args: { cni: { ips } } }),
      // CHECK asks nothing of it but that it is there.
      ...(verb === 'CHECK' ? { prevResult: { cniVersion: '0.4.0', ips: [] } } : {}),
    };
    const env = {
      CNI_COMMAND: verb,
      CNI_CONTAINERID: id,
      CNI_NETNS: '/none',
      CNI_IFNAME: 'eth0',
      CNI_PATH: '/none',
    };
    return execFileSync(hostLocal, [], { input: JSON.stringify(stdin), env, encoding: 'utf8' });
  };
  return {
    name: 'host-local',
    async add(id, wanted) {
      const { ips } = JSON.parse(call('ADD', id, wanted)) as { ips: readonly { readonly address: string }[] };
      return ips.map(({ address }) => address.replace(/\/.*/, ''));
    },
    async del(id) {
      call('DEL', id);
    },
    async has(id) {
      try {
        call('CHECK', id);
        return true;
      } catch {
        return false;
      }
    },
  };
}

function ours(texts: SetTexts): Allocator {
  const store = new AddressStore(directory);
  const address = (text: string | undefined) => (text === undefined ? undefined : IpAddress.parse(text));
  const sets = rangeSets(
    texts.map((set) =>
      set.map(({ subnet, rangeStart, rangeEnd, gateway }) => ({
        subnet: Prefix.parse(subnet),
        rangeStart: address(rangeStart),
        rangeEnd: address(rangeEnd),
        gateway: address(gateway),
      })),
    ),
  );
  const owner = (containerId: string) => ({ containerId, ifname: 'eth0' });
  return {
    name: 'netloom',
    async add(id, wanted = []) {
      const requested = wanted.map((text) => IpAddress.parse(text));
      const { addresses, reserved } = await store.allocate({ owner: owner(id), sets, requested });
      // host-local refuses to give an owner a second address of a set.
      if (reserved.length === 0) throw new Error('it has one already');
      return addresses.map(String);
    },
    del: async (id) => void (await store.release(owner(id))),
    has: async (id) => (await store.find(owner(id))).length > 0,
  };
}

/** All files but ours, with their contents. */
function contents(): readonly string[] {
  return readdirSync(directory)
    .filter((name) => !name.startsWith('.netloom'))
    .sort()
    .map((name) => `${name} ${JSON.stringify(readFileSync(join(directory, name), 'utf8'))}`);
}

const layouts: Readonly<Record<string, SetTexts>> = {
  'one subnet': [[{ subnet: '10.0.0.0/29' }]],
  'dual stack': [[{ subnet: '10.0.0.0/29' }], [{ subnet: 'fd00::/125' }]],
  'limits, and a gateway in the middle': [
    [{ subnet: '10.0.0.0/24', rangeStart: '10.0.0.20', rangeEnd: '10.0.0.26', gateway: '10.0.0.23' }],
  ],
  'two ranges of one set': [
    [
      { subnet: '10.0.0.0/24', rangeStart: '10.0.0.5', rangeEnd: '10.0.0.7', gateway: '10.0.0.9' },
      { subnet: '10.0.1.0/29' },
    ],
    [{ subnet: 'fd00::/125', rangeStart: 'fd00::4' }],
  ],
};

/** A letter adds or removes a container; the outcome of each is told. */
const story = [
  '+a',
  '+b',
  '-a',
  '+c',
  '+d',
  '-b',
  '+a',
  '+e',
  '+a',
  '-c',
  '+f',
  '+g',
  '+h',
  '+i',
  '-d',
  '-e',
  '+j',
];

async function tell(actor: (step: number) => Allocator): Promise<readonly string[]> {
  const told: string[] = [];
  for (const [step, word] of story.entries()) {
    const id = word.slice(1);
    const one = actor(step);
    const outcome = word.startsWith('-')
      ? await one.del(id).then(() => 'gone')
      : await one.add(id).then(
          (addresses) => addresses.join(' '),
          () => 'refused',
        );
    told.push(`${word} ${outcome}`, ...contents());
  }
  return told;
}

(why === '' ? describe : describe.skip)(`beside the real host-local${why}`, () => {
  describe.each(Object.entries(layouts))('%s', (_, layout) => {
    const both = () => [ours(layout), theirs(layout)] as const;

    test('a full story ends in the same files after each step, whoever takes which', async () => {
      const [own, real] = both();
      const expected = await tell(() => real);
      expect(expected.some((line) => line.endsWith('refused'))).toBe(true);
      for (const actor of [
        () => own,
        (step: number) => (step % 2 === 0 ? own : real),
        (step: number) => (step % 2 === 0 ? real : own),
        (step: number) => (step % 3 === 0 ? own : real),
      ]) {
        rmSync(directory, { recursive: true });
        expect(await tell(actor)).toEqual(expected);
      }
    });

    test('each finds what the other gave out, and takes it away', async () => {
      for (const [giver, taker] of [both(), both().toReversed()] as readonly (readonly Allocator[])[]) {
        await giver?.add('one');
        expect([await giver?.has('one'), await taker?.has('one'), await taker?.has('two')]).toEqual([
          true,
          true,
          false,
        ]);
        await taker?.del('one');
        expect(await giver?.has('one')).toBe(false);
        expect(contents().filter((line) => !/^(lock|last_reserved)/.test(line))).toEqual([]);
      }
    });
  });

  test('a requested address is the last reserved one to both', async () => {
    const layout = layouts['dual stack'] ?? [];
    const expected = ['10.0.0.4 fd00::2', '10.0.0.5 fd00::6', '10.0.0.6 fd00::7'];
    for (const [first, second] of [
      [ours(layout), theirs(layout)],
      [theirs(layout), ours(layout)],
    ] as const) {
      rmSync(directory, { recursive: true, force: true });
      expect([
        (await first.add('a', ['10.0.0.4'])).join(' '),
        (await second.add('b', ['fd00::6'])).join(' '),
        (await first.add('c')).join(' '),
      ]).toEqual(expected);
      await expect(second.add('d', ['10.0.0.4'])).rejects.toThrow();
      await expect(first.add('d', ['10.0.0.1'])).rejects.toThrow();
      await expect(second.add('d', ['10.9.0.1'])).rejects.toThrow();
      expect(await first.has('d')).toBe(false);
    }
  });

  test('both wait for the same lock, and an empty file is taken to both', async () => {
    const layout = layouts['one subnet'] ?? [];
    await theirs(layout).add('a');
    const { ino } = statSync(join(directory, 'lock'));
    await ours(layout).add('b');
    expect(statSync(join(directory, 'lock')).ino).toBe(ino);
    writeFileSync(join(directory, '10.0.0.4'), '');
    expect(await ours(layout).add('c')).toEqual(['10.0.0.5']);
    writeFileSync(join(directory, 'last_reserved_ip.0'), '10.0.0.3');
    expect(await theirs(layout).add('d')).toEqual(['10.0.0.6']);
  });
});
