// What is in iptables beside service ports: the fixed chains, what leads to them from the built-in ones, what ends the shared
// chains, and the canaries. To the byte as kube-proxy writes it.
import type { RuleContext } from '../rule-context.ts';
import {
  canaryChain,
  externalServicesChain,
  forwardChain,
  kubeletFirewallChain,
  markMasqueradeChain,
  nodePortsChain,
  postroutingChain,
  proxyFirewallChain,
  servicesChain,
} from './chain-names.ts';
import type { PlaceName, TableName } from './place.ts';

export interface FixedChain {
  readonly table: TableName;
  readonly chain: string;
  readonly lines: readonly string[];
}

/** A line in a chain that is not ours alone: it has to be there once, wherever. */
export interface ForeignLine {
  readonly table: TableName;
  readonly chain: string;
  readonly line: string;
}

export interface FixedRules {
  readonly chains: readonly FixedChain[];
  /** Last lines of shared chains. */
  readonly tails: Readonly<Partial<Record<PlaceName, readonly string[]>>>;
  /** In the order in which they are put at the top of their chains, so the last comes first. */
  readonly jumps: readonly ForeignLine[];
  /** Chains that only have to be there: kubelet's, and those that tell when everything was flushed. */
  readonly present: readonly { readonly table: TableName; readonly chain: string }[];
  /** The sysctl route_localnet is needed. */
  readonly routeLocalnet: boolean;
}

export interface FixedRuleOptions {
  /** iptables knows MASQUERADE --random-fully. */
  readonly randomFully: boolean;
}

export function fixedRules(context: RuleContext, { randomFully }: FixedRuleOptions): FixedRules {
  const localhost = context.family === 4 && context.localhostNodePorts;
  return {
    chains: fixedChains(context, randomFully),
    tails: { services: nodePortTail(context) },
    jumps: [...baseJumps, ...(localhost ? [localnetGuard] : [])],
    present: [
      { table: 'filter', chain: kubeletFirewallChain },
      ...(['mangle', 'nat', 'filter'] as const).map((table) => ({ table, chain: canaryChain })),
    ],
    routeLocalnet: localhost,
  };
}

/** As Go prints it with "%#08x": eight digits beside the 0x. */
function markText(mark: number): string {
  return `0x${mark.toString(16).padStart(8, '0')}`;
}

function fixedChains(context: RuleContext, randomFully: boolean): readonly FixedChain[] {
  const mark = markText(context.masqueradeMark);
  const fully = randomFully ? ' --random-fully' : '';
  return [
    {
      table: 'nat',
      chain: postroutingChain,
      lines: [
        `-m mark ! --mark ${mark}/${mark} -j RETURN`,
        // The mark would ask again when the packet passes a second time.
        `-j MARK --xor-mark ${mark}`,
        `-m comment --comment "kubernetes service traffic requiring SNAT" -j MASQUERADE${fully}`,
      ],
    },
    { table: 'nat', chain: markMasqueradeChain, lines: [`-j MARK --or-mark ${mark}`] },
    {
      table: 'filter',
      chain: forwardChain,
      lines: [
        ...(context.dropInvalid ? ['-m conntrack --ctstate INVALID -j DROP'] : []),
        `-m comment --comment "kubernetes forwarding rules" -m mark --mark ${mark}/${mark} -j ACCEPT`,
        '-m comment --comment "kubernetes forwarding conntrack rule" -m conntrack --ctstate RELATED,ESTABLISHED -j ACCEPT',
      ],
    },
  ];
}

function nodePortTail(context: RuleContext): readonly string[] {
  const { family, nodePortIps, localhostNodePorts } = context;
  const line = (match: string) =>
    `-m comment --comment "kubernetes service nodeports; NOTE: this must be the last rule in this chain" ${match} -j ${nodePortsChain}`;
  const isLocalhost = family === 4 && localhostNodePorts;
  if (nodePortIps === 'all') {
    const without = family === 6 ? ' ! -d ::1/128' : isLocalhost ? '' : ' ! -d 127.0.0.0/8';
    return [line(`-m addrtype --dst-type LOCAL${without}`)];
  }
  return [...nodePortIps.map(String), ...(isLocalhost ? ['127.0.0.0/8'] : [])].map((one) =>
    line(`-d ${one}`),
  );
}

const newOnly = '-m conntrack --ctstate NEW ';

function jump(
  table: TableName,
  chain: string,
  to: { readonly chain: string; readonly match?: string; readonly comment?: string },
): ForeignLine {
  const comment = to.comment === undefined ? '' : `-m comment --comment "${to.comment}" `;
  return { table, chain, line: `${to.match ?? ''}${comment}-j ${to.chain}` };
}

const externals = {
  chain: externalServicesChain,
  match: newOnly,
  comment: 'kubernetes externally-visible service portals',
};
const portals = { chain: servicesChain, comment: 'kubernetes service portals' };
const balancerFirewall = {
  chain: proxyFirewallChain,
  match: newOnly,
  comment: 'kubernetes load balancer firewall',
};

const baseJumps: readonly ForeignLine[] = [
  jump('filter', 'INPUT', externals),
  jump('filter', 'FORWARD', externals),
  jump('filter', 'INPUT', { chain: nodePortsChain, comment: 'kubernetes health check service ports' }),
  jump('filter', 'FORWARD', { ...portals, match: newOnly }),
  jump('filter', 'OUTPUT', { ...portals, match: newOnly }),
  jump('filter', 'FORWARD', { chain: forwardChain, comment: 'kubernetes forwarding rules' }),
  jump('filter', 'INPUT', balancerFirewall),
  jump('filter', 'OUTPUT', balancerFirewall),
  jump('filter', 'FORWARD', balancerFirewall),
  jump('nat', 'OUTPUT', portals),
  jump('nat', 'PREROUTING', portals),
  jump('nat', 'POSTROUTING', { chain: postroutingChain, comment: 'kubernetes postrouting rules' }),
  jump('filter', 'INPUT', { chain: kubeletFirewallChain }),
  jump('filter', 'OUTPUT', { chain: kubeletFirewallChain }),
];

/**
 * route_localnet lets neighbours send to 127.0.0.1 (CVE-2020-8558): only what is translated may. kubelet writes the same line into its
 * chain.
 */
const localnetGuard: ForeignLine = {
  table: 'filter',
  chain: kubeletFirewallChain,
  line: '-m comment --comment "block incoming localnet connections" -d 127.0.0.0/8 ! -s 127.0.0.0/8 -m conntrack ! --ctstate RELATED,ESTABLISHED,DNAT -j DROP',
};
