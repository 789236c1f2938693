// Which EndpointSlice a service with a selector gets from a lab's pods: what Kubernetes' endpoint slice controller does, as far as a lab
// needs it. Pure.
import type { LabPod } from '../lab-state.ts';
import type { ServiceManifest } from './service-manifest.ts';

/** Undefined where the service has no selector: its endpoints are somebody else's. */
export function sliceOfService(
  service: ServiceManifest,
  { pods, answers }: { readonly pods: readonly LabPod[]; readonly answers: (pod: string) => boolean },
): unknown {
  const { metadata, spec } = service;
  const { selector } = spec;
  if (selector === undefined || Object.keys(selector).length === 0 || spec.type === 'ExternalName')
    return undefined;
  const chosen = pods
    .filter(({ labels, address }) => address !== undefined && selects(selector, labels))
    .toSorted((a, b) => a.name.localeCompare(b.name));
  return {
    apiVersion: 'discovery.k8s.io/v1',
    kind: 'EndpointSlice',
    metadata: {
      name: `${metadata.name}-lab`,
      namespace: metadata.namespace,
      labels: {
        'kubernetes.io/service-name': metadata.name,
        'endpointslice.kubernetes.io/managed-by': 'netloom-lab',
      },
    },
    addressType: 'IPv4',
    // A pod of a lab has no named ports: a name means the port of the service.
    ports: spec.ports.map((port) => ({
      name: port.name ?? '',
      protocol: port.protocol,
      port: typeof port.targetPort === 'number' ? port.targetPort : port.port,
    })),
    endpoints: chosen.map((pod) => ({
      addresses: [pod.address],
      conditions: conditions(pod, answers(pod.name)),
      nodeName: pod.node,
      targetRef: { kind: 'Pod', name: pod.name },
    })),
  };
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
