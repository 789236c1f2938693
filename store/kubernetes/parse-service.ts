// A Service object to a Service value, with the defaults that an API server fills in. Hand-written manifests have met none.
// A field that is wrong is noted and left out, and the service lives; only one whose cluster IP is wrong cannot be used.
import type { IpAddress } from '../../net/address.ts';
import type { Prefix } from '../../net/prefix.ts';
import type { Service, TrafficPolicy } from '../service.ts';
import { quote } from '../store-error.ts';
import type { ObjectFields, TextEntry } from './object-fields.ts';
import { hasLabel, headlessLabel, type ObjectName, proxyNameLabel, timeIn } from './object-metadata.ts';
import { portRange } from './port-fields.ts';
import { servedAddress } from './served-address.ts';
import { clusterIpsOf } from './service-cluster-ips.ts';
import { servicePorts } from './service-ports.ts';
import { sloppyNetwork } from './sloppy-address.ts';

const types = ['ClusterIP', 'NodePort', 'LoadBalancer', 'ExternalName'] as const;
const policies = ['Cluster', 'Local'] as const;

const sourceRangesAnnotation = 'service.beta.kubernetes.io/load-balancer-source-ranges';

/** Three hours, in seconds (DefaultClientIPServiceAffinitySeconds). */
const defaultAffinity = 10_800;
const affinityRange = { least: 1, most: 86_400 } as const;

/** Undefined when it cannot be used; the notes say why. */
export function parseService(object: ObjectFields, { namespace, name }: ObjectName): Service | undefined {
  const metadata = object.child('metadata');
  const spec = object.child('spec');
  const type = spec.choice('type', { choices: types, fallback: 'ClusterIP' });
  const clusterIps = clusterIpsOf(spec, { type });
  if (clusterIps === undefined) return undefined;
  const externalTrafficPolicy = policy(spec, 'externalTrafficPolicy');
  return {
    namespace,
    name,
    type,
    clusterIps,
    ports: servicePorts(spec, { type }),
    externalIps: servedAddresses(spec.texts('externalIPs')),
    ...loadBalancerOf(object),
    affinitySeconds: affinityOf(spec),
    externalTrafficPolicy,
    internalTrafficPolicy: policy(spec, 'internalTrafficPolicy'),
    healthCheckNodePort:
      type === 'LoadBalancer' && externalTrafficPolicy === 'Local' && spec.get('healthCheckNodePort') !== 0
        ? spec.whole('healthCheckNodePort', portRange)
        : undefined,
    proxyName: metadata.child('labels').text(proxyNameLabel),
    headless: hasLabel(object, headlessLabel),
    selector: selectorOf(spec),
    createdAt: timeIn(metadata, 'creationTimestamp'),
  };
}

function policy(spec: ObjectFields, name: string): TrafficPolicy {
  return spec.choice(name, { choices: policies, fallback: 'Cluster' });
}

function affinityOf(spec: ObjectFields): number | undefined {
  const affinity = spec.choice('sessionAffinity', { choices: ['None', 'ClientIP'], fallback: 'None' });
  if (affinity === 'None') return undefined;
  const clientIp = spec.child('sessionAffinityConfig').child('clientIP');
  const before = spec.notes.length;
  const seconds = clientIp.whole('timeoutSeconds', affinityRange);
  spec.followUp(before, `${defaultAffinity} is used`);
  return seconds ?? defaultAffinity;
}

function loadBalancerOf(object: ObjectFields): Pick<Service, 'loadBalancerIps' | 'loadBalancerSourceRanges'> {
  const spec = object.child('spec');
  const texts = spec.texts('loadBalancerSourceRanges');
  const ranges = texts.flatMap(({ text, note }): readonly Prefix[] => {
    const range = sloppyNetwork(text.trim());
    if (range !== undefined) return [range];
    note(`${quote(text)} is not a network (ADDRESS/LENGTH); it is left out`);
    return [];
  });
  const annotations = object.child('metadata').child('annotations');
  if (annotations.get(sourceRangesAnnotation) !== undefined) {
    annotations.note(
      sourceRangesAnnotation,
      'is not looked at, as kube-proxy does not; use spec.loadBalancerSourceRanges',
    );
  }
  const ips: TextEntry[] = [];
  for (const ingress of object.child('status').child('loadBalancer').children('ingress')) {
    // Other modes: the balancer ends the connections itself.
    if (ingress.choice('ipMode', { choices: ['VIP', 'Proxy'], fallback: 'VIP' }) === 'Proxy') continue;
    const text = ingress.text('ip');
    if (text) ips.push({ text, note: (message) => ingress.note('ip', message) });
  }
  const addresses = servedAddresses(ips);
  // No range at all would open to everybody what was meant for a few.
  if (texts.length > 0 && ranges.length === 0 && addresses.length > 0) {
    spec.note('loadBalancerSourceRanges', 'has nothing that can be used; nobody may use the load balancer');
    return { loadBalancerIps: [], loadBalancerSourceRanges: [] };
  }
  return { loadBalancerIps: addresses, loadBalancerSourceRanges: ranges };
}

/** Those that a service can have, each once; the others are noted. */
function servedAddresses(texts: readonly TextEntry[]): readonly IpAddress[] {
  const addresses = new Map<string, IpAddress>();
  for (const { text, note } of texts) {
    const address = servedAddress(text);
    if (typeof address === 'string') note(`${address}; it is left out`);
    else addresses.set(String(address), address);
  }
  return [...addresses.values()];
}

/** An empty selector selects nothing: as none. */
function selectorOf(spec: ObjectFields): ReadonlyMap<string, string> | undefined {
  const labels = spec.child('selector');
  const before = spec.notes.length;
  const selector = new Map<string, string>();
  for (const label of labels.names()) {
    const value = labels.text(label);
    if (value !== undefined) selector.set(label, value);
  }
  // Fewer labels would select more pods.
  if (spec.followUp(before, 'the selector is left out')) return undefined;
  return selector.size === 0 ? undefined : selector;
}
