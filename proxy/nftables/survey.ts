// A look at all service ports before a table is made or taken over: how much room they need, and, to take over what is there,
// which classes and whose which address is. Pure but for the pauses in it.
import type { RuleContext } from '../rule-context.ts';
import type { ServicePort } from '../service-port.ts';
import { pause } from './pause.ts';
import { portAddresses } from './port-addresses.ts';
import { forPortSets, type PortSetName } from './proxy-sets.ts';
import { className, type TrafficClass } from './traffic-class.ts';

export interface Survey {
  readonly classes: ReadonlyMap<string, TrafficClass>;
  /** The port that has an address, as portAddresses names it. */
  readonly portAt: ReadonlyMap<string, string>;
}

/** Ports looked at between two pauses. */
const slice = 1000;

export async function survey(
  ports: ReadonlyMap<string, ServicePort>,
  options: { readonly context: RuleContext; readonly signal: AbortSignal },
): Promise<Survey> {
  const classes = new Map<string, TrafficClass>();
  const portAt = new Map<string, string>();
  let looked = 0;
  for (const port of ports.values()) {
    for (const { text, trafficClass, guard } of portAddresses(port, options.context)) {
      if (!portAt.has(text)) portAt.set(text, port.key);
      classes.set(className(trafficClass), trafficClass);
      if (guard !== undefined) classes.set(className(guard), guard);
    }
    looked += 1;
    if (looked % slice === 0) await pause(options.signal);
  }
  return { classes, portAt };
}

/** How many elements ports may need in each set. */
export function neededElements(ports: Iterable<ServicePort>): Readonly<Record<PortSetName, number>> {
  const needed = forPortSets(() => 0);
  for (const port of ports) {
    const { clusterEndpoints: cluster, localEndpoints: local } = port;
    needed.services += 1 + port.externalIps.length + port.loadBalancerIps.length;
    if (port.nodePort !== undefined) needed['node-ports'] += 1;
    if (port.sourceRanges !== undefined) needed.guarded += port.loadBalancerIps.length;
    needed['cluster-ips'] += 1;
    for (const list of [cluster, local])
      for (const one of list) if (one.local || one.nodeUnknown) needed.hairpin += 1;
    const sticky = port.affinitySeconds !== undefined;
    needed[sticky ? 'sticky-endpoints' : 'endpoints'] += cluster.length;
    needed[sticky ? 'sticky-local-endpoints' : 'local-endpoints'] += local.length;
    if (!sticky) continue;
    needed['sticky-addresses'] += cluster.length;
    needed['sticky-local-addresses'] += local.length;
  }
  return needed;
}
