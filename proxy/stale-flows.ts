// Which UDP flows are stale: sent to a service, but leading to no endpoint that serves it. Such a flow lives on while packets come,
// so its client would never reach a new endpoint (kube-proxy: pkg/proxy/conntrack/cleanup.go). Pure; stale-flow-cleaner.ts deletes.
import { type Flow, flowProtocols } from '../kernel/conntrack/objects.ts';
import type { IpAddress } from '../net/address.ts';
import type { RuleContext } from './rule-context.ts';
import type { ServicePort } from './service-port.ts';

/** Addresses of endpoints that serve, as text: ready or not, terminating or not, on whatever node. Connections to them may go on. */
export type ServingAddresses = ReadonlySet<string>;

/** UDP services by where packets for them are sent. */
export interface UdpServices {
  /** By "address port". */
  readonly byAddress: ReadonlyMap<string, ServingAddresses>;
  readonly byNodePort: ReadonlyMap<number, ServingAddresses>;
}

/** Of the ports those that are UDP. `serving` is asked for each by its key. */
export function udpServices(
  ports: Iterable<ServicePort>,
  serving: (key: string) => ServingAddresses,
): UdpServices {
  const byAddress = new Map<string, ServingAddresses>();
  const byNodePort = new Map<number, ServingAddresses>();
  for (const port of ports) {
    if (port.protocol !== 'udp') continue;
    const addresses = serving(port.key);
    for (const address of addressesOf(port)) byAddress.set(placeKey(address, port.port), addresses);
    if (port.nodePort !== undefined) byNodePort.set(port.nodePort, addresses);
  }
  return { byAddress, byNodePort };
}

/** All addresses that the port is reached by, but for the node's. */
export function addressesOf(port: ServicePort): readonly IpAddress[] {
  return [port.clusterIp, ...port.externalIps, ...port.loadBalancerIps];
}

/** Also finds flows that were never translated, from before the rules were there: they lead to the service's own address. */
export function staleFlows(
  flows: readonly Flow[],
  { byAddress, byNodePort }: UdpServices,
  context: RuleContext,
): readonly Flow[] {
  return flows.filter(({ protocol, original, reply }) => {
    const { destination, destinationPort } = original;
    if (protocol !== flowProtocols.udp || destinationPort === undefined) return false;
    const serving =
      byAddress.get(placeKey(destination, destinationPort)) ??
      (acceptsNodePorts(destination, context) ? byNodePort.get(destinationPort) : undefined);
    return serving !== undefined && !serving.has(reply.source.toString());
  });
}

function placeKey(address: IpAddress, port: number): string {
  return `${address} ${port}`;
}

/** A flow to the same port of somebody else is not ours. */
function acceptsNodePorts(destination: IpAddress, context: RuleContext): boolean {
  const { nodePortIps, nodeIps, localhostNodePorts } = context;
  if (destination.isLoopback) return localhostNodePorts;
  const accepting = nodePortIps === 'all' ? nodeIps : nodePortIps;
  return accepting.some((one) => one.equals(destination));
}
