// Which EndpointSlices a service with a selector gets from a lab's pods: what Kubernetes' endpoint slice controller does, as far as a lab
// needs it. Pure.
import type { Family } from '../../../net/address.ts';
import { familyName } from '../../../proxy/family-name.ts';
import type { LabPod } from '../lab-state.ts';
import { familyOf, servedFamilies } from './service-families.ts';
import type { ServiceManifest } from './service-manifest.ts';

/** One for each family of the service. Undefined where it has no selector: its endpoints are somebody else's. */
export function slicesOfService(
  service: ServiceManifest,
  {
    pods,
    families,
    answers,
  }: {
    readonly pods: readonly LabPod[];
    /** The lab's, the usual one first. */
    readonly families: readonly Family[];
    readonly answers: (pod: string) => boolean;
  },
): readonly unknown[] | undefined {
  const { metadata, spec } = service;
  const { selector } = spec;
  if (selector === undefined || Object.keys(selector).length === 0 || spec.type === 'ExternalName')
    return undefined;
  const chosen = pods
    .filter(({ labels }) => selects(selector, labels))
    .toSorted((a, b) => a.name.localeCompare(b.name));
  return servedFamilies(service, families).map((family) => ({
    apiVersion: 'discovery.k8s.io/v1',
    kind: 'EndpointSlice',
    metadata: {
      name: `${metadata.name}-lab-${familyName(family).toLowerCase()}`,
      namespace: metadata.namespace,
      labels: {
        'kubernetes.io/service-name': metadata.name,
        'endpointslice.kubernetes.io/managed-by': 'netloom-lab',
      },
    },
    addressType: familyName(family),
    // A pod of a lab has no named ports: a name means the port of the service.
    ports: spec.ports.map((port) => ({
      name: port.name ?? '',
      protocol: port.protocol,
      port: typeof port.targetPort === 'number' ? port.targetPort : port.port,
    })),
    endpoints: chosen.flatMap((pod) =>
      pod.addresses
        .filter((address) => familyOf(address) === family)
        .map((address) => ({
          addresses: [address],
          conditions: conditions(pod, answers(pod.name)),
          nodeName: pod.node,
          targetRef: { kind: 'Pod', name: pod.name },
        })),
    ),
  }));
}

function selects(
  selector: Readonly<Record<string, string>>,
  labels: Readonly<Record<string, string>>,
): boolean {
  return Object.entries(selector).every(([name, value]) => labels[name] === value);
}

/** KEP-1669: a pod on its way out still serves, for those who have nobody else. */
function conditions({ terminating = false }: LabPod, serving: boolean) {
  return { ready: serving && !terminating, serving, terminating };
}
