// UDP flows that would go on the old way although a published port came or went. Not the rules of the ports: pod-firewall.ts.
import type { Conntrack } from '../../kernel/conntrack/driver.ts';
import { type Flow, type FlowFilter, flowProtocols } from '../../kernel/conntrack/objects.ts';
import type { IpAddress } from '../../net/address.ts';
import type { PodRules, PortMapping } from './pod-rules.ts';

// The kernel translates a flow's address by its first packet and never asks the rules again while it lives. TCP starts anew with each
// connection; a UDP client that keeps its source port (a DNS forwarder, syslog, a game) keeps the flow alive by every packet that it
// sends. So what it sent to the port before the mapping was there, or while the port led to a former pod, goes to where nobody is, for
// as long as it tries (the hostPort blackhole of containernetworking/plugins#123 and #1190). Deleted, the flow is new to the rules.

type Published = Pick<PodRules, 'ports' | 'addresses'>;

/**
 * To be called when the mapping is in the kernel: deletes the flows to each published UDP port that do not lead to the pod. Also those
 * that only pass through the node to that port of another host: the next packet makes them again. Returns how many. Throws KernelError.
 */
export function flushUdpFlows(rules: Published, conntrack: Pick<Conntrack, 'list' | 'deleteFlows'>): number {
  const stale = targets(rules).flatMap(({ port, pod }) => {
    const filter = { destinationPort: port.hostPort, destination: port.hostIp };
    const flows = conntrack.list({ ...udp(pod), original: filter });
    return flows.filter((flow) => !leadsTo(flow, { pod, port: port.containerPort }));
  });
  return conntrack.deleteFlows(stale);
}

/**
 * To be called when the mapping is gone from the kernel: deletes the UDP flows that are answered from the published ports of the pod.
 * The next pod of that address must not get them, nor may they outlive the pod. Returns how many. Throws KernelError.
 */
export function flushPodUdpFlows(rules: Published, conntrack: Pick<Conntrack, 'delete'>): number {
  return targets(rules)
    .map(({ port, pod }) =>
      conntrack.delete({ ...udp(pod), reply: { source: pod, sourcePort: port.containerPort } }),
    )
    .reduce((sum, count) => sum + count, 0);
}

function udp(pod: IpAddress): FlowFilter {
  return { family: pod.family, protocol: flowProtocols.udp };
}

function leadsTo(
  { reply }: Flow,
  { pod, port }: { readonly pod: IpAddress; readonly port: number },
): boolean {
  return reply.source.equals(pod) && reply.sourcePort === port;
}

/** Each UDP port with the address that it leads to: the pod's first one of each family that the port is published in. */
function targets({
  ports,
  addresses,
}: Published): readonly { readonly port: PortMapping; readonly pod: IpAddress }[] {
  const pods = ([4, 6] as const).flatMap(
    (family) => addresses.find((prefix) => prefix.family === family)?.address ?? [],
  );
  return ports.flatMap((port) =>
    pods
      .filter(({ family }) => port.protocol === 'udp' && (port.hostIp?.family ?? family) === family)
      .map((pod) => ({ port, pod })),
  );
}
