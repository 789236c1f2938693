// What is in iptables in IPVS mode whatever services there are: it asks sets. kube-proxy's chains by its names, with what it does not do:
// refusing what has no endpoint, source ranges for the node's own packets, and policy Local as the other modes have it.

import type { Family } from '../../net/address.ts';
import { iptablesFirewallJumps, ipvsJumps } from '../iptables/base-jumps.ts';
import {
  externalLocalChain,
  forwardChain,
  ipvsFilterChain,
  loadBalancerChain,
  markMasqueradeChain,
  nodePortChain,
  postroutingChain,
  proxyFirewallChain,
  servicesChain,
  sourceRangesChain,
} from '../iptables/chain-names.ts';
import { type FixedChain, type FixedRules, markText } from '../iptables/fixed-rules.ts';
import { ifNotLocal } from '../iptables/local-match.ts';
import { isOldForIpvs } from '../iptables/own-chains.ts';
import type { RuleContext } from '../rule-context.ts';
import { nameOfSet, type SetName } from './set-names.ts';

export interface IpvsRuleOptions {
  /** iptables knows MASQUERADE --random-fully. */
  readonly randomFully: boolean;
}

const newOnly = '-m conntrack --ctstate NEW';
const fromNode = '-m addrtype --src-type LOCAL';

export function ipvsFixedRules(context: RuleContext, { randomFully }: IpvsRuleOptions): FixedRules {
  const inSet = (name: SetName, what = 'dst,dst') =>
    `-m set --match-set ${nameOfSet(name, context.family)} ${what}`;
  return {
    chains: [
      ...natChains(context, { inSet, randomFully }),
      ...filterChains(context, inSet),
      ...firewallChains(inSet),
    ],
    places: ['externalLocal', 'localNodePorts'],
    tails: { localNodePorts: nodePortTail(inSet, context.family) },
    jumps: ipvsJumps,
    present: [],
    isOld: isOldForIpvs,
    oldJumps: iptablesFirewallJumps,
    routeLocalnet: false,
  };
}

type InSet = (name: SetName, what?: string) => string;

function natChains(
  context: RuleContext,
  { inSet, randomFully }: IpvsRuleOptions & { readonly inSet: InSet },
): readonly FixedChain[] {
  const mark = markText(context.masqueradeMark);
  const masquerade = `-j MASQUERADE${randomFully ? ' --random-fully' : ''}`;
  return [
    { table: 'nat', chain: servicesChain, lines: servicesLines(context, inSet) },
    {
      table: 'nat',
      chain: loadBalancerChain,
      lines: [
        `${inSet('KUBE-LOAD-BALANCER-LOCAL')} ${fromNode} -j ${markMasqueradeChain}`,
        `-m comment --comment "Kubernetes service load balancer ip + port with externalTrafficPolicy=local" ${inSet('KUBE-LOAD-BALANCER-LOCAL')} -j RETURN`,
        `-j ${markMasqueradeChain}`,
      ],
    },
    { table: 'nat', chain: markMasqueradeChain, lines: [`-j MARK --or-mark ${mark}`] },
    {
      table: 'nat',
      chain: postroutingChain,
      lines: [
        // A pod that reaches itself. kube-proxy masquerades it here, and a mark that it has leaves the node with it.
        `-m comment --comment "Kubernetes endpoints dst ip:port, source ip for solving hairpin purpose" ${inSet('KUBE-LOOP-BACK', 'dst,dst,src')} -j ${markMasqueradeChain}`,
        `-m mark ! --mark ${mark}/${mark} -j RETURN`,
        `-j MARK --xor-mark ${mark}`,
        `-m comment --comment "kubernetes service traffic requiring SNAT" ${masquerade}`,
      ],
    },
  ];
}

/**
 * Decides nat for the connection and changes nothing. Host ports of pods, in any chain of nat behind this one, then do not catch what is for a
 * service: its address is local, as those are that they are published on. ACCEPT, kube-proxy's target, only ends the chains of iptables.
 */
function untranslated(family: Family): string {
  return `-j NETMAP --to ${family === 4 ? '0.0.0.0/0' : '::/0'}`;
}

function servicesLines(context: RuleContext, inSet: InSet): readonly string[] {
  const { family, nodePortIps } = context;
  const loopback = family === 4 ? '127.0.0.0/8' : '::1/128';
  const nodePorts =
    nodePortIps === 'all'
      ? [`-m addrtype --dst-type LOCAL ! -d ${loopback} -j ${nodePortChain}`]
      : nodePortIps.map((ip) => `-d ${ip} -j ${nodePortChain}`);
  return [
    // IPVS lets nothing from there leave the node.
    `-s ${loopback} -j RETURN`,
    ...(['KUBE-EXTERNAL-IP-LOCAL', 'KUBE-LOAD-BALANCER-LOCAL'] as const).map(
      (set) => `${inSet(set)} -j ${externalLocalChain}`,
    ),
    `-m comment --comment "Kubernetes service lb portal" ${inSet('KUBE-LOAD-BALANCER')} -j ${loadBalancerChain}`,
    ...clusterIpMasquerade(context, inSet),
    `-m comment --comment "Kubernetes service external ip + port for masquerade and filter purpose" ${inSet('KUBE-EXTERNAL-IP')} -j ${markMasqueradeChain}`,
    `${inSet('KUBE-EXTERNAL-IP-LOCAL')} ${fromNode} -j ${markMasqueradeChain}`,
    // An external address may be a node's own, which the last of the sets does not have.
    ...(['KUBE-CLUSTER-IP', 'KUBE-LOAD-BALANCER', 'KUBE-EXTERNAL-IP', 'KUBE-EXTERNAL-IP-LOCAL'] as const).map(
      (set) => `${inSet(set)} ${untranslated(family)}`,
    ),
    `${inSet('KUBE-IPVS-IPS', 'dst')} ${untranslated(family)}`,
    ...nodePorts,
  ];
}

function clusterIpMasquerade({ masqueradeAll, localDetector }: RuleContext, inSet: InSet): readonly string[] {
  const comment = '-m comment --comment "Kubernetes service cluster ip + port for masquerade purpose"';
  if (masqueradeAll) return [`${comment} ${inSet('KUBE-CLUSTER-IP')} -j ${markMasqueradeChain}`];
  const notLocal = ifNotLocal(localDetector);
  if (notLocal !== undefined)
    return [`${comment} ${inSet('KUBE-CLUSTER-IP')} ${notLocal} -j ${markMasqueradeChain}`];
  // What the node itself sends has the address that it dials as its source, which is no answer's destination elsewhere.
  return [`${comment} ${inSet('KUBE-CLUSTER-IP', 'src,dst')} -j ${markMasqueradeChain}`];
}

function nodePortTail(inSet: InSet, family: Family): readonly string[] {
  const lines = (protocol: string, sets: { readonly all: string; readonly local: string }) => [
    `-p ${protocol} ${sets.local} ${fromNode} -j ${markMasqueradeChain}`,
    `-p ${protocol} -m comment --comment "Kubernetes nodeport ${protocol.toUpperCase()} port with externalTrafficPolicy=local" ${sets.local} ${untranslated(family)}`,
    `-p ${protocol} -m comment --comment "Kubernetes nodeport ${protocol.toUpperCase()} port for masquerade purpose" ${sets.all} -j ${markMasqueradeChain}`,
    `-p ${protocol} ${sets.all} ${untranslated(family)}`,
  ];
  return [
    ...lines('tcp', {
      all: inSet('KUBE-NODE-PORT-TCP', 'dst'),
      local: inSet('KUBE-NODE-PORT-LOCAL-TCP', 'dst'),
    }),
    ...lines('udp', {
      all: inSet('KUBE-NODE-PORT-UDP', 'dst'),
      local: inSet('KUBE-NODE-PORT-LOCAL-UDP', 'dst'),
    }),
    ...lines('sctp', {
      all: inSet('KUBE-NODE-PORT-SCTP-HASH'),
      local: inSet('KUBE-NODE-PORT-LOCAL-SCTP-HASH'),
    }),
  ];
}

function filterChains(context: RuleContext, inSet: InSet): readonly FixedChain[] {
  const mark = markText(context.masqueradeMark);
  return [
    {
      table: 'filter',
      chain: forwardChain,
      lines: [
        `-m comment --comment "kubernetes forwarding rules" -m mark --mark ${mark}/${mark} -j ACCEPT`,
        '-m comment --comment "kubernetes forwarding conntrack rule" -m conntrack --ctstate RELATED,ESTABLISHED -j ACCEPT',
      ],
    },
    {
      table: 'filter',
      chain: nodePortChain,
      lines: [
        `-m comment --comment "Kubernetes health check node port" -p tcp ${inSet('KUBE-HEALTH-CHECK-NODE-PORT', 'dst')} -j ACCEPT`,
      ],
    },
    {
      table: 'filter',
      chain: ipvsFilterChain,
      lines: [
        // A client on this node takes no notice of ICMP until its second SYN, a second later: hence the reset.
        `${newOnly} -p tcp ${inSet('KUBE-NO-ENDPOINTS')} -j REJECT --reject-with tcp-reset`,
        `${newOnly} ${inSet('KUBE-NO-ENDPOINTS')} -j REJECT`,
        `${newOnly} ${inSet('KUBE-NO-LOCAL-ENDPOINTS')} -j DROP`,
        ...(
          ['KUBE-LOAD-BALANCER', 'KUBE-CLUSTER-IP', 'KUBE-EXTERNAL-IP', 'KUBE-EXTERNAL-IP-LOCAL'] as const
        ).map((set) => `${inSet(set)} -j RETURN`),
        `-p tcp ${inSet('KUBE-HEALTH-CHECK-NODE-PORT', 'dst')} -j RETURN`,
        // What listens on all of the node's addresses is not to be had by those of services.
        `${newOnly} -p tcp ${inSet('KUBE-IPVS-IPS', 'dst')} -j REJECT --reject-with tcp-reset`,
        `${newOnly} ${inSet('KUBE-IPVS-IPS', 'dst')} -j REJECT`,
      ],
    },
  ];
}

/** In filter for what comes to this node, in mangle for what it sends itself, which IPVS takes before filter sees it. */
function firewallChains(inSet: InSet): readonly FixedChain[] {
  return (['filter', 'mangle'] as const).flatMap((table): readonly FixedChain[] => [
    {
      table,
      chain: proxyFirewallChain,
      lines: [
        `-m comment --comment "Kubernetes service load balancer ip + port for load balancer with sourceRange" ${newOnly} ${inSet('KUBE-LOAD-BALANCER-FW')} -j ${sourceRangesChain}`,
      ],
    },
    {
      table,
      chain: sourceRangesChain,
      lines: [
        `-m comment --comment "Kubernetes service load balancer ip + port + source cidr for packet filter" ${inSet('KUBE-LOAD-BALANCER-SOURCE-CIDR', 'dst,dst,src')} -j RETURN`,
        `-m comment --comment "Kubernetes service load balancer ip + port + source IP for packet filter purpose" ${inSet('KUBE-LOAD-BALANCER-SOURCE-IP', 'dst,dst,src')} -j RETURN`,
        '-j DROP',
      ],
    },
  ]);
}
