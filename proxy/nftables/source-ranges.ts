// Who may use the load balancer addresses of a port, as one list without doubles: ports with equal lists share a chain. Pure.
import { createHash } from 'node:crypto';
import { Prefix } from '../../net/prefix.ts';
import type { RuleContext } from '../rule-context.ts';
import type { ServicePort } from '../service-port.ts';

/** Undefined: everybody. Sorted; none holds another. */
export function allowedSources(
  port: Pick<ServicePort, 'sourceRanges' | 'loadBalancerIps'>,
  { nodeIps }: Pick<RuleContext, 'nodeIps'>,
): readonly Prefix[] | undefined {
  const { sourceRanges, loadBalancerIps } = port;
  if (sourceRanges === undefined || loadBalancerIps.length === 0) return undefined;
  if (sourceRanges.some(({ length }) => length === 0)) return undefined;
  // As kube-proxy: a balancer that sends health checks from the node's own copy of its address.
  const own = sourceRanges.some((range) => nodeIps.some((ip) => range.contains(ip)))
    ? loadBalancerIps.map(Prefix.host)
    : [];
  return withoutDoubles([...sourceRanges, ...own]);
}

/** Sorted; none holds another. */
export function withoutDoubles(prefixes: readonly Prefix[]): readonly Prefix[] {
  const kept: Prefix[] = [];
  // A prefix sorts before all that it holds, and nothing else comes between.
  for (const prefix of prefixes.map((one) => one.network()).toSorted((a, b) => a.compare(b)))
    if (kept.at(-1)?.contains(prefix) !== true) kept.push(prefix);
  return kept;
}

/** The name that a list has whatever process makes it. */
export function sourcesName(ranges: readonly Prefix[]): string {
  return createHash('sha256').update(ranges.join(' ')).digest('hex').slice(0, 16);
}
