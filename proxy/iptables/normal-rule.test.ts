import { describe, expect, test } from '@jest/globals';
import { normalRule } from './normal-rule.ts';

// As written by us or kube-proxy, and as iptables-save 1.8.9 prints it.
const spellings: readonly (readonly [string, string])[] = [
  [
    '-m comment --comment "ns1/svc1:p80 cluster IP" -m tcp -p tcp -d 172.30.0.41 --dport 80 -j KUBE-SVC-X',
    '-d 172.30.0.41/32 -p tcp -m comment --comment "ns1/svc1:p80 cluster IP" -m tcp --dport 80 -j KUBE-SVC-X',
  ],
  [
    '-m comment --comment ns1/svc1:p80 -s fd00::1 -j KUBE-MARK-MASQ',
    '-s fd00::1/128 -m comment --comment "ns1/svc1:p80" -j KUBE-MARK-MASQ',
  ],
  ['-m mark ! --mark 0x00004000/0x00004000 -j RETURN', '-m mark ! --mark 0x4000/0x4000 -j RETURN'],
  ['-j MARK --xor-mark 0x00004000', '-j MARK --set-xmark 0x4000/0x0'],
  ['-j MARK --or-mark 0x4000', '-j MARK --set-xmark 0x4000/0x4000'],
  [
    '-m statistic --mode random --probability 0.3333333333 -j KUBE-SEP-A',
    '-m statistic --mode random --probability 0.33333333349 -j KUBE-SEP-A',
  ],
  [
    '-m recent --name KUBE-SEP-A --rcheck --seconds 10800 --reap -j KUBE-SEP-A',
    '-m recent --rcheck --seconds 10800 --reap --name KUBE-SEP-A --mask 255.255.255.255 --rsource -j KUBE-SEP-A',
  ],
  [
    '-m recent --name KUBE-SEP-A --set -m tcp -p tcp -j DNAT --to-destination [fd00::1]:80',
    '-p tcp -m recent --set --name KUBE-SEP-A --mask ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff --rsource -m tcp -j DNAT --to-destination [fd00::1]:80',
  ],
  [
    '-m tcp -p tcp -d 10.0.0.1 --dport 80 -j REJECT',
    '-d 10.0.0.1/32 -p tcp -m tcp --dport 80 -j REJECT --reject-with icmp-port-unreachable',
  ],
  [
    '-m comment --comment "block incoming localnet connections" -d 127.0.0.0/8 ! -s 127.0.0.0/8 -m conntrack ! --ctstate RELATED,ESTABLISHED,DNAT -j DROP',
    '! -s 127.0.0.0/8 -d 127.0.0.0/8 -m comment --comment "block incoming localnet connections" -m conntrack ! --ctstate RELATED,ESTABLISHED,DNAT -j DROP',
  ],
  [
    '-m addrtype --dst-type LOCAL ! -d ::1/128 -j KUBE-NODEPORTS',
    '! -d ::1/128 -m addrtype --dst-type LOCAL -j KUBE-NODEPORTS',
  ],
  ['-m comment --comment "x" -s 0.0.0.0/0 -j A', '-m comment --comment x -j A'],
  ['-s 10.0.0.7/8 -j A', '-s 10.0.0.0/8 -j A'],
  ['-m comment --comment "- a -j B" -j A', '-m comment --comment "- a -j B" -j A'],
];

describe('normalRule', () => {
  test.each(spellings)('%s', (written, saved) => {
    expect(normalRule(saved)).toBe(normalRule(written));
  });

  test('tells rules that differ', () => {
    const rules = [
      '-j A',
      '-j B',
      '-s 10.0.0.1 -j A',
      '! -s 10.0.0.1 -j A',
      '-d 10.0.0.1 -j A',
      '-s 10.0.0.2 -j A',
      '-s 10.0.0.0/31 -j A',
      '-p tcp -m tcp --dport 80 -j A',
      '-p udp -m udp --dport 80 -j A',
      '-p tcp -m tcp --dport 81 -j A',
      '-m comment --comment "a b" -j A',
      '-m comment --comment "a c" -j A',
      '-m comment --comment "a c"',
      '-m statistic --mode random --probability 0.33333 -j A',
      '-m statistic --mode random --probability 0.3333333333 -j A',
      '-m recent --rcheck --seconds 10 --reap --name A -j A',
      '-m recent --rcheck --seconds 11 --reap --name A -j A',
      '-m recent --set --name A -j A',
      '-m recent --set --name B -j A',
      '-j MARK --or-mark 0x4000',
      '-j MARK --xor-mark 0x4000',
      '-m mark --mark 0x4000/0x4000 -j A',
      '-m mark ! --mark 0x4000/0x4000 -j A',
      '-m mark --mark 0x4000 -j A',
      '-m conntrack --ctstate NEW -j A',
      '-m conntrack ! --ctstate NEW -j A',
      '-i br0 -j A',
      '! -i br0 -j A',
      '-i br0+ -j A',
      '-j MASQUERADE',
      '-j MASQUERADE --random-fully',
      '-s 0.0.0.0/0 -j C',
      '! -s 0.0.0.0/0 -j C',
      '-j REJECT',
      '-j REJECT --reject-with tcp-reset',
    ];
    expect(new Set(rules.map(normalRule)).size).toBe(rules.length);
  });
});
