// What flannel leaves in the firewall, as the kernel holds it in each of its forms: taken away when it is flannel's to the letter, and left
// with a word when somebody has made it his own, or pods would be cut off.
import { execFileSync } from 'node:child_process';
import { afterEach, beforeEach, describe, expect, test } from '@jest/globals';
import { createFlannelRules } from '../../agent/flannel/flannel-rules.ts';
import { createIptablesFirewall } from '../../agent/iptables-firewall.ts';
import { Prefix } from '../../net/prefix.ts';
import { type TestNetns, testNetns } from '../sandbox.ts';
import { flannelIptables, flannelNftables } from './flannel-rules-text.ts';

const { signal } = new AbortController();
const place = { network: '10.244.0.0/16', subnet: '10.244.1.0/24' };

let node: TestNetns;
beforeEach(() => {
  node = testNetns();
});
afterEach(() => node[Symbol.dispose]());

function inside(command: string, input = ''): string {
  return execFileSync('ip', ['netns', 'exec', node.name, ...command.split(' ')], {
    encoding: 'utf8',
    input,
    stdio: ['pipe', 'pipe', 'pipe'],
  });
}

const look = () => createFlannelRules({ netns: node.netns }).takeAway({ signal, thorough: false });

function makeChains(program: string): void {
  inside(`${program} -t nat -N FLANNEL-POSTRTG`);
  inside(`${program} -t filter -N FLANNEL-FWD`);
  inside(`${program}-restore --noflush`, flannelIptables(place));
}

test('a node that never had flannel is not touched, and no table is made by looking', async () => {
  expect(await look()).toEqual({ removed: [], left: [] });
  expect(inside('nft list ruleset')).toBe('');
});

describe.each(['iptables-nft', 'iptables-legacy'])('%s', (program) => {
  const variant = program.replace('iptables-', '');

  test('flannel’s chains go, the rest stays', async () => {
    inside(`${program} -t nat -A POSTROUTING -s 172.17.0.0/16 -j MASQUERADE`);
    const before = inside(`${program}-save`);
    makeChains(program);
    const { removed, left } = await look();
    expect({ removed, left }).toEqual({
      removed: [
        `iptables chain FLANNEL-POSTRTG (IPv4 nat, ${variant})`,
        `iptables chain FLANNEL-FWD (IPv4 filter, ${variant})`,
      ],
      left: [],
    });
    const lines = (text: string) =>
      text.split('\n').filter((line) => line.startsWith('-A') || /^:(FLANNEL|KUBE)/.test(line));
    expect(lines(inside(`${program}-save`))).toEqual(lines(before));
  });

  test('what is another’s stays', async () => {
    makeChains(program);
    inside(`${program} -t nat -A FLANNEL-POSTRTG -s 10.0.0.0/8 -j ACCEPT`);
    inside(`${program} -P FORWARD DROP`);
    const before = inside(`${program}-save -t nat`).replace(/^#.*\n/gm, '');
    const { removed, left } = await look();
    expect(removed).toEqual([]);
    expect(left).toEqual([
      expect.stringContaining('rule "-A FLANNEL-POSTRTG -s 10.0.0.0/8 -j ACCEPT" is not flannel'),
      expect.stringContaining('policy DROP of FORWARD would drop'),
    ]);
    expect(inside(`${program}-save -t nat`).replace(/^#.*\n/gm, '')).toBe(before);
  });
});

test('where FORWARD drops, ours in iptables takes the place of flannel’s', async () => {
  makeChains('iptables-nft');
  inside('iptables-nft -P FORWARD DROP');
  const firewall = createIptablesFirewall({ netns: node.netns });
  const families = [
    { family: 4, network: Prefix.parse(place.network), subnet: Prefix.parse(place.subnet), exclude: [] },
  ] as const;
  await firewall.ensure({ families, randomFully: true, forward: true }, { signal, thorough: true });
  expect((await look()).left).toEqual([]);
  const saved = inside('iptables-nft-save');
  expect(saved).not.toContain('FLANNEL');
  expect(saved).toContain('-A FORWARD -m comment --comment "netloom forward" -j NETLOOM-FWD');
  expect(saved.match(/-j MASQUERADE/g)).toHaveLength(2);
  firewall.close();
});

describe('nftables', () => {
  test('flannel’s tables go, the rest stays', async () => {
    inside(
      'nft -f -',
      'table inet other { chain postrtg { type nat hook postrouting priority srcnat; }; }\n',
    );
    const before = inside('nft list ruleset');
    inside('nft -f -', flannelNftables(place));
    expect(await look()).toEqual({
      removed: ['nftables table ip flannel-ipv4', 'nftables table ip6 flannel-ipv6'],
      left: [],
    });
    expect(inside('nft list ruleset')).toBe(before);
  });

  test.each([
    'add rule ip flannel-ipv4 forward ip saddr 10.9.0.0/16 drop',
    'add rule ip flannel-ipv4 postrtg oifname "eth1" ip saddr 10.9.0.0/16 return',
    'add chain ip flannel-ipv4 mine',
    'add set ip flannel-ipv4 mine { type ipv4_addr; }',
  ])('what is another’s stays: %s', async (line) => {
    inside('nft -f -', flannelNftables(place));
    inside('nft -f -', `${line}\n`);
    const { removed, left } = await look();
    expect(removed).toEqual(['nftables table ip6 flannel-ipv6']);
    expect(left).toEqual([expect.stringMatching(/^nftables table ip flannel-ipv4: .* is not flannel's$/)]);
    expect(inside('nft list table ip flannel-ipv4')).toContain('masquerade');
  });
});

test('it looks again, thoroughly, as long as somebody puts them back', async () => {
  const rules = createFlannelRules({ netns: node.netns });
  makeChains('iptables-nft');
  expect((await rules.takeAway({ signal, thorough: false })).removed).toHaveLength(2);
  makeChains('iptables-nft');
  expect((await rules.takeAway({ signal, thorough: false })).removed).toEqual([]);
  expect((await rules.takeAway({ signal, thorough: true })).removed).toHaveLength(2);
  expect((await rules.takeAway({ signal, thorough: true })).removed).toEqual([]);
  makeChains('iptables-nft');
  expect((await rules.takeAway({ signal, thorough: true })).removed).toEqual([]);
});
