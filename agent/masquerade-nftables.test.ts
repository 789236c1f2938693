import { expect, test } from '@jest/globals';
import { tableText } from '../kernel/nft/text.ts';
import { Prefix } from '../net/prefix.ts';
import { masqueradeTable } from './masquerade-nftables.ts';

test('both families, an exclusion, forward rules', () => {
  const table = masqueradeTable({
    families: [
      {
        family: 4,
        network: Prefix.parse('10.244.0.0/16'),
        subnet: Prefix.parse('10.244.1.0/24'),
        exclude: [Prefix.parse('192.168.0.0/16')],
      },
      {
        family: 6,
        network: Prefix.parse('fd00:244::/48'),
        subnet: Prefix.parse('fd00:244:0:1::/64'),
        exclude: [],
      },
    ],
    randomFully: true,
    forward: true,
  });
  expect(`${tableText(table).trimEnd()}\n`).toBe(`table inet netloom {
	comment "Made by netloom agent"
	chain postrouting {
		type nat hook postrouting priority srcnat; policy accept;
		meta mark & 0x00004000 == 0x00004000 return comment "kube-proxy masquerades these itself"
		ip saddr 10.244.1.0/24 ip daddr 10.244.0.0/16 return comment "between pods the source stays"
		ip saddr 10.244.0.0/16 ip daddr 10.244.1.0/24 return comment "between pods the source stays"
		ip saddr != 10.244.0.0/16 ip daddr 10.244.1.0/24 return comment "to pods of this node the source stays"
		ip saddr 10.244.0.0/16 ip daddr 192.168.0.0/16 return comment "excluded"
		ip saddr 10.244.0.0/16 ip daddr != 224.0.0.0/4 masquerade fully-random comment "pods to outside"
		ip saddr != 10.244.0.0/16 ip daddr 10.244.0.0/16 masquerade fully-random comment "this node to pods of others"
		ip6 saddr fd00:244:0:1::/64 ip6 daddr fd00:244::/48 return comment "between pods the source stays"
		ip6 saddr fd00:244::/48 ip6 daddr fd00:244:0:1::/64 return comment "between pods the source stays"
		ip6 saddr != fd00:244::/48 ip6 daddr fd00:244:0:1::/64 return comment "to pods of this node the source stays"
		ip6 saddr fd00:244::/48 ip6 daddr != ff00::/8 masquerade fully-random comment "pods to outside"
		ip6 saddr != fd00:244::/48 ip6 daddr fd00:244::/48 masquerade fully-random comment "this node to pods of others"
	}

	chain forward {
		type filter hook forward priority filter; policy accept;
		ip saddr 10.244.0.0/16 accept comment "from pods"
		ip daddr 10.244.0.0/16 accept comment "to pods"
		ip6 saddr fd00:244::/48 accept comment "from pods"
		ip6 daddr fd00:244::/48 accept comment "to pods"
	}
}
`);
});

test('IPv4 alone, plain', () => {
  const table = masqueradeTable({
    families: [
      {
        family: 4,
        network: Prefix.parse('10.244.0.0/16'),
        subnet: Prefix.parse('10.244.1.0/24'),
        exclude: [],
      },
    ],
    randomFully: false,
    forward: false,
  });
  expect(`${tableText(table).trimEnd()}\n`).toBe(`table inet netloom {
	comment "Made by netloom agent"
	chain postrouting {
		type nat hook postrouting priority srcnat; policy accept;
		meta mark & 0x00004000 == 0x00004000 return comment "kube-proxy masquerades these itself"
		ip saddr 10.244.1.0/24 ip daddr 10.244.0.0/16 return comment "between pods the source stays"
		ip saddr 10.244.0.0/16 ip daddr 10.244.1.0/24 return comment "between pods the source stays"
		ip saddr != 10.244.0.0/16 ip daddr 10.244.1.0/24 return comment "to pods of this node the source stays"
		ip saddr 10.244.0.0/16 ip daddr != 224.0.0.0/4 masquerade comment "pods to outside"
		ip saddr != 10.244.0.0/16 ip daddr 10.244.0.0/16 masquerade comment "this node to pods of others"
	}
}
`);
});
