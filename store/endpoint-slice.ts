// An EndpointSlice: addresses behind a service, of one family, with the numbers of its ports. Endpoints objects become slices too.
import type { Family, IpAddress } from '../net/address.ts';
import type { Transport } from '../net/transport.ts';

export interface PortOfSlice {
  readonly name: string;
  readonly protocol: Transport;
  readonly port: number;
}

export interface EndpointOfSlice {
  readonly address: IpAddress;
  /** The conditions, with Kubernetes' defaults in place of null: ready and serving, not terminating. */
  readonly ready: boolean;
  readonly serving: boolean;
  readonly terminating: boolean;
  readonly nodeName: string | undefined;
  /** hints.forZones and hints.forNodes by name; empty: no hint. */
  readonly zoneHints: readonly string[];
  readonly nodeHints: readonly string[];
}

export interface EndpointSlice {
  readonly namespace: string;
  /** Unique within the namespace. One that an Endpoints object became has a name that no EndpointSlice can have. */
  readonly name: string;
  /** Name of its service (label kubernetes.io/service-name), in the same namespace. */
  readonly service: string;
  readonly family: Family;
  readonly ports: readonly PortOfSlice[];
  readonly endpoints: readonly EndpointOfSlice[];
  /** Made from an Endpoints object: counts only where the service has no real slice. */
  readonly mirrored: boolean;
  /** Milliseconds since 1970 of annotation endpoints.kubernetes.io/last-change-trigger-time. */
  readonly triggeredAt: number | undefined;
}

/** "namespace/name", the key of slices. */
export function sliceKey({ namespace, name }: Pick<EndpointSlice, 'namespace' | 'name'>): string {
  return `${namespace}/${name}`;
}
