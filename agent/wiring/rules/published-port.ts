// The ports that a pod publishes, one entry for each address family that it has, as both backends take them. Pure.

import type { Family, IpAddress } from '../../../net/address.ts';
import type { Prefix } from '../../../net/prefix.ts';
import type { Transport } from '../../../net/transport.ts';
import { CniError, cniCodes } from '../cni-error.ts';
import type { PodRules } from '../pod-rules.ts';

export interface PublishedPort {
  readonly family: Family;
  readonly protocol: Transport;
  readonly hostPort: number;
  /** Undefined: on every address of the node. */
  readonly hostIp: IpAddress | undefined;
  /** The first of the family: where the port leads to. */
  readonly pod: Prefix;
  readonly containerPort: number;
}

/** What can be published once only: "tcp 8080", "tcp 192.0.2.1 8080"; the family is in it. */
export function portKey({ family, protocol, hostIp, hostPort }: PublishedPort): string {
  return `${family} ${protocol} ${hostIp ?? ''} ${hostPort}`;
}

/**
 * Ports of a family that the pod does not have are left out. 0.0.0.0 and :: stand for every address of their family. Of two
 * mappings of one port the first counts.
 */
export function publishedPorts({
  addresses,
  ports,
}: Pick<PodRules, 'addresses' | 'ports'>): readonly PublishedPort[] {
  const found = new Map<string, PublishedPort>();
  for (const family of [4, 6] as const) {
    const pod = addresses.find((address) => address.family === family);
    if (pod === undefined) continue;
    for (const { protocol, hostPort, containerPort, hostIp } of ports) {
      if (hostIp !== undefined && hostIp.family !== family) continue;
      const specific = hostIp?.isUnspecified === true ? undefined : hostIp;
      const port = { family, protocol, hostPort, hostIp: specific, pod, containerPort };
      if (!found.has(portKey(port))) found.set(portKey(port), port);
    }
  }
  return [...found.values()];
}

/** Throws CniError when the pod publishes one port twice, to different ports of its own. */
export function refuseContradiction(rules: Pick<PodRules, 'addresses' | 'ports'>): void {
  const published = new Map(publishedPorts(rules).map((port) => [portKey(port), port]));
  for (const mapping of rules.ports) {
    for (const port of publishedPorts({ addresses: rules.addresses, ports: [mapping] })) {
      const first = published.get(portKey(port));
      if (first !== undefined && first.containerPort !== port.containerPort)
        throw new CniError(
          cniCodes.invalidConfig,
          `Cannot publish hostPort ${portText(port)} twice: to ${first.containerPort} and to ${port.containerPort}`,
        );
    }
  }
}

/** "8080/tcp", "192.0.2.1:8080/tcp", "[2001:db8::1]:8080/tcp". */
export function portText({
  protocol,
  hostPort,
  hostIp,
}: Pick<PublishedPort, 'protocol' | 'hostPort' | 'hostIp'>): string {
  if (hostIp === undefined) return `${hostPort}/${protocol}`;
  return `${hostIp.family === 4 ? hostIp : `[${hostIp}]`}:${hostPort}/${protocol}`;
}

/** The link whose route_localnet 127.0.0.1:hostPort needs; undefined when the pod has no such port. */
export function localnetLink(
  rules: Pick<PodRules, 'addresses' | 'ports' | 'portMasquerade' | 'bridge'>,
): string | undefined {
  // Without masquerading the pod would see 127.0.0.1 and answer itself. ::1 never leaves a machine: IPv6 has no such sysctl.
  if (rules.portMasquerade === 'none') return undefined;
  return publishedPorts(rules).some(({ family }) => family === 4) ? rules.bridge : undefined;
}
