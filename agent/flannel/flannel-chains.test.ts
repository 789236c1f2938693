import { describe, expect, test } from '@jest/globals';
import { parseIptablesSave } from '../../kernel/iptables/save-text.ts';
import { findFlannelChain } from './flannel-chains.ts';

const masq = '-m comment --comment "flanneld masq"';
const natRules = `-A FLANNEL-POSTRTG -m mark --mark 0x4000/0x4000 ${masq} -j RETURN
-A FLANNEL-POSTRTG -s 10.244.1.0/24 -d 10.244.0.0/16 ${masq} -j RETURN
-A FLANNEL-POSTRTG -s 10.244.0.0/16 -d 10.244.1.0/24 ${masq} -j RETURN
-A FLANNEL-POSTRTG ! -s 10.244.0.0/16 -d 10.244.1.0/24 ${masq} -j RETURN
-A FLANNEL-POSTRTG -s 10.244.0.0/16 ! -d 224.0.0.0/4 ${masq} -j MASQUERADE --random-fully
-A FLANNEL-POSTRTG ! -s 10.244.0.0/16 -d 10.244.0.0/16 ${masq} -j MASQUERADE --random-fully
`;
const nat = `*nat
:PREROUTING ACCEPT [0:0]
:POSTROUTING ACCEPT [0:0]
:FLANNEL-POSTRTG - [0:0]
-A POSTROUTING -m comment --comment "kubernetes postrouting rules" -j KUBE-POSTROUTING
-A POSTROUTING ${masq} -j FLANNEL-POSTRTG
${natRules}COMMIT
`;
const forward = '-m comment --comment "flanneld forward"';
const filter = `*filter
:FORWARD ACCEPT [0:0]
:FLANNEL-FWD - [0:0]
-A FORWARD -j KUBE-FORWARD
-A FORWARD ${forward} -j FLANNEL-FWD
-A FLANNEL-FWD -s 10.244.0.0/16 ${forward} -j ACCEPT
-A FLANNEL-FWD -d 10.244.0.0/16 ${forward} -j ACCEPT
-A KUBE-FORWARD -m conntrack --ctstate INVALID -j DROP
COMMIT
`;

const find = (table: string, text: string) => findFlannelChain(parseIptablesSave(text, table));

const natRemoval = `*nat\n:FLANNEL-POSTRTG - [0:0]\n-D POSTROUTING ${masq} -j FLANNEL-POSTRTG\n-X FLANNEL-POSTRTG\nCOMMIT\n`;

describe('what is exactly flannel’s goes, in one transaction', () => {
  test.each([
    ['as it made it', nat, natRemoval],
    ['without --random-fully', nat.replaceAll(' --random-fully', ''), natRemoval],
    ['half of it', nat.replace(/-A FLANNEL-POSTRTG -s .*\n/g, ''), natRemoval],
    ['of another network', nat.replaceAll('10.244.', '10.5.'), natRemoval],
    [
      'of IPv6',
      nat
        .replaceAll('10.244.0.0/16', 'fd00:244::/48')
        .replaceAll('10.244.1.0/24', 'fd00:244:0:1::/64')
        .replace('224.0.0.0/4', 'ff00::/8'),
      natRemoval,
    ],
    [
      'with a jump twice',
      nat.replace('COMMIT', `-A POSTROUTING ${masq} -j FLANNEL-POSTRTG\nCOMMIT`),
      natRemoval.replace(/(-D .*\n)/, '$1$1'),
    ],
    [
      'without a jump',
      nat.replace(`-A POSTROUTING ${masq} -j FLANNEL-POSTRTG\n`, ''),
      '*nat\n:FLANNEL-POSTRTG - [0:0]\n-X FLANNEL-POSTRTG\nCOMMIT\n',
    ],
  ])('%s', (_, saved, text) => {
    expect(find('nat', saved)).toEqual({ kind: 'removable', chain: 'FLANNEL-POSTRTG', text });
  });

  test('acceptance of what is forwarded', () => {
    expect(find('filter', filter)).toEqual({
      kind: 'removable',
      chain: 'FLANNEL-FWD',
      text: `*filter\n:FLANNEL-FWD - [0:0]\n-D FORWARD ${forward} -j FLANNEL-FWD\n-X FLANNEL-FWD\nCOMMIT\n`,
    });
  });
});

test('nothing of flannel', () => {
  expect(find('nat', nat.replace(':FLANNEL-POSTRTG - [0:0]\n', ''))).toEqual({ kind: 'none' });
  expect(find('mangle', '*mangle\nCOMMIT\n')).toEqual({ kind: 'none' });
});

describe('what somebody made of it stays', () => {
  test.each([
    ['a rule of his own', nat.replace('COMMIT', '-A FLANNEL-POSTRTG -s 10.0.0.0/8 -j ACCEPT\nCOMMIT')],
    [
      'a rule without the comment',
      nat.replace(`-d 10.244.1.0/24 ${masq} -j RETURN`, '-d 10.244.1.0/24 -j RETURN'),
    ],
    ['another target', nat.replace('-j MASQUERADE --random-fully', '-j SNAT --to-source 192.0.2.9')],
    ['a way in from elsewhere', nat.replace('COMMIT', '-A OUTPUT -j FLANNEL-POSTRTG\nCOMMIT')],
    [
      'a way in that is narrower',
      nat.replace(
        '-A POSTROUTING -m comment --comment "flanneld',
        '-A POSTROUTING -o eth0 -m comment --comment "flanneld',
      ),
    ],
    ['a goto', nat.replace('COMMIT', '-A POSTROUTING -g FLANNEL-POSTRTG\nCOMMIT')],
  ])('%s', (_, saved) => {
    expect(find('nat', saved)).toMatchObject({
      kind: 'kept',
      why: expect.stringContaining("is not flannel's"),
    });
  });
});

describe('acceptance stays as long as pods’ packets would be dropped without it', () => {
  const drop = filter.replace(':FORWARD ACCEPT', ':FORWARD DROP');
  const behind = (text: string, rule: string) =>
    text.replace(`${forward} -j FLANNEL-FWD\n`, `${forward} -j FLANNEL-FWD\n${rule}\n`);
  const ours = '-A FORWARD -m comment --comment "netloom forward" -j NETLOOM-FWD';
  test.each([
    ['policy DROP', drop, /policy DROP of FORWARD/],
    ['a rule behind it', behind(filter, '-A FORWARD -j REJECT'), /would meet "-A FORWARD -j REJECT"/],
    ['a rule between it and ours', behind(behind(drop, ours), '-A FORWARD -j REJECT'), /REJECT/],
  ])('%s', (_, saved, why) => {
    expect(find('filter', saved)).toMatchObject({ kind: 'kept', why: expect.stringMatching(why) });
  });

  test('ours behind it accepts as well', () => {
    expect(find('filter', behind(drop, ours)).kind).toBe('removable');
  });
});
