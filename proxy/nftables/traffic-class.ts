// Classes of traffic: all that is treated alike, whatever service it is for. A class is one chain, named after it, and one number.
// What the chains do is class-chains.ts.
import type { Prefix } from '../../net/prefix.ts';
import type { RuleContext } from '../rule-context.ts';
import { externalTargets, internalTargets, type ServicePort, type Targets } from '../service-port.ts';
import { allowedSources, sourcesName } from './source-ranges.ts';

/** The endpoints of the whole cluster, or those of this node. */
export type EndpointList = 'cluster' | 'local';

/** A choice among endpoints: how many there are, and for how many seconds a client keeps the one that it got. */
export interface Choice {
  readonly list: EndpointList;
  readonly count: number;
  readonly stickySeconds: number | undefined;
}

export type TrafficClass =
  | { readonly kind: 'refuse' }
  | { readonly kind: 'discard' }
  | { readonly kind: 'internal'; readonly choice: Choice }
  | { readonly kind: 'external'; readonly choice: Choice }
  /** Policy Local: pods of this node and the node itself use the cluster's endpoints. Not both counts are 0. */
  | { readonly kind: 'external-local'; readonly cluster: Choice; readonly local: Choice }
  | { readonly kind: 'guard'; readonly sources: readonly Prefix[] };

/** "internal-3", "external-local-5-2-10800": the class's chain. */
export function className(of: TrafficClass): string {
  switch (of.kind) {
    case 'refuse':
    case 'discard':
      return of.kind;
    case 'internal':
    case 'external':
      return `${of.kind}${of.choice.list === 'local' ? '-local' : ''}-${of.choice.count}${sticky(of.choice)}`;
    case 'external-local':
      return `${of.kind}-${of.cluster.count}-${of.local.count}${sticky(of.local)}`;
    case 'guard':
      return `guard-${sourcesName(of.sources)}`;
    default:
      return of satisfies never;
  }
}

/** "pick-3", "sticky-local-2-10800": the chain that chooses, shared by classes. */
export function choiceName(choice: Choice): string {
  const word = choice.stickySeconds === undefined ? 'pick' : 'sticky';
  return `${word}${choice.list === 'local' ? '-local' : ''}-${choice.count}${sticky(choice)}`;
}

function sticky({ stickySeconds }: Choice): string {
  return stickySeconds === undefined ? '' : `-${stickySeconds}`;
}

/** Traffic to the cluster IP. */
export function internalClass(port: ServicePort): TrafficClass {
  const list = port.internalPolicy === 'Local' ? 'local' : 'cluster';
  const targets = internalTargets(port);
  if (targets.kind !== 'endpoints') return withoutEndpoints(targets);
  return { kind: 'internal', choice: choice(port, { list, count: targets.endpoints.length }) };
}

/** Traffic to node port, external and load balancer addresses. */
export function externalClass(port: ServicePort): TrafficClass {
  const targets = externalTargets(port);
  const cluster = choice(port, { list: 'cluster', count: port.clusterEndpoints.length });
  if (port.externalPolicy === 'Local') {
    const local = choice(port, { list: 'local', count: port.localEndpoints.length });
    if (cluster.count + local.count > 0) return { kind: 'external-local', cluster, local };
  }
  if (targets.kind !== 'endpoints') return withoutEndpoints(targets);
  return { kind: 'external', choice: cluster };
}

/** Undefined where everybody may use the load balancer's addresses. */
export function guardClass(
  port: ServicePort,
  context: Pick<RuleContext, 'nodeIps'>,
): TrafficClass | undefined {
  const sources = allowedSources(port, context);
  return sources === undefined ? undefined : { kind: 'guard', sources };
}

function withoutEndpoints(targets: Exclude<Targets, { kind: 'endpoints' }>): TrafficClass {
  return { kind: targets.kind === 'reject' ? 'refuse' : 'discard' };
}

function choice(port: ServicePort, of: { readonly list: EndpointList; readonly count: number }): Choice {
  return { ...of, stickySeconds: port.affinitySeconds };
}
