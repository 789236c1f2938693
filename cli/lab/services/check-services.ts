// Services for the checks of a lab, made for them and taken away again: manifests, pods that stand for one another. What is proven with
// them is service-checks.ts's.
import { completeService, type Networks } from './complete-service.ts';
import { type ServiceManifest, serviceManifest } from './service-manifest.ts';

export const checkNamespace = 'lab-check';

/** Pods that only checks make, by what they begin with. */
export const checkPodPrefix = 'lab-check-';

interface Wish {
  readonly name: string;
  readonly selector: Readonly<Record<string, string>>;
  readonly protocol?: 'TCP' | 'UDP';
  readonly spec?: Readonly<Record<string, unknown>>;
}

export interface CheckServicesOptions {
  /** Services that are there already. */
  readonly others: readonly ServiceManifest[];
  /** The pod that is alone behind some of them. */
  readonly single: string;
  /** The address that a load balancer lets in. */
  readonly allowed: string;
}

/** All services of the checks, complete. */
export function checkServices(
  networks: Networks,
  { others: existing, single, allowed }: CheckServicesOptions,
): ReadonlyMap<string, ServiceManifest> {
  const all = { app: 'echo' };
  const alone = { pod: single };
  const local = { type: 'NodePort', externalTrafficPolicy: 'Local' };
  const affinity = {
    sessionAffinity: 'ClientIP',
    sessionAffinityConfig: { clientIP: { timeoutSeconds: 60 } },
  };
  const balanced = (range: string) => ({ type: 'LoadBalancer', loadBalancerSourceRanges: [range] });
  const wishes: readonly Wish[] = [
    { name: 'tcp', selector: all },
    { name: 'udp', selector: all, protocol: 'UDP' },
    { name: 'affinity', selector: all, spec: affinity },
    { name: 'node-port', selector: all, spec: { type: 'NodePort' } },
    { name: 'node-port-local', selector: alone, spec: local },
    { name: 'hairpin', selector: alone },
    { name: 'allowed', selector: all, spec: balanced(`${allowed}/32`) },
    // RFC 2544's network: nobody in a lab has an address of it.
    { name: 'forbidden', selector: all, spec: balanced('198.18.0.0/15') },
    { name: 'empty', selector: { app: 'nobody' } },
    { name: 'replaced', selector: { check: 'replaced' } },
    { name: 'moving', selector: { check: 'moving' }, protocol: 'UDP' },
  ];
  const made = new Map<string, ServiceManifest>();
  const others = [...existing];
  for (const wish of wishes) {
    const service = completeService(manifestOf(wish), { others, networks });
    others.push(service);
    made.set(wish.name, service);
  }
  return made;
}

function manifestOf({ name, selector, protocol = 'TCP', spec = {} }: Wish): ServiceManifest {
  return serviceManifest.parse({
    apiVersion: 'v1',
    kind: 'Service',
    metadata: { name, namespace: checkNamespace },
    spec: { selector, ports: [{ port: 80, protocol, targetPort: 8080 }], ...spec },
  });
}
