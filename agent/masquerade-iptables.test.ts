import { describe, expect, test } from '@jest/globals';
import { type IptablesTable, parseIptablesSave } from '../kernel/iptables/save-text.ts';
import { Prefix } from '../net/prefix.ts';
import type { MasqueradeFamily } from './masquerade-input.ts';
import { iptablesRestoreText, masqueradeChains } from './masquerade-iptables.ts';

const family: MasqueradeFamily = {
  family: 4,
  network: Prefix.parse('10.244.0.0/16'),
  subnet: Prefix.parse('10.244.1.0/24'),
  exclude: [Prefix.parse('192.168.0.0/16')],
};
const wanted = masqueradeChains(family, { randomFully: true, forward: true });

const nothing = new Map<string, IptablesTable>();

function state(nat: string, filter: string): ReadonlyMap<string, IptablesTable> {
  return new Map([
    ['nat', parseIptablesSave(nat, 'nat')],
    ['filter', parseIptablesSave(filter, 'filter')],
  ]);
}

const natBody = `-A NETLOOM-POSTRTG -m mark --mark 0x4000/0x4000 -j RETURN
-A NETLOOM-POSTRTG -s 10.244.1.0/24 -d 10.244.0.0/16 -j RETURN
-A NETLOOM-POSTRTG -s 10.244.0.0/16 -d 10.244.1.0/24 -j RETURN
-A NETLOOM-POSTRTG ! -s 10.244.0.0/16 -d 10.244.1.0/24 -j RETURN
-A NETLOOM-POSTRTG -s 10.244.0.0/16 -d 192.168.0.0/16 -j RETURN
-A NETLOOM-POSTRTG -s 10.244.0.0/16 ! -d 224.0.0.0/4 -j MASQUERADE --random-fully
-A NETLOOM-POSTRTG ! -s 10.244.0.0/16 -d 10.244.0.0/16 -j MASQUERADE --random-fully
`;
const natJump = '-A POSTROUTING -m comment --comment "netloom masquerade" -j NETLOOM-POSTRTG\n';
const filterBody = `-A NETLOOM-FWD -s 10.244.0.0/16 -j ACCEPT
-A NETLOOM-FWD -d 10.244.0.0/16 -j ACCEPT
`;
const filterJump = '-A FORWARD -m comment --comment "netloom forward" -j NETLOOM-FWD\n';
const savedNat = `*nat\n:POSTROUTING ACCEPT [0:0]\n:NETLOOM-POSTRTG - [0:0]\n-A POSTROUTING -j KUBE-POSTROUTING\n${natJump}${natBody}COMMIT\n`;
const savedFilter = `*filter\n:FORWARD DROP [0:0]\n:NETLOOM-FWD - [0:0]\n${filterJump}${filterBody}COMMIT\n`;

test('everything anew', () => {
  expect(iptablesRestoreText(wanted, nothing)).toBe(
    `*nat\n:NETLOOM-POSTRTG - [0:0]\n${natBody}${natJump}COMMIT\n*filter\n:NETLOOM-FWD - [0:0]\n${filterBody}${filterJump}COMMIT\n`,
  );
});

test('nothing when all is there', () => {
  expect(iptablesRestoreText(wanted, state(savedNat, savedFilter))).toBeUndefined();
});

describe('only the table that differs is written', () => {
  test.each([
    ['a rule is gone', savedNat.replace(/-A NETLOOM-POSTRTG -s 10.244.1.0.*\n/, ''), natBody],
    ['a rule too many', savedNat.replace('COMMIT', '-A NETLOOM-POSTRTG -j ACCEPT\nCOMMIT'), natBody],
    ['the jump is gone', savedNat.replace(natJump, ''), natBody + natJump],
    [
      'the jump is there twice',
      savedNat.replace(natJump, natJump + natJump),
      `${natBody}-D ${natJump.slice(3)}`,
    ],
    [
      'a jump without our mark',
      savedNat.replace(natJump, `-A POSTROUTING -j NETLOOM-POSTRTG\n${natJump}`),
      `${natBody}-D POSTROUTING -j NETLOOM-POSTRTG\n`,
    ],
  ])('%s', (_, nat, body) => {
    expect(iptablesRestoreText(wanted, state(nat, savedFilter))).toBe(
      `*nat\n:NETLOOM-POSTRTG - [0:0]\n${body}COMMIT\n`,
    );
  });
});

test('without wishes our chains go and the others stay', () => {
  expect(iptablesRestoreText([], state(savedNat, savedFilter))).toBe(
    `*nat\n:NETLOOM-POSTRTG - [0:0]\n-D ${natJump.slice(3)}-X NETLOOM-POSTRTG\nCOMMIT\n*filter\n:NETLOOM-FWD - [0:0]\n-D ${filterJump.slice(3)}-X NETLOOM-FWD\nCOMMIT\n`,
  );
  expect(iptablesRestoreText([], nothing)).toBeUndefined();
});

test('IPv6 has its own multicast, and forward rules are a choice', () => {
  const chains = masqueradeChains(
    {
      family: 6,
      network: Prefix.parse('fd00:244::/48'),
      subnet: Prefix.parse('fd00:244:0:1::/64'),
      exclude: [],
    },
    { randomFully: false, forward: false },
  );
  expect(chains.map(({ chain }) => chain)).toEqual(['NETLOOM-POSTRTG']);
  expect(chains[0]?.rules.slice(4)).toEqual([
    '-A NETLOOM-POSTRTG -s fd00:244::/48 ! -d ff00::/8 -j MASQUERADE',
    '-A NETLOOM-POSTRTG ! -s fd00:244::/48 -d fd00:244::/48 -j MASQUERADE',
  ]);
});
