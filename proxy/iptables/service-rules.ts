// What one service port is in iptables, to the byte as kube-proxy writes it: chains of its own, and lines in chains that all ports share.
// Lines are without "-A CHAIN": the same text adds, inserts and deletes.
import type { RuleContext } from '../rule-context.ts';
import { externalTargets, internalTargets, type ServicePort, servicePortName } from '../service-port.ts';
import { markMasqueradeChain, portChain } from './chain-names.ts';
import { choosingLines, type EndpointRuleOptions, endpointChainLines } from './endpoint-rules.ts';
import { ifLocal, ifNotLocal } from './local-match.ts';
import type { PlaceName } from './place.ts';

export interface SharedLine {
  readonly place: PlaceName;
  readonly line: string;
}

export interface PortRules {
  /** Of table nat: chain -> lines. */
  readonly chains: ReadonlyMap<string, readonly string[]>;
  readonly shared: readonly SharedLine[];
  /** Endpoints that have a chain: what makes a cluster large. */
  readonly endpoints: number;
}

export type PortRuleOptions = EndpointRuleOptions & { readonly context: RuleContext };

/** What Kubernetes lets names be; anything else could end a line and begin another. */
const safeName = /^[A-Za-z0-9][A-Za-z0-9._:/-]*$/;

/** Throws SyntaxError when a name of the port cannot stand in a rule. */
export function portRules(port: ServicePort, options: PortRuleOptions): PortRules {
  checkName(port);
  const endpoints = reachableEndpoints(port);
  const chains = new Map(trafficChains(port, options));
  for (const endpoint of endpoints) {
    const { chain, lines } = endpointChainLines(port, { endpoint, comments: options.comments });
    chains.set(chain, lines);
  }
  return { chains, shared: sharedLines(port), endpoints: endpoints.length };
}

/** Throws SyntaxError when a name of the port cannot stand in a rule. */
export function checkName(port: ServicePort): void {
  if (!safeName.test(servicePortName(port)))
    throw new SyntaxError(`${JSON.stringify(servicePortName(port))} cannot stand in a rule's comment`);
}

export function endpointCount(port: ServicePort): number {
  return reachableEndpoints(port).length;
}

/** Those of the cluster, then those of this node that are not among them (terminating ones); sorted lists without doubles. */
function reachableEndpoints({ clusterEndpoints, localEndpoints }: ServicePort) {
  if (clusterEndpoints.length === 0) return localEndpoints;
  const known = new Set(clusterEndpoints.map(({ address, port }) => `${address} ${port}`));
  return [
    ...clusterEndpoints,
    ...localEndpoints.filter(({ address, port }) => !known.has(`${address} ${port}`)),
  ];
}

export function isExternallyAccessible({ nodePort, externalIps, loadBalancerIps }: ServicePort): boolean {
  return nodePort !== undefined || externalIps.length > 0 || loadBalancerIps.length > 0;
}

/** Only some sources may use its balancer's addresses, and there is something that they can use. */
export function hasFirewall({ hasAnyEndpoint, sourceRanges, loadBalancerIps }: ServicePort): boolean {
  return hasAnyEndpoint && loadBalancerIps.length > 0 && sourceRanges !== undefined;
}

/** KUBE-SVC or KUBE-SVL, by the policy. */
function policyChain(port: ServicePort, policy: 'Cluster' | 'Local'): string {
  return portChain(policy === 'Local' ? 'SVL' : 'SVC', port);
}

function sharedLines(port: ServicePort): readonly SharedLine[] {
  const { protocol, hasAnyEndpoint } = port;
  const name = servicePortName(port);
  const lines: SharedLine[] = [];
  const matchPort = (number: number) => `--dport ${number}`;
  const matchProtocol = `-m ${protocol} -p ${protocol}`;
  const commented = (comment: string) => `-m comment --comment "${name} ${comment}"`;
  const refused = hasAnyEndpoint
    ? { comment: commented('has no local endpoints'), target: 'DROP' }
    : { comment: commented('has no endpoints'), target: 'REJECT' };
  const to = (address: { toString(): string }) => `${matchProtocol} -d ${address} ${matchPort(port.port)}`;
  const refuses = externalTargets(port).kind !== 'endpoints';

  if (internalTargets(port).kind === 'endpoints') {
    const chain = policyChain(port, port.internalPolicy);
    lines.push({
      place: 'services',
      line: `${commented('cluster IP')} ${to(port.clusterIp)} -j ${chain}`,
    });
  } else {
    lines.push({
      place: 'refusedServices',
      line: `${refused.comment} ${to(port.clusterIp)} -j ${refused.target}`,
    });
  }

  // The external chain is there also when outsiders find no endpoint: pods and the node itself take the short way.
  const external = portChain('EXT', port);
  const firewall = portChain('FW', port);
  for (const address of port.externalIps) {
    if (hasAnyEndpoint)
      lines.push({ place: 'services', line: `${commented('external IP')} ${to(address)} -j ${external}` });
    if (refuses)
      lines.push({
        place: 'refusedExternals',
        line: `${refused.comment} ${to(address)} -j ${refused.target}`,
      });
  }
  for (const address of port.loadBalancerIps) {
    const target = hasFirewall(port) ? firewall : external;
    if (hasAnyEndpoint)
      lines.push({ place: 'services', line: `${commented('loadbalancer IP')} ${to(address)} -j ${target}` });
    if (hasFirewall(port))
      lines.push({
        place: 'firewall',
        line: `${commented(`traffic not accepted by ${firewall}`)} ${to(address)} -j DROP`,
      });
    if (refuses)
      lines.push({
        place: 'refusedExternals',
        line: `${refused.comment} ${to(address)} -j ${refused.target}`,
      });
  }
  if (port.nodePort !== undefined) {
    const match = `${matchProtocol} ${matchPort(port.nodePort)}`;
    if (hasAnyEndpoint)
      lines.push({ place: 'nodePorts', line: `-m comment --comment ${name} ${match} -j ${external}` });
    if (refuses)
      lines.push({
        place: 'refusedExternals',
        line: `${refused.comment} -m addrtype --dst-type LOCAL ${match} -j ${refused.target}`,
      });
  }
  if (port.healthCheckNodePort !== undefined) {
    lines.push({
      place: 'healthChecks',
      line: `${commented('health check node port')} -m tcp -p tcp ${matchPort(port.healthCheckNodePort)} -j ACCEPT`,
    });
  }
  return lines;
}

function trafficChains(
  port: ServicePort,
  { context, comments }: PortRuleOptions,
): readonly (readonly [string, readonly string[]])[] {
  const chains: [string, readonly string[]][] = [];
  if (port.hasAnyEndpoint && isExternallyAccessible(port))
    chains.push([portChain('EXT', port), externalLines(port, context)]);
  if (hasFirewall(port)) chains.push([portChain('FW', port), firewallLines(port, context)]);
  for (const policy of ['Cluster', 'Local'] as const) {
    const endpoints = policy === 'Cluster' ? port.clusterEndpoints : port.localEndpoints;
    if (endpoints.length === 0) continue;
    const internal = port.internalPolicy === policy ? internalMasquerade(port, context) : [];
    chains.push([policyChain(port, policy), [...internal, ...choosingLines(port, { endpoints, comments })]]);
  }
  return chains;
}

/** Traffic to the cluster IP that comes from outside: a node that routes it for others has to see the answers too. */
function internalMasquerade(port: ServicePort, context: RuleContext): readonly string[] {
  const notLocal = ifNotLocal(context.localDetector);
  if (!context.masqueradeAll && notLocal === undefined) return [];
  const { protocol } = port;
  const match = `-m comment --comment "${servicePortName(port)} cluster IP" -m ${protocol} -p ${protocol} -d ${port.clusterIp} --dport ${port.port}`;
  return [`${match}${context.masqueradeAll ? '' : ` ${notLocal}`} -j ${markMasqueradeChain}`];
}

function externalLines(port: ServicePort, context: RuleContext): readonly string[] {
  const first =
    port.externalPolicy === 'Cluster'
      ? [`${externalComment('masquerade traffic', port)} -j ${markMasqueradeChain}`]
      : shortCircuitLines(port, context);
  if (externalTargets(port).kind !== 'endpoints') return first;
  return [...first, `-j ${policyChain(port, port.externalPolicy)}`];
}

function externalComment(what: string, port: ServicePort): string {
  return `-m comment --comment "${what} for ${servicePortName(port)} external destinations"`;
}

/** Policy Local is for outsiders: pods of this node and the node itself have all endpoints of the cluster. */
export function shortCircuitLines(port: ServicePort, context: RuleContext): readonly string[] {
  if (port.clusterEndpoints.length === 0) return [];
  const cluster = portChain('SVC', port);
  const local = ifLocal(context.localDetector);
  const src = '-m addrtype --src-type LOCAL';
  return [
    ...(local === undefined ? [] : [`${externalComment('pod traffic', port)} ${local} -j ${cluster}`]),
    `${externalComment('masquerade LOCAL traffic', port)} ${src} -j ${markMasqueradeChain}`,
    `${externalComment('route LOCAL traffic', port)} ${src} -j ${cluster}`,
  ];
}

export function firewallLines(port: ServicePort, { nodeIps }: RuleContext): readonly string[] {
  const external = portChain('EXT', port);
  const name = servicePortName(port);
  const commented = `-m comment --comment "${name} loadbalancer IP"`;
  const ranges = port.sourceRanges ?? [];
  // A packet of this node to the balancer's address has it as its source, where that is an address of the node.
  const own = nodeIps.some((ip) => ranges.some((range) => range.contains(ip))) ? port.loadBalancerIps : [];
  return [
    ...[...ranges, ...own].map((source) => `${commented} -s ${source} -j ${external}`),
    `-m comment --comment "other traffic to ${name} will be dropped by KUBE-PROXY-FIREWALL"`,
  ];
}
