import { expect, test } from '@jest/globals';
import { evaluate, flowText } from '../../../kernel/nft/evaluate.ts';
import { packet } from '../../../kernel/nft/packet.ts';
import { rulesetText } from '../../../kernel/nft/text.ts';
import { protocol } from '../../../kernel/nft/value-text.ts';
import { IpAddress } from '../../../net/address.ts';
import { Mac } from '../../../net/mac.ts';
import { Prefix } from '../../../net/prefix.ts';
import type { PodRules } from '../pod-rules.ts';
import { podTables } from './nft-elements.ts';
import { samplePod, samplePort } from './sample-pods.ts';

const address = IpAddress.parse;
const nodes = ['192.0.2.1', '198.51.100.1', '10.244.1.1', '127.0.0.1', '2001:db8::1', 'fd00:244:1::1', '::1'];
const surroundings = {
  random: () => 0,
  addressType: (one: IpAddress) => (nodes.includes(String(one)) ? 'local' : 'unicast'),
  addressOf: (_: string | undefined, family: 4 | 6) => address(family === 4 ? '10.244.1.1' : 'fd00:244:1::1'),
} as const;

interface Flow {
  readonly from: string;
  readonly to: string;
  readonly port: number;
  readonly protocol?: keyof typeof protocol;
  /** Where it comes in; absent: made on the node. */
  readonly iif?: string;
}

/** A new connection through the node: "SOURCE > DESTINATION" as the other end sees it, or its verdict. */
function reach(rules: readonly PodRules[], { from, to, port, iif, ...flow }: Flow): string {
  const state = podTables(rules);
  const first = evaluate(
    state,
    packet({
      hook: iif === undefined ? 'output' : 'prerouting',
      saddr: address(from),
      daddr: address(to),
      protocol: protocol[flow.protocol ?? 'tcp'],
      dport: port,
      iif,
      oif: iif === undefined ? 'lo' : undefined,
    }),
    surroundings,
  );
  if (first.verdict !== 'accept') return first.verdict;
  const last = evaluate(state, { ...first.packet, hook: 'postrouting', oif: 'any' }, surroundings);
  return flowText(last.packet).replaceAll(':40000', '');
}

const web = samplePod('web', {
  ports: ['8080:80/tcp', '192.0.2.1=9090:90/udp', '5000:5000/sctp'].map(samplePort),
});
const other = samplePod('other', {
  addresses: [Prefix.parse('10.244.1.6/24')],
  ports: ['192.0.2.1=8080:8081/tcp', '127.0.0.1=7070:70/tcp'].map(samplePort),
  portMasquerade: 'all',
});
const quiet = samplePod('quiet', {
  addresses: [Prefix.parse('10.244.1.7/24')],
  ports: [samplePort('6060:60/tcp')],
  portMasquerade: 'none',
  masquerade: true,
});
const pods = [web, other, quiet];

test.each<readonly [name: string, flow: Flow, seen: string]>([
  [
    'from outside',
    { from: '203.0.113.9', to: '198.51.100.1', port: 8080, iif: 'eth0' },
    '203.0.113.9 > 10.244.1.5:80',
  ],
  [
    'from outside over IPv6',
    { from: '2001:db8::9', to: '2001:db8::1', port: 8080, iif: 'eth0' },
    '2001:db8::9 > fd00:244:1::5:80',
  ],
  [
    'by SCTP',
    { from: '203.0.113.9', to: '192.0.2.1', port: 5000, protocol: 'sctp', iif: 'eth0' },
    '203.0.113.9 > 10.244.1.5:5000',
  ],
  [
    'another protocol',
    { from: '203.0.113.9', to: '192.0.2.1', port: 8080, protocol: 'udp', iif: 'eth0' },
    '203.0.113.9 > 192.0.2.1:8080',
  ],
  [
    'the port of one address',
    { from: '203.0.113.9', to: '192.0.2.1', port: 9090, protocol: 'udp', iif: 'eth0' },
    '203.0.113.9 > 10.244.1.5:90',
  ],
  [
    'not on another address',
    { from: '203.0.113.9', to: '198.51.100.1', port: 9090, protocol: 'udp', iif: 'eth0' },
    '203.0.113.9 > 198.51.100.1:9090',
  ],
  [
    'one address goes before any',
    { from: '203.0.113.9', to: '192.0.2.1', port: 8080, iif: 'eth0' },
    '10.244.1.1 > 10.244.1.6:8081',
  ],
  [
    'forwarded to a stranger',
    { from: '10.244.1.9', to: '203.0.113.9', port: 8080, iif: 'cni0' },
    '10.244.1.9 > 203.0.113.9:8080',
  ],
  [
    'from a neighbour',
    { from: '10.244.1.9', to: '198.51.100.1', port: 8080, iif: 'cni0' },
    '10.244.1.1 > 10.244.1.5:80',
  ],
  [
    'from itself',
    { from: '10.244.1.5', to: '198.51.100.1', port: 8080, iif: 'cni0' },
    '10.244.1.1 > 10.244.1.5:80',
  ],
  [
    'from a neighbour over IPv6',
    { from: 'fd00:244:1::9', to: '2001:db8::1', port: 8080, iif: 'cni0' },
    'fd00:244:1::1 > fd00:244:1::5:80',
  ],
  [
    'from a pod of another node',
    { from: '10.244.2.9', to: '198.51.100.1', port: 8080, iif: 'vxlan0' },
    '10.244.2.9 > 10.244.1.5:80',
  ],
  ['from the node by name', { from: '127.0.0.1', to: '127.0.0.1', port: 8080 }, '10.244.1.1 > 10.244.1.5:80'],
  [
    'from the node by its address',
    { from: '192.0.2.1', to: '198.51.100.1', port: 8080 },
    '192.0.2.1 > 10.244.1.5:80',
  ],
  [
    'published on 127.0.0.1',
    { from: '127.0.0.1', to: '127.0.0.1', port: 7070 },
    '10.244.1.1 > 10.244.1.6:70',
  ],
  ['::1 stays with the node', { from: '::1', to: '::1', port: 8080 }, '::1 > ::1:8080'],
  ['127.0.0.1 from a neighbour', { from: '10.244.1.9', to: '127.0.0.1', port: 22, iif: 'cni0' }, 'drop'],
  [
    'nothing hidden when not asked for',
    { from: '10.244.1.9', to: '192.0.2.1', port: 6060, iif: 'cni0' },
    '10.244.1.9 > 10.244.1.7:60',
  ],
  [
    'out of the subnet',
    { from: '10.244.1.7', to: '203.0.113.9', port: 443, iif: 'cni0' },
    '10.244.1.1 > 203.0.113.9:443',
  ],
  [
    'within the subnet',
    { from: '10.244.1.7', to: '10.244.1.5', port: 443, iif: 'cni0' },
    '10.244.1.7 > 10.244.1.5:443',
  ],
  [
    'to a group',
    { from: '10.244.1.7', to: '239.1.2.3', port: 443, iif: 'cni0' },
    '10.244.1.7 > 239.1.2.3:443',
  ],
  [
    'out of the subnet, not asked for',
    { from: '10.244.1.5', to: '203.0.113.9', port: 443, iif: 'cni0' },
    '10.244.1.5 > 203.0.113.9:443',
  ],
])('%s', (_, flow, seen) => {
  expect(reach(pods, flow)).toBe(seen);
});

test("a Service's connection to a published pod keeps its source", () => {
  const translated = packet({
    hook: 'postrouting',
    saddr: address('10.244.1.9'),
    daddr: address('10.244.1.5'),
    protocol: protocol.tcp,
    dport: 80,
    ct: {
      state: 'new',
      dnat: true,
      original: { saddr: address('10.244.1.9'), daddr: address('10.96.0.7'), sport: 40000, dport: 443 },
    },
  });
  expect(flowText(evaluate(podTables(pods), translated, surroundings).packet)).toBe(
    '10.244.1.9:40000 > 10.244.1.5:80',
  );
});

test('what nobody needs is not made', () => {
  expect([...podTables([samplePod('bare'), samplePod('more')]).keys()]).toEqual([]);
  const frames = samplePod('frames', {
    spoofCheck: { hostLink: 'veth0', mac: Mac.parse('02:00:00:00:00:05') },
  });
  expect([...podTables([frames]).keys()]).toEqual(['bridge netloom-cni']);
});

test('the first of two pods has the port, a larger subnet stands for those in it', () => {
  const late = samplePod('late', {
    addresses: [Prefix.parse('10.244.0.9/16'), Prefix.parse('fd00:244:2::9/128')],
    ports: [samplePort('8080:1/tcp')],
  });
  const [table] = podTables([web, late]).values();
  expect([...(table?.sets.get('ports4')?.elements.values() ?? [])].map(({ data }) => String(data))).toContain(
    '10.244.1.5,80',
  );
  expect([...(table?.sets.get('subnets4')?.elements.keys() ?? [])]).toEqual([
    '10.244.0.0/16 . 10.244.0.0/16',
  ]);
  expect([...(table?.sets.get('subnets6')?.elements.keys() ?? [])]).toEqual([
    'fd00:244:1::/64 . fd00:244:1::/64',
    'fd00:244:2::9 . fd00:244:2::9',
  ]);
});

test('reads as nft prints it', () => {
  const pod = samplePod('web', {
    addresses: [Prefix.parse('10.244.1.5/24')],
    ports: ['8080:80/tcp', '192.0.2.1=53:53/udp'].map(samplePort),
    masquerade: true,
    portMasquerade: 'all',
    spoofCheck: { hostLink: 'veth0123456789a', mac: Mac.parse('02:00:00:00:00:05') },
  });
  expect(rulesetText(podTables([pod]))).toBe(`table inet netloom-cni {
	comment "Published ports and masquerading of pods, made by Netloom"
	set localnet {
		type ifname
		comment "links whose route_localnet is on for 127.0.0.1:PORT"
		elements = { "cni0" }
	}

	map address-ports4 {
		type ipv4_addr . inet_proto . inet_service : ipv4_addr . inet_service
		comment "published on one address of the node"
		elements = { 192.0.2.1 . udp . 53 comment "731f6af587407d8e84983c83ca2d4fc8" : 10.244.1.5 . 53 }
	}

	map ports4 {
		type inet_proto . inet_service : ipv4_addr . inet_service
		comment "published on every address of the node"
		elements = { tcp . 8080 comment "731f6af587407d8e84983c83ca2d4fc8" : 10.244.1.5 . 80 }
	}

	set answered4 {
		type ipv4_addr . inet_proto . inet_service . inet_service
		comment "published ports of pods: the pod's end, then the port of the node"
		elements = { 10.244.1.5 . udp . 53 . 53 comment "731f6af587407d8e84983c83ca2d4fc8",
			     10.244.1.5 . tcp . 80 . 8080 comment "731f6af587407d8e84983c83ca2d4fc8" }
	}

	set always4 {
		type ipv4_addr
		comment "pods whose published ports show them the node only"
		elements = { 10.244.1.5 comment "731f6af587407d8e84983c83ca2d4fc8" }
	}

	set sources4 {
		type ipv4_addr
		comment "pods that have the node's address outside of their subnet"
		elements = { 10.244.1.5 comment "731f6af587407d8e84983c83ca2d4fc8" }
	}

	set subnets4 {
		type ipv4_addr . ipv4_addr
		flags interval
		comment "within one subnet of pods"
		elements = { 10.244.1.0/24 . 10.244.1.0/24 }
	}

	map address-ports6 {
		type ipv6_addr . inet_proto . inet_service : ipv6_addr . inet_service
		comment "published on one address of the node"
	}

	map ports6 {
		type inet_proto . inet_service : ipv6_addr . inet_service
		comment "published on every address of the node"
	}

	set answered6 {
		type ipv6_addr . inet_proto . inet_service . inet_service
		comment "published ports of pods: the pod's end, then the port of the node"
	}

	set always6 {
		type ipv6_addr
		comment "pods whose published ports show them the node only"
	}

	set sources6 {
		type ipv6_addr
		comment "pods that have the node's address outside of their subnet"
	}

	set subnets6 {
		type ipv6_addr . ipv6_addr
		flags interval
		comment "within one subnet of pods"
	}

	chain guard {
		type filter hook prerouting priority raw; policy accept;
		iifname != "lo" ip daddr 127.0.0.0/8 drop comment "route_localnet must not open 127.0.0.1 to neighbours"
	}

	chain prerouting {
		type nat hook prerouting priority dstnat + 10; policy accept;
		fib daddr type local goto published
	}

	chain output {
		type nat hook output priority -90; policy accept;
		fib daddr type local goto published
	}

	chain published {
		dnat ip to ip daddr . meta l4proto . th dport map @address-ports4
		meta nfproto ipv4 dnat ip to meta l4proto . th dport map @ports4
		ip6 daddr != ::1 dnat ip6 to ip6 daddr . meta l4proto . th dport map @address-ports6
		ip6 daddr != ::1 dnat ip6 to meta l4proto . th dport map @ports6
	}

	chain postrouting {
		type nat hook postrouting priority srcnat; policy accept;
		ct status dnat jump answers
		ip saddr @sources4 ip daddr != 224.0.0.0/4 ip saddr . ip daddr != @subnets4 masquerade
		ip6 saddr @sources6 ip6 daddr != ff00::/8 ip6 saddr . ip6 daddr != @subnets6 masquerade
	}

	chain answers {
		ip saddr 127.0.0.0/8 goto hide4 comment "from 127.0.0.1 of the node"
		ip saddr . ip daddr @subnets4 goto hide4 comment "from neighbours and the pod itself: they would be answered directly"
		ip daddr @always4 goto hide4
		ip6 saddr . ip6 daddr @subnets6 goto hide6 comment "from neighbours and the pod itself: they would be answered directly"
		ip6 daddr @always6 goto hide6
	}

	chain hide4 {
		ip daddr . meta l4proto . tcp dport . ct original proto-dst @answered4 masquerade
		ip daddr . meta l4proto . udp dport . ct original proto-dst @answered4 masquerade
		ip daddr . meta l4proto . sctp dport . ct original proto-dst @answered4 masquerade
	}

	chain hide6 {
		ip6 daddr . meta l4proto . tcp dport . ct original proto-dst @answered6 masquerade
		ip6 daddr . meta l4proto . udp dport . ct original proto-dst @answered6 masquerade
		ip6 daddr . meta l4proto . sctp dport . ct original proto-dst @answered6 masquerade
	}
}
table bridge netloom-cni {
	comment "Source MAC addresses of pods, made by Netloom"
	set checked {
		type ifname
		comment "host ends of pods whose frames are checked"
		elements = { "veth0123456789a" comment "731f6af587407d8e84983c83ca2d4fc8" }
	}

	set macs {
		type ifname . ether_addr
		comment "what their frames may come from"
		elements = { "veth0123456789a" . 02:00:00:00:00:05 comment "731f6af587407d8e84983c83ca2d4fc8" }
	}

	chain prerouting {
		type filter hook prerouting priority dstnat; policy accept;
		iifname @checked iifname . ether saddr != @macs drop
	}
}
`);
});
