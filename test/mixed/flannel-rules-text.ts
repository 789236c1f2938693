// The rules that flannel makes on a node, as it gives them to iptables-restore and nft: with --ip-masq, and its forward rules.

export interface RulesPlace {
  readonly network: string;
  readonly subnet: string;
}

/** trafficmngr/iptables: its chains are made, or emptied, by calls of their own before. */
export function flannelIptables({ network, subnet }: RulesPlace): string {
  const masq = '-m comment --comment "flanneld masq"';
  const forward = '-m comment --comment "flanneld forward"';
  return `*nat
-A POSTROUTING ${masq} -j FLANNEL-POSTRTG
-A FLANNEL-POSTRTG -m mark --mark 0x4000/0x4000 ${masq} -j RETURN
-A FLANNEL-POSTRTG -s ${subnet} -d ${network} ${masq} -j RETURN
-A FLANNEL-POSTRTG -s ${network} -d ${subnet} ${masq} -j RETURN
-A FLANNEL-POSTRTG ! -s ${network} -d ${subnet} ${masq} -j RETURN
-A FLANNEL-POSTRTG -s ${network} ! -d 224.0.0.0/4 ${masq} -j MASQUERADE --random-fully
-A FLANNEL-POSTRTG ! -s ${network} -d ${network} ${masq} -j MASQUERADE --random-fully
COMMIT
*filter
-A FORWARD ${forward} -j FLANNEL-FWD
-A FLANNEL-FWD -s ${network} ${forward} -j ACCEPT
-A FLANNEL-FWD -d ${network} ${forward} -j ACCEPT
COMMIT
`;
}

/** trafficmngr/nftables: a transaction of knftables a step, here all in one. The table of the other family stays empty. */
export function flannelNftables({ network, subnet }: RulesPlace): string {
  return `add table ip flannel-ipv4 { comment "rules for flannel-ipv4" ; }
add table ip6 flannel-ipv6 { comment "rules for flannel-ipv6" ; }
add chain ip flannel-ipv4 postrtg { type nat hook postrouting priority srcnat ; comment "chain to manage traffic masquerading by flannel" ; }
flush chain ip flannel-ipv4 postrtg
add rule ip flannel-ipv4 postrtg meta mark 0x4000 return
add rule ip flannel-ipv4 postrtg ip saddr ${subnet} ip daddr ${network} return
add rule ip flannel-ipv4 postrtg ip saddr ${network} ip daddr ${subnet} return
add rule ip flannel-ipv4 postrtg ip saddr != ${subnet} ip daddr ${network} return
add rule ip flannel-ipv4 postrtg ip saddr ${network} ip daddr != 224.0.0.0/4 masquerade fully-random
add rule ip flannel-ipv4 postrtg ip saddr != ${network} ip daddr ${network} masquerade fully-random
add chain ip flannel-ipv4 forward { type filter hook forward priority filter ; comment "chain to accept flannel traffic" ; }
flush chain ip flannel-ipv4 forward
add rule ip flannel-ipv4 forward ip saddr ${network} accept
add rule ip flannel-ipv4 forward ip daddr ${network} accept
`;
}
