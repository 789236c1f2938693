// Services, slices and service ports for tests, with defaults, and addresses written as text. Not for programs.
import { type Family, IpAddress } from '../net/address.ts';
import { Prefix } from '../net/prefix.ts';
import type { Transport } from '../net/transport.ts';
import type { EndpointOfSlice, EndpointSlice, PortOfSlice } from '../store/endpoint-slice.ts';
import type { PortOfService, Service } from '../store/service.ts';
import type { Endpoint, ServicePort } from './service-port.ts';

/** The same record with some fields written as text or in part. */
type With<T, Fields> = Partial<Omit<T, keyof Fields> & Fields>;

export type SampleServiceFields = With<
  Service,
  {
    readonly clusterIps: readonly string[];
    readonly ports: readonly Partial<PortOfService>[];
    readonly externalIps: readonly string[];
    readonly loadBalancerIps: readonly string[];
    readonly loadBalancerSourceRanges: readonly string[];
  }
>;

/** "ns/web": TCP port 80 without a name on 10.96.0.10, of type ClusterIP, without a selector. */
export function sampleService(fields: SampleServiceFields = {}): Service {
  return {
    namespace: 'ns',
    name: 'web',
    type: 'ClusterIP',
    affinitySeconds: undefined,
    externalTrafficPolicy: 'Cluster',
    internalTrafficPolicy: 'Cluster',
    healthCheckNodePort: undefined,
    proxyName: undefined,
    headless: false,
    selector: undefined,
    createdAt: undefined,
    ...fields,
    clusterIps: addresses(fields.clusterIps ?? ['10.96.0.10']),
    ports: (fields.ports ?? [{}]).map((port) => ({
      name: '',
      protocol: 'tcp' as const,
      port: 80,
      nodePort: undefined,
      ...port,
    })),
    externalIps: addresses(fields.externalIps),
    loadBalancerIps: addresses(fields.loadBalancerIps),
    loadBalancerSourceRanges: prefixes(fields.loadBalancerSourceRanges),
  };
}

/** An address alone, or with what else the endpoint says. */
export type SampleSliceEndpoint = string | With<EndpointOfSlice, { readonly address: string }>;

export type SampleSliceFields = With<
  EndpointSlice,
  {
    readonly ports: readonly Partial<PortOfSlice>[];
    readonly endpoints: readonly SampleSliceEndpoint[];
  }
>;

/** Slice "web-1" of service "ns/web": TCP port 8080 without a name; endpoints are ready, on no known node. Named after its service. */
export function sampleSlice(fields: SampleSliceFields = {}): EndpointSlice {
  const service = fields.service ?? 'web';
  return {
    namespace: 'ns',
    name: `${service}-1`,
    family: 4,
    mirrored: false,
    triggeredAt: undefined,
    ...fields,
    service,
    ports: (fields.ports ?? [{}]).map((port) => ({
      name: '',
      protocol: 'tcp' as const,
      port: 8080,
      ...port,
    })),
    endpoints: (fields.endpoints ?? []).map((endpoint) => {
      const given = typeof endpoint === 'string' ? { address: endpoint } : endpoint;
      return {
        ready: true,
        serving: true,
        terminating: false,
        nodeName: undefined,
        zoneHints: [],
        nodeHints: [],
        ...given,
        address: IpAddress.parse(given.address ?? '10.244.0.1'),
      };
    }),
  };
}

/** "10.244.0.5:8080" or "[fd00::5]:8080"; neither local nor of an unknown node unless it is said. */
export function sampleEndpoint(
  text: string,
  { local = false, nodeUnknown = false }: Partial<Pick<Endpoint, 'local' | 'nodeUnknown'>> = {},
): Endpoint {
  const colon = text.lastIndexOf(':');
  const address = text.slice(0, colon).replace(/^\[|\]$/g, '');
  return { address: IpAddress.parse(address), port: Number(text.slice(colon + 1)), local, nodeUnknown };
}

export type SamplePortFields = With<
  Omit<ServicePort, 'key'>,
  {
    readonly clusterIp: string;
    readonly externalIps: readonly string[];
    readonly loadBalancerIps: readonly string[];
    readonly sourceRanges: readonly string[] | undefined;
    /** Texts become local endpoints where they also stand in `localEndpoints`, remote ones elsewhere. */
    readonly clusterEndpoints: readonly (string | Endpoint)[];
    readonly localEndpoints: readonly (string | Endpoint)[];
  }
>;

/**
 * Port 80 of "ns/web" on 10.96.0.10 (fd00:96::10 in family 6), both policies Cluster, without endpoints. The key is made here;
 * `hasAnyEndpoint` follows from the lists unless it is given.
 */
export function samplePort(fields: SamplePortFields = {}): ServicePort {
  const { namespace = 'ns', service = 'web', portName = '', protocol = 'tcp', family = 4 } = fields;
  const localEndpoints = (fields.localEndpoints ?? []).map((one) =>
    typeof one === 'string' ? sampleEndpoint(one, { local: true }) : one,
  );
  const locals = new Set(fields.localEndpoints);
  const clusterEndpoints = (fields.clusterEndpoints ?? []).map((one) =>
    typeof one === 'string' ? sampleEndpoint(one, { local: locals.has(one) }) : one,
  );
  return {
    port: 80,
    nodePort: undefined,
    affinitySeconds: undefined,
    healthCheckNodePort: undefined,
    internalPolicy: 'Cluster',
    externalPolicy: 'Cluster',
    hasAnyEndpoint: clusterEndpoints.length + localEndpoints.length > 0,
    ...fields,
    key: sampleKey({ namespace, service, portName, protocol }),
    namespace,
    service,
    portName,
    protocol,
    family,
    clusterIp: IpAddress.parse(fields.clusterIp ?? defaultClusterIp(family)),
    externalIps: addresses(fields.externalIps),
    loadBalancerIps: addresses(fields.loadBalancerIps),
    sourceRanges: fields.sourceRanges === undefined ? undefined : prefixes(fields.sourceRanges),
    clusterEndpoints,
    localEndpoints,
  };
}

function sampleKey(of: {
  readonly namespace: string;
  readonly service: string;
  readonly portName: string;
  readonly protocol: Transport;
}): string {
  const port = of.portName === '' ? '' : `:${of.portName}`;
  return `${of.namespace}/${of.service}${port}/${of.protocol}`;
}

function defaultClusterIp(family: Family): string {
  return family === 4 ? '10.96.0.10' : 'fd00:96::10';
}

function addresses(texts: readonly string[] = []): readonly IpAddress[] {
  return texts.map((text) => IpAddress.parse(text));
}

function prefixes(texts: readonly string[] = []): readonly Prefix[] {
  return texts.map((text) => Prefix.parse(text));
}
