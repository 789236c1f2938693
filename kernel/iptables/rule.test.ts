// What rule-parse.ts reads and rule-text.ts prints, beside what iptables 1.8.9 (nft and legacy) printed of the same lines.
import { describe, expect, test } from '@jest/globals';
import fc from 'fast-check';
import { type Family, IpAddress } from '../../net/address.ts';
import { Prefix } from '../../net/prefix.ts';
import { ruleOf } from '../../test/iptables/arbitrary.ts';
import { parseRule } from './rule-parse.ts';
import { ruleLine, ruleText } from './rule-text.ts';
import { splitWords } from './words.ts';

const read = (text: string, family: Family = 4) => parseRule(splitWords(text), family);

/** Printed as they were given. */
const canonical4 = [
  '',
  '-j ACCEPT',
  '-s 10.0.0.1/32 ! -d 10.0.0.0/8 -j ACCEPT',
  '-i cni0 ! -o eth+ -j ACCEPT',
  '! -p udp -j DROP',
  '-p 199 -j RETURN',
  '-p sctp -m sctp --sport 53 ! --dport 60:61 -j ACCEPT',
  '-p tcp -m tcp -j ACCEPT',
  '-m comment --comment "" -j ACCEPT',
  '-m comment --comment "ns1/svc_1-a.b:p80" -j ACCEPT',
  '-m comment --comment "quo\\"te \\\' and \\\\ back" -j ACCEPT',
  '-m comment --comment one -m comment --comment two',
  '-m conntrack --ctstate INVALID,NEW,RELATED,ESTABLISHED,UNTRACKED,SNAT,DNAT -j ACCEPT',
  '-p tcp -m conntrack --ctstate DNAT --ctorigdstport 80 -m tcp --dport 8080 -j ACCEPT',
  '-p tcp -m conntrack ! --ctorigdstport 80:90 -j ACCEPT',
  '-m mark ! --mark 0x4000/0x4000 -j RETURN',
  '-m mark --mark 0x8/0x4 -j ACCEPT',
  '-m addrtype --src-type LOCAL ! --dst-type UNICAST,LOCAL -j ACCEPT',
  '-m statistic --mode random ! --probability 0.25000000000 -j ACCEPT',
  '-m recent ! --rcheck --seconds 5 --name X --mask 255.255.255.255 --rdest -j ACCEPT',
  '-p tcp -j REJECT --reject-with tcp-reset',
  '-m set --match-set KUBE-LOOP-BACK dst,dst,src -j MASQUERADE',
  '-m set ! --match-set KUBE-NODE-PORT-TCP dst -m set --match-set KUBE.1,2 src,src -j DROP',
  '-m physdev ! --physdev-is-in -m addrtype ! --src-type LOCAL -j ACCEPT',
  '-m ipvs --ipvs -j ACCEPT',
  '-m ipvs ! --ipvs -j ACCEPT',
  '-s 192.0.2.1/32 -m ipvs --vproto 6 --vaddr 192.0.2.1 ! --vport 80 -j DROP',
  '-m ipvs ! --vaddr 10.0.0.0/8 -j DROP',
  '-j MARK --set-xmark 0x5/0xf',
  '-j MASQUERADE --random-fully',
  '-j DNAT --to-destination 10.0.0.1',
  '-p udp -j DNAT --to-destination 10.0.0.1:80',
  '-j NETMAP --to 10.0.0.0/8',
  '-j NETMAP --to 0.0.0.0/0',
  '-g KUBE-SVC-A',
  '-j KUBE-SVC-A',
];

/** Given, printed. */
const spelt4: readonly (readonly [string, string])[] = [
  ['-s 10.1.2.3/16 -d 0.0.0.0/0 -i + -p all -j ACCEPT', '-s 10.1.0.0/16 -j ACCEPT'],
  ['--src 10.0.0.1 --jump ACCEPT', '-s 10.0.0.1/32 -j ACCEPT'],
  ['-p 6 -j ACCEPT', '-p tcp -j ACCEPT'],
  ['-p 47', '-p gre'],
  ['-p TCP --dport 80', '-p tcp -m tcp --dport 80'],
  ['-p tcp -m tcp ! --sport 5 --dport 80:', '-p tcp -m tcp ! --sport 5 --dport 80:65535'],
  ['-p udp -m udp --dport :53 --sport 54', '-p udp -m udp --sport 54 --dport 0:53'],
  ['-p tcp -m tcp --dport 0:65535', '-p tcp -m tcp'],
  [
    '-m comment --comment "two words" -m tcp -p tcp -d 10.0.0.1/32 --dport 80 -j ACCEPT',
    '-d 10.0.0.1/32 -p tcp -m comment --comment "two words" -m tcp --dport 80 -j ACCEPT',
  ],
  [
    '-m comment --comment "S -> 10.0.0.1:80" -m recent --name KUBE-SEP-E --rcheck --seconds 10800 --reap -j KUBE-SEP-E',
    '-m comment --comment "S -> 10.0.0.1:80" -m recent --rcheck --seconds 10800 --reap --name KUBE-SEP-E --mask 255.255.255.255 --rsource -j KUBE-SEP-E',
  ],
  [
    '-m recent --name KUBE-SEP-E --set -m tcp -p tcp -j DNAT --to-destination 10.0.0.1:80',
    '-p tcp -m recent --set --name KUBE-SEP-E --mask 255.255.255.255 --rsource -m tcp -j DNAT --to-destination 10.0.0.1:80',
  ],
  ['-m recent --rcheck', '-m recent --rcheck --name DEFAULT --mask 255.255.255.255 --rsource'],
  ['-m conntrack ! --ctstate ESTABLISHED,RELATED,DNAT', '-m conntrack ! --ctstate RELATED,ESTABLISHED,DNAT'],
  ['-m mark --mark 0x004000/0x004000', '-m mark --mark 0x4000/0x4000'],
  ['-m mark --mark 5/0xffffffff', '-m mark --mark 0x5'],
  [
    '-m statistic --mode random --probability 0.3333333333',
    '-m statistic --mode random --probability 0.33333333349',
  ],
  [
    '-m statistic --mode random --probability 0.0009990010',
    '-m statistic --mode random --probability 0.00099900085',
  ],
  ['-m statistic --mode random --probability 1', '-m statistic --mode random --probability 1.00000000000'],
  ['-j MARK --or-mark 0x004000', '-j MARK --set-xmark 0x4000/0x4000'],
  ['-j MARK --xor-mark 0x004000', '-j MARK --set-xmark 0x4000/0x0'],
  ['-j MARK --and-mark 0xffffbfff', '-j MARK --set-xmark 0x0/0x4000'],
  ['-j MARK --set-mark 5', '-j MARK --set-xmark 0x5/0xffffffff'],
  ['-j MARK --set-mark 5/0xf', '-j MARK --set-xmark 0x5/0xf'],
  ['-j REJECT', '-j REJECT --reject-with icmp-port-unreachable'],
];

const spelt6: readonly (readonly [string, string])[] = [
  ['-s fd00::1 -d ::/0', '-s fd00::1/128'],
  ['-m tcp -p tcp -d fd00:10:0:0:1::5 --dport 80', '-d fd00:10::1:0:0:5/128 -p tcp -m tcp --dport 80'],
  ['! -d ::1/128 -m addrtype --dst-type LOCAL', '! -d ::1/128 -m addrtype --dst-type LOCAL'],
  ['-p icmpv6', '-p ipv6-icmp'],
  [
    '-m recent --name X --set',
    '-m recent --set --name X --mask ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff --rsource',
  ],
  ['-m set --match-set KUBE-6-A dst,src -j DROP', '-m set --match-set KUBE-6-A dst,src -j DROP'],
  ['-m ipvs --vaddr fd00::1/128 --vproto tcp', '-m ipvs --vproto 6 --vaddr fd00::1'],
  ['-j REJECT', '-j REJECT --reject-with icmp6-port-unreachable'],
  ['-p tcp -j DNAT --to-destination [fd00::1]:80', '-p tcp -j DNAT --to-destination [fd00::1]:80'],
  ['-j DNAT --to-destination fd00::1', '-j DNAT --to-destination fd00::1'],
];

describe('parseRule and ruleText', () => {
  test.each(canonical4)('%s', (text) => {
    expect(ruleText(read(text))).toBe(text);
  });
  test.each(spelt4)('%s', (given, printed) => {
    expect(ruleText(read(given))).toBe(printed);
    expect(ruleText(read(printed))).toBe(printed);
  });
  test.each(spelt6)('IPv6 %s', (given, printed) => {
    expect(ruleText(read(given, 6))).toBe(printed);
    expect(ruleText(read(printed, 6))).toBe(printed);
  });

  test.each([4, 6] as const)('any rule of IPv%i', (family) => {
    fc.assert(
      fc.property(ruleOf({ family, table: 'nat', chains: ['KUBE-A', 'KUBE-B'] }), (rule) => {
        expect(read(ruleText(rule), family)).toEqual(rule);
      }),
    );
  });

  test('makes values', () => {
    expect(
      read(
        '! -s 10.0.0.0/8 -p tcp -m comment --comment "a b" --dport 80 -j DNAT --to-destination 10.0.0.1:8080',
      ),
    ).toEqual({
      source: { value: Prefix.parse('10.0.0.0/8'), not: true },
      protocol: { value: 6, not: false },
      matches: [
        { kind: 'comment', text: 'a b' },
        { kind: 'ports', protocol: 'tcp', destination: { value: { first: 80, last: 80 }, not: false } },
      ],
      target: { kind: 'dnat', address: IpAddress.parse('10.0.0.1'), port: 8080 },
    });
    expect(ruleLine('A', read(''))).toBe('-A A');
    expect(ruleLine('A', read('-g B'))).toBe('-A A -g B');
  });

  test.each([
    ['-m nfacct --nfacct-name x', /"nfacct"/],
    ['-m mark --zzz 1', /"--zzz"/],
    ['--dport 80', /"--dport"/],
    ['-m tcp --dport 80', /match tcp without -p tcp/],
    ['! -p tcp -m tcp --dport 80', /match tcp without -p tcp/],
    ['-p tcp -m udp --dport 80', /match udp without -p udp/],
    ['-s 10.0.0.256', /"10\.0\.0\.256"/],
    ['-s fd00::1', /"fd00::1" as an IPv4/],
    ['! -s 0.0.0.0/0', /nothing would match/],
    ['-p tcp -p udp', /-p twice/],
    ['-p nope', /"nope"/],
    ['-j ACCEPT -j DROP', /there is a target/],
    ['! -j ACCEPT', /negate -j/],
    ['-m comment ! --comment x', /negate --comment/],
    ['-m mark', /without --mark/],
    ['-m mark --mark 0x100000000', /"0x100000000"/],
    ['-m mark --mark 1/2/3', /VALUE\/MASK/],
    ['-m mark --mark 010', /"010"/],
    ['-m conntrack', /conntrack without an option/],
    ['-m conntrack --ctstate NEW,NEVER', /"NEVER"/],
    ['-m addrtype', /without --src-type/],
    ['-m statistic --mode nth --probability 1', /"nth"/],
    ['-m statistic --mode random --probability 1.5', /"1\.5"/],
    ['-m recent --name X', /--rcheck, --set/],
    ['-m recent --rcheck --set', /--rcheck, --set/],
    ['-m recent --rcheck --reap', /--reap without --seconds/],
    ['-m recent --rcheck --mask ffff::', /"ffff::"/],
    ['-m set -j DROP', /match set without --match-set/],
    ['-m set --match-set A', /two words must follow/],
    ['-m set --match-set', /nothing follows/],
    ['-m set --match-set A dst,foo', /"dst,foo" of set "A"/],
    ['-m set --match-set A dst,dst,dst,dst,dst,dst,dst', /more than 6 parts/],
    ['-m set --match-set A dst --match-set B dst', /--match-set twice/],
    [`-m set --match-set ${'x'.repeat(32)} dst`, /1 to 31 bytes/],
    ['-m set --match-set "A B" dst', /"A B".*no blanks/],
    ['-m set --match-set A dst --return-nomatch', /"--return-nomatch"/],
    ['-m physdev', /without --physdev-is-in/],
    ['-m physdev --physdev-is-bridged', /"--physdev-is-bridged"/],
    ['-m ipvs', /match ipvs without --ipvs/],
    ['-m ipvs ! --ipvs --vport 80', /! --ipvs beside/],
    ['-m ipvs --vaddr 0.0.0.0/0', /it is everything/],
    ['-m ipvs --vaddr fd00::1', /"fd00::1" as an IPv4/],
    ['-m ipvs --vport 65536', /"65536"/],
    ['-j MARK', /target MARK: want one of/],
    ['-j DNAT', /without --to-destination/],
    ['-j NETMAP', /without --to/],
    ['-j NETMAP --to 2001:db8::/64', /want a prefix such as 192\.0\.2\.0\/24/],
    ['-j DNAT --to-destination 10.0.0.1:80', /without -p tcp/],
    ['-p tcp -j DNAT --to-destination 10.0.0.1-10.0.0.2', /10\.0\.0\.1-10\.0\.0\.2/],
    ['-j REJECT --reject-with icmp6-no-route', /icmp6-no-route/],
    ['-j "A B"', /"A B"/],
    ['-s', /nothing follows/],
    ['-m comment --comment a"b c"', /quotes do not fit/],
    [`-m comment --comment ${'x'.repeat(257)}`, /more than 256/],
    ['word', /"word"/],
  ])('refuses %s', (text, why) => {
    expect(() => read(text)).toThrow(why);
    expect(() => read(text)).toThrow(SyntaxError);
  });

  test('knows no broadcast in IPv6', () => {
    expect(() => read('-m addrtype --dst-type BROADCAST', 6)).toThrow(/"BROADCAST"/);
  });
});
