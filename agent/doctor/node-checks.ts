// Checks of the node around the pods: what its runtime calls, and whether it lets packets through. Pure.
import { join } from 'node:path';
import { Prefix } from '../../net/prefix.ts';
import type { Finding } from './finding.ts';
import type { FilterTable, NodeFacts } from './node-facts.ts';

/** Runtimes take the first configuration in the order of names. */
export function otherConflists({ conflists: { directory, own, names } }: NodeFacts): readonly Finding[] {
  const [first] = names;
  if (first === undefined || first === own || !names.includes(own)) return [];
  return [
    {
      check: 'other-conflist',
      severity: 'error',
      object: join(directory, first),
      finding: 'another network configuration comes first: the runtime calls its plugins for new pods',
      evidence: `"${first}" sorts before "${own}"`,
      remedy: `move "${join(directory, first)}" out of the directory, or away from the endings .conf, .conflist and .json`,
    },
  ];
}

/** A packet that one table accepts is still dropped by another: only iptables rules help against a policy of iptables. */
export function forwardPolicy({ forwarding: { filters, podSubnets } }: NodeFacts): readonly Finding[] {
  return filters.flatMap((filter): readonly Finding[] => {
    if (filter.hasOurs) return [];
    const subnets = podSubnets.filter(({ family }) => family === filter.family);
    if (filter.forwardPolicy !== 'DROP' || subnets.length === 0) return [];
    if (subnets.every((subnet) => isAccepted(subnet, filter))) return [];
    const program = `${filter.family === 4 ? 'iptables' : 'ip6tables'}${filter.variant === 'legacy' ? '-legacy' : ''}`;
    return [
      {
        check: 'forward-policy',
        severity: 'error',
        object: `${program} FORWARD`,
        finding: 'what pods send to other nodes and to the outside is dropped',
        evidence: `the policy is DROP, and no rule accepts all from and to ${subnets.join(', ')}; a rule elsewhere that accepts does not undo that`,
        remedy: `run the agent with --masquerade=iptables, or accept what is from and to the pods: "${program} -A FORWARD -s ${subnets[0]} -j ACCEPT" and the same with -d`,
      },
    ];
  });
}

/** The same of chains of nftables: firewalld's, or those of /etc/nftables.conf. */
export function forwardDrop({ forwarding: { dropping, podSubnets } }: NodeFacts): readonly Finding[] {
  return dropping.flatMap(({ name, families, rules }): readonly Finding[] => {
    const subnets = podSubnets.filter(({ family }) => families.includes(family));
    if (subnets.length === 0 || rules?.some(mayAccept) === true) return [];
    return [
      {
        check: 'forward-drop',
        severity: rules === undefined ? 'hint' : 'error',
        object: name,
        finding:
          rules === undefined
            ? 'a chain of somebody else’s drops what it does not accept: see that it accepts what is from and to pods'
            : 'what pods send to other nodes and to the outside is dropped',
        evidence: `its policy is drop, ${rules === undefined ? 'and its rules cannot be read here' : 'and no rule of its table accepts what it has not seen before'}; a table that accepts does not undo what another drops`,
        remedy: `accept it there: "ip saddr ${subnets[0]} accept" and the same with daddr (firewalld: put the pods’ bridge and network into zone trusted)`,
      },
    ];
  });
}

/** A rule that is more than the usual acceptance of known connections, of loopback, ICMP or single ports: it may be about pods. */
function mayAccept(rule: string): boolean {
  if (!/\b(accept|jump|goto|vmap)\b/.test(rule)) return false;
  return !/\bct (state|status)\b|"lo"|icmp|\bdport\b/.test(rule);
}

/** By rules that look at nothing but addresses, in whatever chain. */
function isAccepted(subnet: Prefix, { rules }: FilterTable): boolean {
  const covers = (flag: string): boolean =>
    rules.some((rule) => {
      const match = /^-A \S+ (?:-([sd]) (\S+) )?(?:-m comment --comment (?:"[^"]*"|\S+) )?-j ACCEPT$/.exec(
        rule,
      );
      if (match === null) return false;
      const [, given, text] = match;
      if (given === undefined) return rule.startsWith('-A FORWARD ');
      return given === flag && Prefix.tryParse(text ?? '')?.contains(subnet) === true;
    });
  return covers('s') && covers('d');
}

export function forwardingOff({ forwarding: { podSubnets, sysctls } }: NodeFacts): readonly Finding[] {
  return podSubnets.flatMap((subnet): readonly Finding[] => {
    const key = forwardingKey(subnet);
    const value = sysctls.get(key);
    if (value === undefined || value !== '0') return [];
    return [
      {
        check: 'forwarding-off',
        severity: 'error',
        object: key.replaceAll('/', '.'),
        finding: 'the node does not forward: pods reach nothing but each other',
        evidence: `it is 0, and the node has the pod subnet ${subnet}`,
        remedy: `run "sysctl -w ${key.replaceAll('/', '.')}=1", and see that no file in /etc/sysctl.d says otherwise`,
        mend: { kind: 'sysctl-set', key, value: '1' },
      },
    ];
  });
}

export function forwardingKey({ family }: Prefix): string {
  return family === 4 ? 'net/ipv4/ip_forward' : 'net/ipv6/conf/all/forwarding';
}
