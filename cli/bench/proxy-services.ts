// The services of the proxy's benchmarks: as many as wanted, as parsed objects and as the manifests that say the same. Made by counting,
// so that a run can be repeated.
import { stringify } from 'yaml';
import { IpAddress } from '../../net/address.ts';
import { Prefix } from '../../net/prefix.ts';
import type { EndpointSlice } from '../../store/endpoint-slice.ts';
import { sliceKey } from '../../store/endpoint-slice.ts';
import { type Service, serviceKey } from '../../store/service.ts';
import type { ServiceBatch } from '../../store/service-source.ts';

/** So many services with so many endpoints each. */
export interface Amount {
  readonly services: number;
  readonly endpoints: number;
}

/** "10,000 x 3": how rows begin. */
export function amountText({ services, endpoints }: Amount): string {
  return `${services.toLocaleString('en')} x ${endpoints.toLocaleString('en')}`;
}

const namespace = 'bench';
export const servicePort = 80;
export const endpointPort = 8080;
/** Room for 524,288 services, and for 8 million endpoints. */
const serviceBase = IpAddress.parse('10.0.0.0');
const endpointBase = IpAddress.parse('10.128.0.0');
/** Where an endpoint goes that moves. */
const otherBase = IpAddress.parse('10.248.0.0');
/** What endpoints, and those who ask them, are in. */
export const podNetwork = Prefix.parse('10.128.0.0/9');
/** As the controller of Kubernetes makes them. */
const mostInSlice = 100;

export function serviceAddress(number: number): IpAddress {
  return serviceBase.plus(number + 1);
}

export function endpointAddress(amount: Amount, of: { readonly service: number; readonly endpoint: number }) {
  return endpointBase.plus(of.service * amount.endpoints + of.endpoint + 1);
}

/** Where the last endpoint of a service goes when it moves. */
export function movedAddress(service: number): IpAddress {
  return otherBase.plus(service);
}

export function benchService(number: number): Service {
  return {
    namespace,
    name: `service-${number}`,
    type: 'ClusterIP',
    clusterIps: [serviceAddress(number)],
    ports: [{ name: 'http', protocol: 'tcp', port: servicePort, nodePort: undefined }],
    externalIps: [],
    loadBalancerIps: [],
    loadBalancerSourceRanges: [],
    affinitySeconds: undefined,
    externalTrafficPolicy: 'Cluster',
    internalTrafficPolicy: 'Cluster',
    healthCheckNodePort: undefined,
    proxyName: undefined,
    headless: false,
    selector: undefined,
    createdAt: undefined,
  };
}

export interface SliceState {
  readonly amount: Amount;
  /** The last endpoint is somewhere else. */
  readonly moved?: boolean;
  /** There is one endpoint more. */
  readonly grown?: boolean;
}

/** The slices of a service, at most 100 endpoints in each. What changes is in the last one. */
export function benchSlices(
  number: number,
  { amount, moved = false, grown = false }: SliceState,
): readonly EndpointSlice[] {
  const addresses = Array.from({ length: amount.endpoints }, (_, endpoint) =>
    moved && endpoint === amount.endpoints - 1
      ? movedAddress(number)
      : endpointAddress(amount, { service: number, endpoint }),
  );
  const slices: EndpointSlice[] = [];
  for (let from = 0; from < addresses.length; from += mostInSlice) {
    const part = addresses.slice(from, from + mostInSlice);
    // Into the last slice: a further one would have to go with it.
    if (grown && from + mostInSlice >= addresses.length) part.push(movedAddress(number));
    slices.push({
      namespace,
      name: `service-${number}-${slices.length}`,
      service: `service-${number}`,
      family: 4,
      ports: [{ name: 'http', protocol: 'tcp', port: endpointPort }],
      endpoints: part.map((address) => ({
        address,
        ready: true,
        serving: true,
        terminating: false,
        nodeName: 'elsewhere',
        zoneHints: [],
        nodeHints: [],
      })),
      mirrored: false,
      triggeredAt: undefined,
    });
  }
  return slices;
}

export type Batch = Pick<ServiceBatch, 'services' | 'slices'>;

/** All services 0 to N - 1 with their slices: the first batch of a source. */
export function wholeBatch(amount: Amount): Batch {
  const services = new Map<string, Service>();
  const slices = new Map<string, EndpointSlice>();
  for (let number = 0; number < amount.services; number++) {
    const service = benchService(number);
    services.set(serviceKey(service), service);
    for (const slice of benchSlices(number, { amount })) slices.set(sliceKey(slice), slice);
  }
  return { services, slices };
}

/** A service's slice that holds what changed, and nothing else. */
export function changeBatch(number: number, state: SliceState): Batch {
  const last = benchSlices(number, state).at(-1);
  return { services: new Map(), slices: new Map(last === undefined ? [] : [[sliceKey(last), last]]) };
}

/** One service comes, or goes with all its slices. */
export function serviceBatch(
  number: number,
  of: { readonly amount: Amount; readonly there: boolean },
): Batch {
  const service = benchService(number);
  const slices = benchSlices(number, of);
  return {
    services: new Map([[serviceKey(service), of.there ? service : undefined]]),
    slices: new Map(slices.map((slice) => [sliceKey(slice), of.there ? slice : undefined])),
  };
}

/** How manifests are written. JSON is read many times faster. */
export type ManifestFormat = 'yaml' | 'json';

/** A service and its slices in one file: a List in JSON, documents in YAML. */
export function manifest(
  number: number,
  { format, ...state }: SliceState & { readonly format: ManifestFormat },
): string {
  const items = serviceObjects(number, state);
  if (format === 'json') return JSON.stringify({ apiVersion: 'v1', kind: 'List', items });
  return items.map((item) => stringify(item)).join('---\n');
}

/** A service and its slices as objects of Kubernetes, the service first. */
export function serviceObjects(number: number, state: SliceState): readonly ServiceObject[] {
  return [serviceObject(number), ...benchSlices(number, state).map(sliceObject)];
}

interface ServiceObject {
  readonly metadata: { readonly name: string; readonly namespace: string };
  readonly [field: string]: unknown;
}

function serviceObject(number: number) {
  return {
    apiVersion: 'v1',
    kind: 'Service',
    metadata: { name: benchService(number).name, namespace },
    spec: {
      type: 'ClusterIP',
      clusterIP: `${serviceAddress(number)}`,
      ports: [{ name: 'http', protocol: 'TCP', port: servicePort, targetPort: endpointPort }],
    },
  };
}

function sliceObject({ name, service, endpoints }: EndpointSlice) {
  return {
    apiVersion: 'discovery.k8s.io/v1',
    kind: 'EndpointSlice',
    metadata: { name, namespace, labels: { 'kubernetes.io/service-name': service } },
    addressType: 'IPv4',
    ports: [{ name: 'http', protocol: 'TCP', port: endpointPort }],
    endpoints: endpoints.map(({ address, nodeName }) => ({
      addresses: [`${address}`],
      conditions: { ready: true },
      nodeName,
    })),
  };
}
