import { expect, test } from '@jest/globals';
import { tableText } from '../../kernel/nft/text.ts';
import { Prefix } from '../../net/prefix.ts';
import { samplePort } from '../sample-services.ts';
import { sampleContext, sampleNode } from './sample-node.ts';

test('the whole table of a few services, as nft lists it', async () => {
  const node = sampleNode({ serviceCounters: true });
  const context = sampleContext({
    localhostNodePorts: true,
    serviceNetworks: [Prefix.parse('10.96.0.0/16'), Prefix.parse('10.98.0.0/16')],
  });
  const ports = [
    samplePort({
      nodePort: 30080,
      clusterEndpoints: ['10.244.0.5:8080', '10.244.1.5:8080', '10.244.2.5:8080'],
    }),
    samplePort({
      service: 'sticky',
      clusterIp: '10.96.0.11',
      affinitySeconds: 10800,
      externalPolicy: 'Local',
      loadBalancerIps: ['203.0.113.1'],
      sourceRanges: ['198.51.100.0/24', '192.0.2.0/24'],
      clusterEndpoints: ['10.244.0.5:8080', '10.244.1.5:8080'],
      localEndpoints: ['10.244.0.5:8080'],
    }),
    samplePort({ service: 'none', clusterIp: '10.96.0.12' }),
  ];
  await node.sync(ports, { context });
  expect(tableText(node.table())).toBe(`table ip netloom-proxy {
	comment "Made by netloom proxy"
	map services {
		type ipv4_addr . inet_proto . inet_service : classid
		size 12288
		elements = { 203.0.113.1 . tcp . 80 comment "ns/sticky" : 60:2,
			     10.96.0.10 . tcp . 80 comment "ns/web" : 30:1,
			     10.96.0.11 . tcp . 80 comment "ns/sticky" : 50:2,
			     10.96.0.12 . tcp . 80 comment "ns/none" : 10:3 }
	}

	map node-ports {
		type inet_proto . inet_service : classid
		size 6144
		elements = { tcp . 30080 comment "ns/web" : 40:1 }
	}

	map guarded {
		type ipv4_addr . inet_proto . inet_service : classid
		size 768
		comment "addresses that only some sources may use"
		elements = { 203.0.113.1 . tcp . 80 comment "ns/sticky" : 70:2 }
	}

	map classes {
		type classid : verdict
		size 4096
		elements = { 10:0 : goto refuse, 20:0 : goto discard, 30:0 : goto internal-3, 40:0 : goto external-3, 50:0 : goto internal-2-10800,
			     60:0 : goto external-local-2-1-10800, 70:0 : goto guard-ece1ceb1b40793f3 }
	}

	set cluster-ips {
		type ipv4_addr
		size 12288
		elements = { 10.96.0.10, 10.96.0.11,
			     10.96.0.12 }
	}

	set hairpin {
		type ipv4_addr . ipv4_addr
		size 768
		comment "endpoints that may reach themselves"
		elements = { 10.244.0.5 . 10.244.0.5 }
	}

	map endpoints {
		typeof meta priority . numgen random mod 4096 : ip daddr . th dport
		size 24576
		elements = { 0:1 . 0 : 10.244.0.5 . 8080,
			     0:1 . 1 : 10.244.1.5 . 8080,
			     0:1 . 2 : 10.244.2.5 . 8080 }
	}

	map local-endpoints {
		typeof meta priority . numgen random mod 4096 : ip daddr . th dport
		size 3072
	}

	map affinity {
		type classid . ipv4_addr : classid
		size 131072
		flags dynamic,timeout
		comment "which endpoint a client has of a service, by number"
	}

	map sticky-endpoints {
		typeof meta priority . numgen random mod 4096 : meta priority
		size 768
		elements = { 0:2 . 0 : 10:2,
			     0:2 . 1 : 20:2 }
	}

	map sticky-local-endpoints {
		typeof meta priority . numgen random mod 4096 : meta priority
		size 768
		elements = { 0:2 . 0 : 10:2 }
	}

	map sticky-addresses {
		type classid : ipv4_addr . inet_service
		size 768
		elements = { 10:2 : 10.244.0.5 . 8080, 20:2 : 10.244.1.5 . 8080 }
	}

	map sticky-local-addresses {
		type classid : ipv4_addr . inet_service
		size 768
		elements = { 10:2 : 10.244.0.5 . 8080 }
	}

	set traffic-in {
		type ipv4_addr . inet_proto . inet_service
		size 65536
		flags dynamic,timeout
	}

	set traffic-out {
		type ipv4_addr . inet_proto . inet_service
		size 65536
		flags dynamic,timeout
	}

	chain localhost-guard {
		type filter hook prerouting priority raw; policy accept;
		iifname != "lo" ip daddr 127.0.0.0/8 drop comment "route_localnet must not open 127.0.0.1 to neighbours"
	}

	chain account {
		ct direction original meta l4proto tcp update @traffic-in { ct original ip daddr . meta l4proto . ct original proto-dst timeout 1h counter }
		ct direction original meta l4proto udp update @traffic-in { ct original ip daddr . meta l4proto . ct original proto-dst timeout 1h counter }
		ct direction original meta l4proto sctp update @traffic-in { ct original ip daddr . meta l4proto . ct original proto-dst timeout 1h counter }
		ct direction reply meta l4proto tcp update @traffic-out { ct original ip daddr . meta l4proto . ct original proto-dst timeout 1h counter }
		ct direction reply meta l4proto udp update @traffic-out { ct original ip daddr . meta l4proto . ct original proto-dst timeout 1h counter }
		ct direction reply meta l4proto sctp update @traffic-out { ct original ip daddr . meta l4proto . ct original proto-dst timeout 1h counter }
	}

	chain account-forward {
		type filter hook forward priority filter; policy accept;
		ct status dnat jump account
	}

	chain account-input {
		type filter hook input priority filter; policy accept;
		iifname != "lo" ct status dnat jump account comment "over lo they were counted when they left"
	}

	chain account-output {
		type filter hook output priority filter; policy accept;
		ct status dnat jump account
	}

	chain refuse {
		reject with tcp reset
		reject
	}

	chain discard {
		drop
	}

	chain guard {
		meta priority & fff0:0 vmap @classes
		goto discard
	}

	chain serve {
		meta priority & fff0:0 vmap @classes
		goto discard comment "between two transactions"
	}

	chain dispatch {
		meta priority set ip daddr . meta l4proto . th dport map @guarded jump guard
		meta priority set ip daddr . meta l4proto . th dport map @services goto serve
		fib daddr type local meta priority set meta l4proto . th dport map @node-ports goto serve
		ip daddr @cluster-ips goto refuse comment "ports that no service has"
		ip daddr { 10.96.0.0/16, 10.98.0.0/16 } goto discard comment "addresses that no service has"
	}

	chain nat-prerouting {
		type nat hook prerouting priority dstnat; policy accept;
		jump dispatch
	}

	chain nat-output {
		type nat hook output priority -100; policy accept;
		jump dispatch
	}

	chain nat-postrouting {
		type nat hook postrouting priority srcnat; policy accept;
		ct status dnat meta priority set none
		meta mark & 0x00004000 != 0x00000000 meta mark set meta mark ^ 0x00004000 masquerade fully-random
		ct status dnat ip saddr . ip daddr @hairpin masquerade fully-random comment "an endpoint that reached itself"
	}

	chain pick-3 {
		meta priority set meta priority & f:ffff
		meta l4proto { tcp, udp, sctp } dnat ip to meta priority . numgen random mod 3 map @endpoints
		meta l4proto { tcp, udp, sctp } dnat ip to meta priority . numgen random mod 1 map @endpoints comment "a list that just became shorter"
		goto discard
	}

	chain internal-3 {
		ip saddr != 10.244.0.0/16 meta mark set meta mark | 0x00004000
		goto pick-3
	}

	chain external-3 {
		meta mark set meta mark | 0x00004000
		goto pick-3
	}

	chain sticky-2-10800 {
		meta priority set meta priority & f:ffff
		meta priority set meta priority . ip saddr map @affinity
		meta priority & fff0:0 != none update @affinity { meta priority & f:ffff . ip saddr timeout 3h : meta priority } meta l4proto { tcp, udp, sctp } dnat ip to meta priority map @sticky-addresses
		meta priority & fff0:0 != none delete @affinity { meta priority & f:ffff . ip saddr : meta priority } comment "its endpoint is gone"
		meta priority set meta priority & f:ffff
		meta priority set meta priority . numgen random mod 2 map @sticky-endpoints
		update @affinity { meta priority & f:ffff . ip saddr timeout 3h : meta priority } meta l4proto { tcp, udp, sctp } dnat ip to meta priority map @sticky-addresses
		meta l4proto { tcp, udp, sctp } dnat ip to meta priority map @sticky-addresses comment "no room to remember the client"
		goto discard
	}

	chain internal-2-10800 {
		ip saddr != 10.244.0.0/16 meta mark set meta mark | 0x00004000
		goto sticky-2-10800
	}

	chain sticky-local-1-10800 {
		meta priority set meta priority & f:ffff
		meta priority set meta priority . ip saddr map @affinity
		meta priority & fff0:0 != none update @affinity { meta priority & f:ffff . ip saddr timeout 3h : meta priority } meta l4proto { tcp, udp, sctp } dnat ip to meta priority map @sticky-local-addresses
		meta priority & fff0:0 != none delete @affinity { meta priority & f:ffff . ip saddr : meta priority } comment "its endpoint is gone"
		meta priority set meta priority & f:ffff
		meta priority set meta priority . numgen random mod 1 map @sticky-local-endpoints
		update @affinity { meta priority & f:ffff . ip saddr timeout 3h : meta priority } meta l4proto { tcp, udp, sctp } dnat ip to meta priority map @sticky-local-addresses
		meta l4proto { tcp, udp, sctp } dnat ip to meta priority map @sticky-local-addresses comment "no room to remember the client"
		goto discard
	}

	chain external-local-2-1-10800 {
		ip saddr 10.244.0.0/16 goto sticky-2-10800
		fib saddr type local meta mark set meta mark | 0x00004000
		fib saddr type local goto sticky-2-10800
		goto sticky-local-1-10800
	}

	chain guard-ece1ceb1b40793f3 {
		ip saddr { 192.0.2.0/24, 198.51.100.0/24, 203.0.113.1 } return
		goto discard
	}
}
`);
});
