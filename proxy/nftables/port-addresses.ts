// What leads to a service port: its addresses and its node port, each with the class of its traffic. Pure.

import type { FieldValue } from '../../kernel/nft/datatype.ts';
import { addressType } from '../../kernel/nft/fields.ts';
import { keyText } from '../../kernel/nft/value-text.ts';
import type { IpAddress } from '../../net/address.ts';
import { transportNumber } from '../../net/transport.ts';
import type { RuleContext } from '../rule-context.ts';
import type { ServicePort } from '../service-port.ts';
import { externalClass, guardClass, internalClass, type TrafficClass } from './traffic-class.ts';

export interface PortAddress {
  readonly set: 'services' | 'node-ports';
  readonly key: readonly FieldValue[];
  /** The key as nft prints it, "10.96.0.1 . tcp . 80" or "tcp . 30080": only one port can have it. */
  readonly text: string;
  readonly trafficClass: TrafficClass;
  /** Who may use it at all, if not everybody. */
  readonly guard: TrafficClass | undefined;
}

/** Of an address that is named twice the first counts: as kube-proxy, the cluster IP before external and balancer addresses. */
export function portAddresses(port: ServicePort, context: RuleContext): readonly PortAddress[] {
  const { externalIps, loadBalancerIps, nodePort } = port;
  const protocol = transportNumber[port.protocol];
  const found = new Map<string, PortAddress>();
  const add = (ip: IpAddress, rest: Pick<PortAddress, 'trafficClass' | 'guard'>): void => {
    const key = [ip, protocol, port.port];
    const text = addressText(key, port.family);
    if (!found.has(text)) found.set(text, { set: 'services', key, text, ...rest });
  };
  add(port.clusterIp, { trafficClass: internalClass(port), guard: undefined });
  if (externalIps.length + loadBalancerIps.length > 0 || nodePort !== undefined) {
    const trafficClass = externalClass(port);
    const guard = guardClass(port, context);
    const guarded = new Set(guard === undefined ? [] : loadBalancerIps.map(String));
    for (const ip of [...externalIps, ...loadBalancerIps])
      add(ip, { trafficClass, guard: guarded.has(String(ip)) ? guard : undefined });
    if (nodePort !== undefined) {
      const key = [protocol, nodePort];
      const text = nodePortText(key);
      found.set(text, { set: 'node-ports', key, text, trafficClass, guard: undefined });
    }
  }
  return [...found.values()];
}

/** As the driver keys elements of `services`. */
export function addressText(key: readonly FieldValue[], family: 4 | 6): string {
  return keyText([addressType(family), 'inet_proto', 'inet_service'], key);
}

/** As the driver keys elements of `node-ports`. */
export function nodePortText(key: readonly FieldValue[]): string {
  return keyText(['inet_proto', 'inet_service'], key);
}
