// What is in iptables beside service ports: the fixed chains, what leads to them from the built-in ones, what ends the shared
// chains, and the canaries. To the byte as kube-proxy writes it.
import type { RuleContext } from '../rule-context.ts';
import { type ForeignLine, iptablesJumps, ipvsFirewallJumps } from './base-jumps.ts';
import {
  canaryChain,
  forwardChain,
  kubeletFirewallChain,
  markMasqueradeChain,
  nodePortsChain,
  postroutingChain,
} from './chain-names.ts';
import { iptablesPlaces, type PlaceName, type TableName } from './place.ts';

export interface FixedChain {
  readonly table: TableName;
  readonly chain: string;
  readonly lines: readonly string[];
}

export interface FixedRules {
  readonly chains: readonly FixedChain[];
  /** The shared chains that there are. */
  readonly places: readonly PlaceName[];
  /** Last lines of shared chains. */
  readonly tails: Readonly<Partial<Record<PlaceName, readonly string[]>>>;
  /** In the order in which they are put at the top of their chains, so the last comes first. */
  readonly jumps: readonly ForeignLine[];
  /** Chains that only have to be there: kubelet's, and those that tell when everything was flushed. */
  readonly present: readonly { readonly table: TableName; readonly chain: string }[];
  /** Chains of the other mode that has iptables rules: they go, with what leads to them from the built-in chains. */
  readonly isOld: (table: TableName, chain: string) => boolean;
  /** Lines of the other mode in chains that stay. */
  readonly oldJumps: readonly ForeignLine[];
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
    places: iptablesPlaces,
    tails: { services: nodePortTail(context) },
    jumps: [...iptablesJumps, ...(localhost ? [localnetGuard] : [])],
    present: [
      { table: 'filter', chain: kubeletFirewallChain },
      ...(['mangle', 'nat', 'filter'] as const).map((table) => ({ table, chain: canaryChain })),
    ],
    // Those of IPVS mode go when its connections have ended: leftovers/.
    isOld: () => false,
    oldJumps: ipvsFirewallJumps,
    routeLocalnet: localhost,
  };
}

/** As Go prints it with "%#08x": eight digits beside the 0x. */
export function markText(mark: number): string {
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

/**
 * route_localnet lets neighbours send to 127.0.0.1 (CVE-2020-8558): only what is translated may. kubelet writes the same line into its
 * chain.
 */
const localnetGuard: ForeignLine = {
  table: 'filter',
  chain: kubeletFirewallChain,
  line: '-m comment --comment "block incoming localnet connections" -d 127.0.0.0/8 ! -s 127.0.0.0/8 -m conntrack ! --ctstate RELATED,ESTABLISHED,DNAT -j DROP',
};
