// ipset on the real kernel. The oracle is the program `ipset`: it prints what the driver wrote, and the driver reads what the program
// wrote from the text of the same steps.
import { execFileSync } from 'node:child_process';
import { afterEach, beforeAll, beforeEach, describe, expect, test } from '@jest/globals';
import { openIpset } from '../../kernel/ipset/driver.ts';
import { clusterIps, nodePorts, show, states } from '../../kernel/ipset/driver-cases.ts';
import {
  type IpsetAccess,
  type IpsetEntry,
  type IpsetStep,
  ipsetEntries,
} from '../../kernel/ipset/objects.ts';
import type { WantedIpset } from '../../kernel/ipset/plan.ts';
import { ipsetStepText } from '../../kernel/ipset/text.ts';
import { openIptables } from '../../kernel/iptables/driver.ts';
import { IpAddress } from '../../net/address.ts';
import { failures, ipsetDriverSuite, planned, reconcile } from '../ipset/driver-suite.ts';
import { refuseRoot, type TestNetns, testNetns } from '../sandbox.ts';

let place: TestNetns;
let access: IpsetAccess;

beforeAll(refuseRoot);

function open() {
  place = testNetns();
  access = openIpset({ netns: place.netns });
  return { access, close };
}

function close(): void {
  access.close();
  place[Symbol.dispose]();
}

describe('the kernel, as every driver', () => ipsetDriverSuite(open));

function tinyAddresses(count: number, third = 0): readonly IpsetEntry[] {
  return Array.from({ length: count }, (_, i) => ({
    address: IpAddress.parse(`10.${third + (i >> 16)}.${(i >> 8) & 255}.${i & 255}`),
    protocol: 'tcp',
    port: 80,
  }));
}

describe('the kernel', () => {
  beforeEach(() => void open());
  afterEach(close);

  test('sees only the sets of its own namespace', () => {
    reconcile(access, states[2]);
    using other = testNetns();
    const there = openIpset({ netns: other.netns });
    expect(there.headers()).toEqual([]);
    there.close();
  });

  test('ten thousand entries, some of them refused', () => {
    const set = { ...clusterIps, maxElements: 10_000 };
    const entries = tinyAddresses(10_020);
    const results = access.apply([
      { kind: 'set-create', set },
      ...entries.map((entry): IpsetStep => ({ kind: 'entry-add', set, entry })),
    ]);
    // Which of them the kernel counts at the limit differs a little: it has several counters in a large table.
    const refused = failures(results);
    expect(refused.length).toBeLessThanOrEqual(20);
    expect(new Set(refused.map((text) => text.replace(/^.*": /, '')))).toEqual(
      new Set(['the set is full (IPSET_ERR_HASH_FULL): it holds at most 10000 entries']),
    );
    const done = results.flatMap(({ step, error }) =>
      step.kind === 'entry-add' && error === undefined ? [step.entry] : [],
    );
    const expected = [...ipsetEntries(done).keys()].sort();
    expect([...ipsetEntries(access.entries(set.name) ?? []).keys()].sort()).toEqual(expected);
    const slices = [...access.entrySlices(set.name)];
    expect(slices.length).toBeGreaterThan(1);
    expect([...ipsetEntries(slices.flat()).keys()].sort()).toEqual(expected);
    expect(failures(access.apply(done.map((entry) => ({ kind: 'entry-delete', set, entry }))))).toEqual([]);
    expect(access.entries(set.name)).toEqual([]);
  });

  test('a dump that is not read to its end', () => {
    const set = clusterIps;
    access.apply([{ kind: 'set-create', set }]);
    access.apply(tinyAddresses(3000).map((entry) => ({ kind: 'entry-add', set, entry })));
    for (const slice of access.entrySlices(set.name)) {
      expect(slice.length).toBeGreaterThan(0);
      break;
    }
    expect(access.entries(set.name)).toHaveLength(3000);
    expect(failures(access.apply([{ kind: 'set-destroy', name: set.name }]))).toEqual([]);
  });

  test('a set grows under a rule that asks it, and stays while it does', async () => {
    const wanted = (count: number): readonly WantedIpset[] => [
      { set: { ...clusterIps, maxElements: 4 }, entries: ipsetEntries(tinyAddresses(count)) },
    ];
    expect(failures(access.apply(planned(access, wanted(2))))).toEqual([]);
    const iptables = openIptables({ family: 4, netns: place.netns });
    await iptables.restore('*filter\n-A INPUT -m set --match-set KUBE-CLUSTER-IP dst,dst -j DROP\nCOMMIT\n');
    expect(access.headers()).toMatchObject([{ maxElements: 4, references: 1 }]);
    expect(failures(access.apply(planned(access, wanted(100))))).toEqual([]);
    expect(access.headers()).toMatchObject([{ name: clusterIps.name, maxElements: 128, references: 1 }]);
    expect(planned(access, wanted(100))).toEqual([]);
    expect(failures(access.apply(planned(access, [])))).toEqual([
      'Cannot destroy set "KUBE-CLUSTER-IP": it is in use by a rule or by another set (IPSET_ERR_BUSY)',
    ]);
    await iptables.restore('*filter\n-F INPUT\nCOMMIT\n');
    expect(failures(access.apply(planned(access, [])))).toEqual([]);
    expect(access.headers()).toEqual([]);
  });
});

const program = ['/sbin/ipset', '/usr/sbin/ipset'].find((path) => {
  try {
    execFileSync(path, ['--version']);
    return true;
  } catch {
    return false;
  }
});

const name = 'beside the program ipset';
(program === undefined ? describe.skip : describe)(
  program === undefined ? `${name}: it is missing` : name,
  () => {
    beforeEach(() => void open());
    afterEach(close);

    function ipset(...words: readonly string[]): string {
      return execFileSync('ip', ['netns', 'exec', place.name, program ?? 'ipset', ...words], {
        encoding: 'utf8',
      });
    }

    test.each(states.map((state) => [state.name, state] as const))(
      'it prints what we wrote: %s',
      (_, state) => {
        reconcile(access, state);
        const saved = ipset('save')
          .split('\n')
          .filter((line) => line !== '')
          .map((line) => line.replace(/ (range|hashsize) .*/, ''));
        expect(saved.sort()).toEqual(state.shown);
      },
    );

    test.each(states.map((state) => [state.name, state] as const))(
      'we read what it wrote: %s',
      (_, state) => {
        for (const step of planned(access, state.wanted)) ipset(...ipsetStepText(step).split(' ').slice(1));
        expect(show(access)).toEqual(state.shown);
        expect(planned(access, state.wanted)).toEqual([]);
      },
    );

    test('its sets with other options are replaced by ours', () => {
      ipset('create', nodePorts.name, 'bitmap:port', 'range', '0-1023');
      ipset('create', clusterIps.name, 'hash:ip,port', 'timeout', '60', 'comment');
      ipset('add', clusterIps.name, '10.0.0.1,tcp:80', 'comment', 'a comment');
      ipset('add', clusterIps.name, '10.0.0.1,icmp:echo-request');
      ipset('create', 'STRANGER', 'hash:net,iface', 'counters');
      expect(access.headers().map(({ name, isPlain }) => [name, isPlain])).toEqual(
        expect.arrayContaining([
          [nodePorts.name, false],
          [clusterIps.name, false],
          ['STRANGER', false],
        ]),
      );
      expect(() => access.entries('STRANGER')).toThrow(/its type is "hash:net,iface"/);
      reconcile(access, states[4]);
      expect(ipset('list', '-n').split('\n')).toContain('STRANGER');
    });
  },
);
