// Tables that use every kind of object and expression that Netloom writes, each with the text that `nft list table` prints of it.
// The tests of text, wire, plan, fake and kernel share them.

import {
  anonymousMap,
  baseChain,
  chain,
  counterObject,
  element,
  map,
  priority,
  rule,
  set,
  table,
} from '../../kernel/nft/declare.ts';
import { ct, fib, ip, ip6, jhash, meta, numgen, tcp, th, udp } from '../../kernel/nft/fields.ts';
import type { Table } from '../../kernel/nft/objects.ts';
import { concat } from '../../kernel/nft/selector.ts';
import {
  accept,
  add,
  counter,
  dnat,
  drop,
  goto,
  jump,
  limit,
  log,
  masquerade,
  notrack,
  redirect,
  reject,
  rejectWithReset,
  remove,
  returnStatement,
  snat,
  update,
} from '../../kernel/nft/statement.ts';
import { protocol } from '../../kernel/nft/value-text.ts';
import { verdict } from '../../kernel/nft/verdict.ts';
import { IpAddress } from '../../net/address.ts';
import { Prefix } from '../../net/prefix.ts';

export function address(text: string): IpAddress {
  return IpAddress.parse(text);
}

export function prefix(text: string): Prefix {
  return Prefix.parse(text);
}

export interface Example {
  readonly table: Table;
  /** As nft 1.0.6 lists it. */
  readonly text: string;
}

const masqueradeExample: Example = {
  table: table({
    family: 'ip',
    name: 'netloom-masq',
    comment: 'masquerading',
    sets: [
      set('excluded', {
        key: 'ipv4_addr',
        flags: ['interval'],
        elements: [
          element(prefix('10.0.0.0/8')),
          element(prefix('11.0.0.0/8')),
          element(address('192.168.1.1'), { comment: 'gateway' }),
          element({ first: address('192.168.1.10'), last: address('192.168.1.12') }),
          element(prefix('255.255.255.0/24')),
        ],
      }),
    ],
    chains: [
      baseChain('postrouting', { type: 'nat', hook: 'postrouting', priority: priority.srcnat }),
      baseChain('forward', { type: 'filter', hook: 'forward', priority: priority.filter, policy: 'drop' }),
      baseChain('early', { type: 'filter', hook: 'prerouting', priority: priority.raw }),
    ],
    rules: [
      rule('postrouting', [
        ip.saddr.in(prefix('10.244.0.0/16')),
        ip.daddr.inSet('excluded'),
        returnStatement,
      ]),
      rule('postrouting', [
        ip.saddr.in(prefix('10.244.0.0/16')),
        ip.daddr.notIn(prefix('224.0.0.0/4')),
        masquerade({ fullyRandom: true }),
      ]),
      rule('postrouting', [
        ip.saddr.equals(address('10.244.1.1')),
        masquerade({ random: true, persistent: true }),
      ]),
      rule('forward', [ct.state('established', 'related'), counter(), accept], { comment: 'known flows' }),
      rule('forward', [ct.state('invalid'), drop]),
      rule('forward', [meta.iifname.equals('cni0'), meta.oifname.notEquals('veth*'), accept]),
      rule('forward', [tcp.dport.equals(22), log({ prefix: 'ssh ', level: 'info' }), rejectWithReset]),
      rule('forward', [udp.dport.between(5000, 5010), limit({ rate: 10, per: 'second', burst: 20 }), accept]),
      rule('forward', [reject('ip', 'admin-prohibited')]),
      rule('early', [ip.daddr.equals(address('127.0.0.1')), notrack]),
    ],
  }),
  text: `table ip netloom-masq {
	comment "masquerading"
	set excluded {
		type ipv4_addr
		flags interval
		elements = { 10.0.0.0/8, 11.0.0.0/8,
			     192.168.1.1 comment "gateway", 192.168.1.10-192.168.1.12,
			     255.255.255.0/24 }
	}

	chain postrouting {
		type nat hook postrouting priority srcnat; policy accept;
		ip saddr 10.244.0.0/16 ip daddr @excluded return
		ip saddr 10.244.0.0/16 ip daddr != 224.0.0.0/4 masquerade fully-random
		ip saddr 10.244.1.1 masquerade random,persistent
	}

	chain forward {
		type filter hook forward priority filter; policy drop;
		ct state established,related counter packets 0 bytes 0 accept comment "known flows"
		ct state invalid drop
		iifname "cni0" oifname != "veth*" accept
		tcp dport 22 log prefix "ssh " level info reject with tcp reset
		udp dport 5000-5010 limit rate 10/second burst 20 packets accept
		reject with icmp admin-prohibited
	}

	chain early {
		type filter hook prerouting priority raw; policy accept;
		ip daddr 127.0.0.1 notrack
	}
}
`,
};

const port = ['ipv4_addr', 'inet_proto', 'inet_service'] as const;
const slot = { numgen: 'random', modulus: 3 } as const;

/** The layout that costs O(1) a change: no object a service, the class number carried in the mark. */
const servicesExample: Example = {
  table: table({
    family: 'ip',
    name: 'netloom-services',
    counters: [counterObject('missed', { comment: 'slots without an endpoint' })],
    sets: [
      map('svc', {
        key: port,
        data: 'mark',
        size: 1000,
        comment: 'service port to class',
        elements: [
          element([address('10.96.0.1'), protocol.tcp, 443], { data: [0x2], comment: 'default/kubernetes' }),
          element([address('10.96.0.10'), protocol.udp, 53], { data: [0x4001] }),
          element([address('10.96.0.10'), protocol.tcp, 53], { data: [0x1] }),
        ],
      }),
      map('class', {
        key: 'mark',
        data: 'verdict',
        elements: [
          element(1, { data: verdict.goto('n1') }),
          element(2, { data: verdict.jump('n2') }),
          element(3, { data: verdict.drop }),
          element('default', { data: verdict.return }),
        ],
      }),
      map('eps', {
        key: [...port, 'integer'],
        data: ['ipv4_addr', 'inet_service'],
        size: 3000,
        typeof: ['ip daddr', 'meta l4proto', 'th dport', slot, 'ip daddr', 'th dport'],
        elements: [
          element([address('10.96.0.1'), protocol.tcp, 443, 0], { data: [address('10.244.0.2'), 6443] }),
          element([address('10.96.0.1'), protocol.tcp, 443, 1], { data: [address('10.244.1.2'), 6443] }),
          element([address('10.96.0.10'), protocol.tcp, 53, 0], { data: [address('10.244.1.3'), 53] }),
        ],
      }),
      set('affinity', { key: 'ipv4_addr', flags: ['dynamic'], timeout: 10_800_000, size: 65535 }),
      set('hairpin', {
        key: ['ipv4_addr', 'ipv4_addr', 'inet_proto', 'inet_service'],
        elements: [element([address('10.244.0.2'), address('10.244.0.2'), protocol.tcp, 6443])],
      }),
      set('ranges', {
        key: ['ipv4_addr', 'inet_service'],
        flags: ['interval'],
        elements: [element([prefix('10.0.0.0/8'), { first: 30000, last: 32767 }])],
      }),
    ],
    chains: [
      baseChain('prerouting', { type: 'nat', hook: 'prerouting', priority: priority.dstnat }),
      baseChain('output', { type: 'nat', hook: 'output', priority: priority.dstnat }),
      baseChain('postrouting', { type: 'nat', hook: 'postrouting', priority: priority.srcnat + 5 }),
      chain('services', { comment: 'service traffic' }),
      chain('n1'),
      chain('n2'),
    ],
    rules: [
      rule('prerouting', [jump('services')]),
      rule('output', [jump('services')]),
      rule('services', [
        meta.mark.set(concat(ip.daddr, meta.l4proto, th.dport).map('svc', ['mark'])),
        meta.mark.vmap('class'),
      ]),
      rule('services', [
        fib.daddrType.equals(2),
        ip.daddr.notIn(prefix('127.0.0.0/8')),
        concat(ip.saddr, tcp.dport).inSet('ranges'),
        redirect({ port: 8080 }),
      ]),
      rule('n1', [
        meta.l4proto.in([protocol.tcp, protocol.udp]),
        dnat({
          by: concat(ip.daddr, meta.l4proto, th.dport, numgen.random(1)).map('eps', [
            'ipv4_addr',
            'inet_service',
          ]),
        }),
      ]),
      rule('n1', [counter('missed'), drop]),
      rule('n2', [ip.saddr.inSet('affinity'), goto('n1')]),
      rule('n2', [update('affinity', { key: ip.saddr, timeout: 3_600_000 })]),
      rule('n2', [add('affinity', { key: ip.saddr })]),
      rule('n2', [
        jhash(concat(ip.saddr, ip.daddr), { modulus: 2, seed: 0xabcd }).vmap(
          anonymousMap({ key: 'integer', data: 'verdict' }, [
            element(0, { data: verdict.goto('n1') }),
            element(1, { data: verdict.drop }),
          ]),
        ),
      ]),
      rule('n2', [
        meta.l4proto.equals(protocol.tcp),
        dnat({
          by: numgen
            .inc(2)
            .map(
              anonymousMap({ key: 'integer', data: ['ipv4_addr', 'inet_service'] }, [
                element(0, { data: [address('10.244.0.2'), 80] }),
                element(1, { data: [address('10.244.1.2'), 80] }),
              ]),
              ['ipv4_addr', 'inet_service'],
            ),
        }),
      ]),
      rule('n2', [tcp.dport.equals(80), dnat({ address: address('10.244.0.9'), port: 8080 })]),
      rule('postrouting', [
        meta.mark.maskedEquals(0x4000, 0x4000),
        meta.mark.flipBits(0x4000),
        masquerade({ fullyRandom: true }),
      ]),
      rule('postrouting', [
        ct.status('dnat'),
        concat(ip.saddr, ip.daddr, meta.l4proto, th.dport).inSet('hairpin'),
        masquerade(),
      ]),
      rule('postrouting', [meta.mark.equals(5), meta.mark.setBits(0x8000), ct.mark.set(meta.mark)]),
      rule('postrouting', [ct.mark.maskedNotEquals(0xf0, 0), meta.mark.set(ct.mark)]),
      rule('postrouting', [
        meta.mark.replaceBits({ keep: 0xff, set: 0x100 }),
        meta.mark.keepBits(0xff00ffff),
      ]),
      rule('postrouting', [ip.saddr.in([prefix('10.0.0.0/8'), address('1.2.3.4')]), meta.mark.set(0)]),
      rule('postrouting', [ip.saddr.in(prefix('10.128.0.0/9')), snat({ address: address('192.0.2.1') })]),
    ],
  }),
  text: `table ip netloom-services {
	counter missed {
		comment "slots without an endpoint"
		packets 0 bytes 0
	}

	map svc {
		type ipv4_addr . inet_proto . inet_service : mark
		size 1000
		comment "service port to class"
		elements = { 10.96.0.10 . tcp . 53 : 0x00000001,
			     10.96.0.10 . udp . 53 : 0x00004001,
			     10.96.0.1 . tcp . 443 comment "default/kubernetes" : 0x00000002 }
	}

	map class {
		type mark : verdict
		elements = { 0x00000001 : goto n1, 0x00000002 : jump n2, 0x00000003 : drop, * : return }
	}

	map eps {
		typeof ip daddr . meta l4proto . th dport . numgen random mod 3 : ip daddr . th dport
		size 3000
		elements = { 10.96.0.10 . tcp . 53 . 0 : 10.244.1.3 . 53,
			     10.96.0.1 . tcp . 443 . 0 : 10.244.0.2 . 6443,
			     10.96.0.1 . tcp . 443 . 1 : 10.244.1.2 . 6443 }
	}

	set affinity {
		type ipv4_addr
		size 65535
		flags dynamic,timeout
		timeout 3h
	}

	set hairpin {
		type ipv4_addr . ipv4_addr . inet_proto . inet_service
		elements = { 10.244.0.2 . 10.244.0.2 . tcp . 6443 }
	}

	set ranges {
		type ipv4_addr . inet_service
		flags interval
		elements = { 10.0.0.0/8 . 30000-32767 }
	}

	chain prerouting {
		type nat hook prerouting priority dstnat; policy accept;
		jump services
	}

	chain output {
		type nat hook output priority -100; policy accept;
		jump services
	}

	chain postrouting {
		type nat hook postrouting priority srcnat + 5; policy accept;
		meta mark & 0x00004000 == 0x00004000 meta mark set meta mark ^ 0x00004000 masquerade fully-random
		ct status dnat ip saddr . ip daddr . meta l4proto . th dport @hairpin masquerade
		meta mark 0x00000005 meta mark set meta mark | 0x00008000 ct mark set meta mark
		ct mark & 0x000000f0 != 0x00000000 meta mark set ct mark
		meta mark set meta mark & 0x000001ff | 0x00000100 meta mark set meta mark & 0xff00ffff
		ip saddr { 1.2.3.4, 10.0.0.0/8 } meta mark set 0x00000000
		ip saddr 10.128.0.0/9 snat to 192.0.2.1
	}

	chain services {
		comment "service traffic"
		meta mark set ip daddr . meta l4proto . th dport map @svc meta mark vmap @class
		fib daddr type local ip daddr != 127.0.0.0/8 ip saddr . tcp dport @ranges redirect to :8080
	}

	chain n1 {
		meta l4proto { tcp, udp } dnat ip to ip daddr . meta l4proto . th dport . numgen random mod 1 map @eps
		counter name "missed" drop
	}

	chain n2 {
		ip saddr @affinity goto n1
		update @affinity { ip saddr timeout 1h }
		add @affinity { ip saddr }
		jhash ip saddr . ip daddr mod 2 seed 0xabcd vmap { 0 : goto n1, 1 : drop }
		meta l4proto tcp dnat ip to numgen inc mod 2 map { 0 : 10.244.0.2 . 80, 1 : 10.244.1.2 . 80 }
		tcp dport 80 dnat to 10.244.0.9:8080
	}
}
`,
};

const dualExample: Example = {
  table: table({
    family: 'inet',
    name: 'netloom_both',
    sets: [
      set('nodes6', {
        key: 'ipv6_addr',
        flags: ['interval'],
        elements: [element(prefix('fd00::/64')), element(address('fe80::1'))],
      }),
      set('links', { key: 'ifname', elements: [element('lo'), element('eth0')] }),
      set('macs', { key: 'ether_addr' }),
      set('temporary', { key: 'inet_service', flags: ['timeout'] }),
    ],
    chains: [
      baseChain('input', { type: 'filter', hook: 'input', priority: -10 }),
      baseChain('destination', { type: 'nat', hook: 'prerouting', priority: priority.dstnat - 3 }),
    ],
    rules: [
      rule('input', [meta.nfproto.ip, ip.saddr.in(prefix('10.0.0.0/8')), accept]),
      rule('input', [meta.nfproto.ip6, ip6.saddr.inSet('nodes6'), accept]),
      rule('input', [meta.nfproto.ip6, ip6.daddr.in(prefix('fe80::/10')), accept]),
      rule('input', [meta.nfproto.ip6, ip6.daddr.in(prefix('fd00:1::/32')), accept]),
      rule('input', [meta.iifname.inSet('links'), accept]),
      rule('input', [ct.state('new'), reject('inet')]),
      rule('input', [meta.nfproto.ip, reject('ip')]),
      rule('input', [reject('inet', 'admin-prohibited')]),
      rule('destination', [tcp.dport.equals(80), dnat({ address: address('fd00::5'), port: 8080 })]),
      rule('destination', [udp.dport.equals(53), dnat({ address: address('10.0.0.5') })]),
    ],
  }),
  text: `table inet netloom_both {
	set nodes6 {
		type ipv6_addr
		flags interval
		elements = { fd00::/64,
			     fe80::1 }
	}

	set links {
		type ifname
		elements = { "lo",
			     "eth0" }
	}

	set macs {
		type ether_addr
	}

	set temporary {
		type inet_service
		flags timeout
	}

	chain input {
		type filter hook input priority filter - 10; policy accept;
		ip saddr 10.0.0.0/8 accept
		ip6 saddr @nodes6 accept
		ip6 daddr fe80::/10 accept
		ip6 daddr fd00:1::/32 accept
		iifname @links accept
		ct state new reject
		reject with icmp port-unreachable
		reject with icmpx admin-prohibited
	}

	chain destination {
		type nat hook prerouting priority dstnat - 3; policy accept;
		tcp dport 80 dnat ip6 to [fd00::5]:8080
		udp dport 53 dnat ip to 10.0.0.5
	}
}
`,
};

const sixExample: Example = {
  table: table({
    family: 'ip6',
    name: 'netloom-six',
    sets: [
      map('svc', {
        key: ['ipv6_addr', 'inet_proto', 'inet_service'],
        data: ['ipv6_addr', 'inet_service'],
        elements: [element([address('fd00::1'), protocol.tcp, 80], { data: [address('fd00:1::2'), 8080] })],
      }),
    ],
    chains: [
      baseChain('prerouting', { type: 'nat', hook: 'prerouting', priority: priority.dstnat }),
      baseChain('forward', { type: 'filter', hook: 'forward', priority: priority.filter }),
    ],
    rules: [
      rule('prerouting', [
        meta.l4proto.in([protocol.tcp, protocol.udp]),
        dnat({ by: concat(ip6.daddr, meta.l4proto, th.dport).map('svc', ['ipv6_addr', 'inet_service']) }),
      ]),
      rule('forward', [ip6.saddr.in(prefix('fd00::/48')), reject('ip6', 'no-route')]),
      rule('forward', [tcp.dport.in([80, 443, { first: 8000, last: 8010 }]), accept]),
    ],
  }),
  text: `table ip6 netloom-six {
	map svc {
		type ipv6_addr . inet_proto . inet_service : ipv6_addr . inet_service
		elements = { fd00::1 . tcp . 80 : fd00:1::2 . 8080 }
	}

	chain prerouting {
		type nat hook prerouting priority dstnat; policy accept;
		meta l4proto { tcp, udp } dnat ip6 to ip6 daddr . meta l4proto . th dport map @svc
	}

	chain forward {
		type filter hook forward priority filter; policy accept;
		ip6 saddr fd00::/48 reject with icmpv6 no-route
		tcp dport { 80, 443, 8000-8010 } accept
	}
}
`,
};

const id20 = 0x000fffff;
const class12 = 0xfff00000;
const eitherTransport = meta.l4proto.in([protocol.tcp, protocol.udp, protocol.sctp]);

/** The class and number of a service travel in the packet's priority; affinity and counts are the packets' own elements. */
const priorityExample: Example = {
  table: table({
    family: 'ip',
    name: 'netloom-priority',
    sets: [
      map('services', {
        key: port,
        data: 'classid',
        elements: [
          element([address('10.96.0.1'), protocol.tcp, 443], { data: [0x00100001], comment: 'kubernetes' }),
          element([address('10.96.0.2'), protocol.tcp, 443], { data: [2] }),
          element([address('10.96.0.3'), protocol.tcp, 443], { data: [0] }),
          element([address('10.96.0.4'), protocol.tcp, 443], { data: [0xffffffff] }),
        ],
      }),
      map('classes', {
        key: 'classid',
        data: 'verdict',
        elements: [
          element(0x00100000, { data: verdict.goto('pick') }),
          element(0xffffffff, { data: verdict.drop }),
          element(0, { data: verdict.return }),
        ],
      }),
      map('endpoints', {
        key: ['classid', 'integer'],
        data: ['ipv4_addr', 'inet_service'],
        typeof: ['meta priority', slot, 'ip daddr', 'th dport'],
        elements: [
          element([1, 0], { data: [address('10.244.0.2'), 6443] }),
          element([1, 1], { data: [address('10.244.1.2'), 6443] }),
        ],
      }),
      set('ids', { key: 'classid', elements: [1, 2, 3, 4, 5, 6].map((one) => element(one)) }),
      set('pairs', { key: ['ipv4_addr', 'classid'] }),
      map('affinity', {
        key: ['ipv4_addr', 'classid'],
        data: 'classid',
        typeof: ['ip saddr', 'meta priority', 'meta priority'],
        flags: ['dynamic'],
        timeout: 10_800_000,
        size: 65535,
      }),
      map('sticky', {
        key: ['ipv4_addr', 'classid'],
        data: 'integer',
        typeof: ['ip saddr', 'meta priority', slot],
        flags: ['dynamic'],
        timeout: 10_800_000,
        size: 65535,
      }),
      set('traffic', { key: port, flags: ['dynamic'], size: 65535 }),
    ],
    chains: [
      baseChain('prerouting', { type: 'nat', hook: 'prerouting', priority: priority.dstnat }),
      baseChain('postrouting', { type: 'nat', hook: 'postrouting', priority: priority.srcnat }),
      baseChain('count', { type: 'filter', hook: 'prerouting', priority: priority.filter }),
      chain('serve'),
      chain('pick'),
      chain('known'),
    ],
    rules: [
      rule('prerouting', [
        meta.priority.set(concat(ip.daddr, meta.l4proto, th.dport).map('services', ['classid'])),
        goto('serve'),
      ]),
      rule('prerouting', [
        meta.priority.maskedNotEquals(class12, 0),
        meta.priority.maskedEquals(class12, 0x00100000),
        drop,
      ]),
      rule('prerouting', [meta.priority.equals(0), meta.priority.notEquals(0x00100001), drop]),
      rule('prerouting', [meta.priority.in([0x00100001, 0x00200000]), drop]),
      rule('prerouting', [meta.priority.masked(id20).inSet('ids'), drop]),
      rule('prerouting', [meta.priority.masked(id20).notInSet('ids'), drop]),
      rule('prerouting', [meta.priority.masked(id20).in([1, 2]), drop]),
      rule('prerouting', [meta.mark.masked(0xff).in([1, 2]), drop]),
      rule('prerouting', [concat(ip.saddr, meta.priority.masked(id20)).inSet('pairs'), drop]),
      rule('serve', [meta.priority.masked(class12).vmap('classes')]),
      rule('pick', [
        meta.priority.keepBits(id20),
        meta.priority.setBits(0x00100000),
        meta.priority.flipBits(0x00100001),
      ]),
      rule('pick', [
        meta.priority.replaceBits({ keep: id20, set: 0x00100000 }),
        meta.priority.set(0x00100000),
      ]),
      rule('pick', [
        meta.priority.set(concat(ip.saddr, meta.priority).map('affinity', ['classid'])),
        goto('known'),
      ]),
      rule('pick', [
        update('affinity', {
          key: concat(ip.saddr, meta.priority.masked(id20)),
          timeout: 3_600_000,
          data: meta.priority,
        }),
      ]),
      rule('pick', [add('sticky', { key: concat(ip.saddr, meta.priority), data: numgen.random(3) })]),
      rule('pick', [
        eitherTransport,
        dnat({
          by: concat(meta.priority, numgen.random(3)).map('endpoints', ['ipv4_addr', 'inet_service']),
        }),
      ]),
      rule('known', [remove('affinity', { key: concat(ip.saddr, meta.priority), data: meta.priority })]),
      rule('postrouting', [ct.status('dnat'), meta.priority.set(0)]),
      rule('count', [ct.direction('reply'), ct.original.daddr(4).equals(address('10.96.0.1')), accept]),
      rule('count', [
        ct.status('dnat'),
        ct.direction('original'),
        meta.l4proto.equals(protocol.tcp),
        update('traffic', {
          key: concat(ct.original.daddr(4), meta.l4proto, ct.original.protoDst),
          counter: true,
        }),
      ]),
    ],
  }),
  text: `table ip netloom-priority {
	map services {
		type ipv4_addr . inet_proto . inet_service : classid
		elements = { 10.96.0.1 . tcp . 443 comment "kubernetes" : 10:1,
			     10.96.0.2 . tcp . 443 : 0:2,
			     10.96.0.3 . tcp . 443 : none,
			     10.96.0.4 . tcp . 443 : root }
	}

	map classes {
		type classid : verdict
		elements = { none : return, 10:0 : goto pick, root : drop }
	}

	map endpoints {
		typeof meta priority . numgen random mod 3 : ip daddr . th dport
		elements = { 0:1 . 0 : 10.244.0.2 . 6443,
			     0:1 . 1 : 10.244.1.2 . 6443 }
	}

	set ids {
		type classid
		elements = { 0:1, 0:2, 0:3, 0:4, 0:5,
			     0:6 }
	}

	set pairs {
		type ipv4_addr . classid
	}

	map affinity {
		typeof ip saddr . meta priority : meta priority
		size 65535
		flags dynamic,timeout
		timeout 3h
	}

	map sticky {
		typeof ip saddr . meta priority : numgen random mod 3
		size 65535
		flags dynamic,timeout
		timeout 3h
	}

	set traffic {
		type ipv4_addr . inet_proto . inet_service
		size 65535
		flags dynamic
	}

	chain prerouting {
		type nat hook prerouting priority dstnat; policy accept;
		meta priority set ip daddr . meta l4proto . th dport map @services goto serve
		meta priority & fff0:0 != none meta priority & fff0:0 == 10:0 drop
		meta priority none meta priority != 10:1 drop
		meta priority { 10:1, 20:0 } drop
		meta priority & f:ffff == @ids drop
		meta priority & f:ffff != @ids drop
		meta priority & f:ffff == { 0:1, 0:2 } drop
		meta mark & 0x000000ff == { 0x00000001, 0x00000002 } drop
		ip saddr . meta priority & f:ffff @pairs drop
	}

	chain postrouting {
		type nat hook postrouting priority srcnat; policy accept;
		ct status dnat meta priority set none
	}

	chain count {
		type filter hook prerouting priority filter; policy accept;
		ct direction reply ct original ip daddr 10.96.0.1 accept
		ct status dnat ct direction original meta l4proto tcp update @traffic { ct original ip daddr . meta l4proto . ct original proto-dst counter }
	}

	chain serve {
		meta priority & fff0:0 vmap @classes
	}

	chain pick {
		meta priority set meta priority & f:ffff meta priority set meta priority | 10:0 meta priority set meta priority ^ 10:1
		meta priority set meta priority & 1f:ffff | 10:0 meta priority set 10:0
		meta priority set ip saddr . meta priority map @affinity goto known
		update @affinity { ip saddr . meta priority & f:ffff timeout 1h : meta priority }
		add @sticky { ip saddr . meta priority : numgen random mod 3 }
		meta l4proto { tcp, udp, sctp } dnat ip to meta priority . numgen random mod 3 map @endpoints
	}

	chain known {
		delete @affinity { ip saddr . meta priority : meta priority }
	}
}
`,
};

export const examples: readonly Example[] = [
  masqueradeExample,
  servicesExample,
  dualExample,
  sixExample,
  priorityExample,
];
