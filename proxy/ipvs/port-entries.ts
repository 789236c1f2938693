// What a service port has in the sets that the rules of IPVS mode ask: kube-proxy's sets, and ours of what is refused or dropped.
import type { IpsetEntry } from '../../kernel/ipset/objects.ts';
import type { VirtualServerId } from '../../kernel/ipvs/objects.ts';
import { type Family, IpAddress } from '../../net/address.ts';
import { Prefix } from '../../net/prefix.ts';
import { hasFirewall } from '../iptables/service-rules.ts';
import type { RuleContext } from '../rule-context.ts';
import { externalTargets, internalTargets, type ServicePort, type Targets } from '../service-port.ts';
import { externalPlaces, nodePortPlaces } from './port-servers.ts';
import type { SetName } from './set-names.ts';

export interface PortEntry {
  readonly set: SetName;
  readonly entry: IpsetEntry;
}

export function portEntries(port: ServicePort, context: RuleContext): readonly PortEntry[] {
  const { protocol, externalPolicy, healthCheckNodePort } = port;
  const entries: PortEntry[] = [];
  const add = (set: SetName, entry: IpsetEntry) => entries.push({ set, entry });
  const at = (address: IpAddress): IpsetEntry => ({ address, protocol, port: port.port });

  const isLocal = externalPolicy === 'Local';
  add('KUBE-CLUSTER-IP', at(port.clusterIp));
  for (const address of port.externalIps)
    add(isLocal ? 'KUBE-EXTERNAL-IP-LOCAL' : 'KUBE-EXTERNAL-IP', at(address));
  for (const address of port.loadBalancerIps) {
    add('KUBE-LOAD-BALANCER', at(address));
    if (isLocal) add('KUBE-LOAD-BALANCER-LOCAL', at(address));
  }
  if (hasFirewall(port)) entries.push(...firewallEntries(port, context));
  entries.push(...nodePortEntries(port, context));
  if (healthCheckNodePort !== undefined) add('KUBE-HEALTH-CHECK-NODE-PORT', { port: healthCheckNodePort });
  for (const { address, port: number, local, nodeUnknown } of [
    ...port.clusterEndpoints,
    ...port.localEndpoints,
  ]) {
    if (local || nodeUnknown)
      add('KUBE-LOOP-BACK', { address, protocol, port: number, second: Prefix.host(address) });
  }
  const external = externalTargets(port);
  const cluster: VirtualServerId = { protocol, address: port.clusterIp, port: port.port };
  entries.push(
    ...refusals([cluster], internalTargets(port)),
    ...refusals([...externalPlaces(port), ...nodePortPlaces(port, context)], external),
  );
  return entries;
}

function refusals(places: readonly VirtualServerId[], { kind }: Targets): readonly PortEntry[] {
  if (kind === 'endpoints') return [];
  const set = kind === 'reject' ? 'KUBE-NO-ENDPOINTS' : 'KUBE-NO-LOCAL-ENDPOINTS';
  return places.map(({ protocol, address, port }) => ({ set, entry: { address, protocol, port } }));
}

/** The entry that says that a virtual server at one of the node's own addresses is the proxy's. */
export function nodePortEntry(server: VirtualServerId): PortEntry {
  const { protocol, address, port } = server;
  if (protocol === 'sctp') return { set: 'KUBE-NODE-PORT-SCTP-HASH', entry: { address, protocol, port } };
  return { set: protocol === 'tcp' ? 'KUBE-NODE-PORT-TCP' : 'KUBE-NODE-PORT-UDP', entry: { port } };
}

/** Node ports of SCTP have a set by address: kube-proxy has it so, since not every bitmap knew SCTP. */
function nodePortEntries(port: ServicePort, context: RuleContext): readonly PortEntry[] {
  const { nodePort, protocol, externalPolicy } = port;
  if (nodePort === undefined) return [];
  const isLocal = externalPolicy === 'Local';
  if (protocol === 'sctp') {
    return nodePortPlaces(port, context).flatMap((entry): readonly PortEntry[] => [
      { set: 'KUBE-NODE-PORT-SCTP-HASH', entry },
      ...(isLocal ? [{ set: 'KUBE-NODE-PORT-LOCAL-SCTP-HASH' as const, entry }] : []),
    ]);
  }
  const entry = { port: nodePort };
  const [all, local] =
    protocol === 'tcp'
      ? (['KUBE-NODE-PORT-TCP', 'KUBE-NODE-PORT-LOCAL-TCP'] as const)
      : (['KUBE-NODE-PORT-UDP', 'KUBE-NODE-PORT-LOCAL-UDP'] as const);
  return [{ set: all, entry }, ...(isLocal ? [{ set: local, entry }] : [])];
}

function firewallEntries(port: ServicePort, { nodeIps }: RuleContext): readonly PortEntry[] {
  const { protocol, sourceRanges = [] } = port;
  // The node itself sends from the very address that it dials.
  const isNodeIn = nodeIps.some((ip) => sourceRanges.some((range) => range.contains(ip)));
  return port.loadBalancerIps.flatMap((address): readonly PortEntry[] => {
    const entry = { address, protocol, port: port.port };
    return [
      { set: 'KUBE-LOAD-BALANCER-FW', entry },
      ...sourceRanges.flatMap(withLength).map((second) => ({
        set: 'KUBE-LOAD-BALANCER-SOURCE-CIDR' as const,
        entry: { ...entry, second: second.network() },
      })),
      ...(isNodeIn
        ? [
            {
              set: 'KUBE-LOAD-BALANCER-SOURCE-IP' as const,
              entry: { ...entry, second: Prefix.host(address) },
            },
          ]
        : []),
    ];
  });
}

/** The kernel takes no network of length 0 into a set: two halves stand for it. */
function withLength(range: Prefix): readonly Prefix[] {
  return range.length === 0 ? halves[range.family] : [range];
}

const halves: Readonly<Record<Family, readonly Prefix[]>> = { 4: halvesOf(4), 6: halvesOf(16) };

function halvesOf(bytes: 4 | 16): readonly Prefix[] {
  const upper = new Uint8Array(bytes);
  upper[0] = 0x80;
  return [new Uint8Array(bytes), upper].map((first) => new Prefix(IpAddress.fromBytes(first), 1));
}
