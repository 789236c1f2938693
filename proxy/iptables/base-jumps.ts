// What leads to the proxy's chains from chains that are not its alone, for both modes that have rules in iptables, as kube-proxy writes it.
// Each mode takes away those lines of the other that lead to chains of a name that both have.
import {
  externalServicesChain,
  forwardChain,
  ipvsFilterChain,
  kubeletFirewallChain,
  nodePortChain,
  nodePortsChain,
  postroutingChain,
  proxyFirewallChain,
  servicesChain,
} from './chain-names.ts';
import type { TableName } from './place.ts';

/** A line in a chain that is not ours alone: it has to be there once, wherever. */
export interface ForeignLine {
  readonly table: TableName;
  readonly chain: string;
  readonly line: string;
}

interface Target {
  readonly chain: string;
  readonly match?: string;
  readonly comment?: string;
}

const newOnly = '-m conntrack --ctstate NEW ';

function jump(table: TableName, chain: string, to: Target): ForeignLine {
  const comment = to.comment === undefined ? '' : `-m comment --comment "${to.comment}" `;
  return { table, chain, line: `${to.match ?? ''}${comment}-j ${to.chain}` };
}

const portals: Target = { chain: servicesChain, comment: 'kubernetes service portals' };
const postrouting: Target = { chain: postroutingChain, comment: 'kubernetes postrouting rules' };
const forwarding: Target = { chain: forwardChain, comment: 'kubernetes forwarding rules' };

const externals: Target = {
  chain: externalServicesChain,
  match: newOnly,
  comment: 'kubernetes externally-visible service portals',
};
const balancerFirewall: Target = {
  chain: proxyFirewallChain,
  match: newOnly,
  comment: 'kubernetes load balancer firewall',
};

/** In the order in which they are put at the top of their chains, so the last comes first. */
export const iptablesJumps: readonly ForeignLine[] = [
  jump('filter', 'INPUT', externals),
  jump('filter', 'FORWARD', externals),
  jump('filter', 'INPUT', { chain: nodePortsChain, comment: 'kubernetes health check service ports' }),
  jump('filter', 'FORWARD', { ...portals, match: newOnly }),
  jump('filter', 'OUTPUT', { ...portals, match: newOnly }),
  jump('filter', 'FORWARD', forwarding),
  jump('filter', 'INPUT', balancerFirewall),
  jump('filter', 'OUTPUT', balancerFirewall),
  jump('filter', 'FORWARD', balancerFirewall),
  jump('nat', 'OUTPUT', portals),
  jump('nat', 'PREROUTING', portals),
  jump('nat', 'POSTROUTING', postrouting),
  jump('filter', 'INPUT', { chain: kubeletFirewallChain }),
  jump('filter', 'OUTPUT', { chain: kubeletFirewallChain }),
];

const ipvsFirewall: Target = { chain: proxyFirewallChain, comment: 'kube-proxy firewall rules' };

/** Of these the one in mangle is not kube-proxy's: a packet of the node itself meets IPVS before it meets the filter table. */
export const ipvsJumps: readonly ForeignLine[] = [
  jump('filter', 'FORWARD', forwarding),
  jump('filter', 'INPUT', { chain: nodePortChain, comment: 'kubernetes health check rules' }),
  jump('filter', 'INPUT', ipvsFirewall),
  jump('filter', 'FORWARD', ipvsFirewall),
  jump('filter', 'INPUT', { chain: ipvsFilterChain, comment: 'kubernetes ipvs access filter' }),
  jump('mangle', 'OUTPUT', ipvsFirewall),
  jump('nat', 'OUTPUT', portals),
  jump('nat', 'PREROUTING', portals),
  jump('nat', 'POSTROUTING', postrouting),
];

/** Jumps to filter KUBE-PROXY-FIREWALL, the one chain that the modes lead to by different lines. */
const isFirewall = ({ table, line }: ForeignLine): boolean =>
  table === 'filter' && line.endsWith(` ${proxyFirewallChain}`);

export const iptablesFirewallJumps = iptablesJumps.filter(isFirewall);
export const ipvsFirewallJumps = ipvsJumps.filter(isFirewall);
