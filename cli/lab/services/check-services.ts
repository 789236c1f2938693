// Services for the checks of a lab, made for them and taken away again: manifests, pods that stand for one another. What is proven with
// them is service-checks.ts's.
import { type Family, IpAddress } from '../../../net/address.ts';
import { Prefix } from '../../../net/prefix.ts';
import { familyName } from '../../../proxy/family-name.ts';
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
  /** The addresses that a load balancer lets in, one for each network. */
  readonly allowed: readonly string[];
}

/** RFC 2544's network and RFC 5180's: nobody in a lab has an address of them. */
const nobodys: Readonly<Record<Family, string>> = { 4: '198.18.0.0/15', 6: '2001:2::/48' };

/** The service that has only the one family, where there are two. */
export function singleStackName(family: Family): string {
  return `single-stack-ipv${family}`;
}

/** All services of the checks, complete. */
export function checkServices(
  networks: Networks,
  { others: existing, ...choices }: CheckServicesOptions,
): ReadonlyMap<string, ServiceManifest> {
  const families = networks.map(({ family }) => family);
  const wishes = usualWishes(families, choices);
  const made = new Map<string, ServiceManifest>();
  const others = [...existing];
  for (const wish of families.length > 1
    ? [...wishes.map(dualStack), ...families.map(ofOneFamily)]
    : wishes) {
    const service = completeService(manifestOf(wish), { others, networks });
    others.push(service);
    made.set(wish.name, service);
  }
  return made;
}

const all = { app: 'echo' };

function usualWishes(
  families: readonly Family[],
  { single, allowed }: Omit<CheckServicesOptions, 'others'>,
): readonly Wish[] {
  const alone = { pod: single };
  const local = { type: 'NodePort', externalTrafficPolicy: 'Local' };
  const affinity = {
    sessionAffinity: 'ClientIP',
    sessionAffinityConfig: { clientIP: { timeoutSeconds: 60 } },
  };
  const balanced = (ranges: readonly string[]) => ({
    type: 'LoadBalancer',
    loadBalancerSourceRanges: ranges,
  });
  const hosts = allowed.map((address) => String(Prefix.host(IpAddress.parse(address))));
  return [
    { name: 'tcp', selector: all },
    { name: 'udp', selector: all, protocol: 'UDP' },
    { name: 'affinity', selector: all, spec: affinity },
    { name: 'node-port', selector: all, spec: { type: 'NodePort' } },
    { name: 'node-port-local', selector: alone, spec: local },
    { name: 'hairpin', selector: alone },
    { name: 'allowed', selector: all, spec: balanced(hosts) },
    { name: 'forbidden', selector: all, spec: balanced(families.map((family) => nobodys[family])) },
    { name: 'empty', selector: { app: 'nobody' } },
    { name: 'replaced', selector: { check: 'replaced' } },
    { name: 'moving', selector: { check: 'moving' }, protocol: 'UDP' },
  ];
}

function dualStack({ spec, ...wish }: Wish): Wish {
  return { ...wish, spec: { ...spec, ipFamilyPolicy: 'RequireDualStack' } };
}

function ofOneFamily(family: Family): Wish {
  return { name: singleStackName(family), selector: all, spec: { ipFamilies: [familyName(family)] } };
}

function manifestOf({ name, selector, protocol = 'TCP', spec = {} }: Wish): ServiceManifest {
  return serviceManifest.parse({
    apiVersion: 'v1',
    kind: 'Service',
    metadata: { name, namespace: checkNamespace },
    spec: { selector, ports: [{ port: 80, protocol, targetPort: 8080 }], ...spec },
  });
}
