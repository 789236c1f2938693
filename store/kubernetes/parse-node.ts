// A Node object to what we need of it: whose it is, its pod networks, what agents wrote on it, where it is and whether it is about to
// go. The rest of it (images, capacities, managedFields: 10 to 50 kB) is dropped here.
import { Prefix } from '../../net/prefix.ts';
import { quote } from '../store-error.ts';
import { isDnsSubdomain } from './dns-name.ts';
import { ObjectFields } from './object-fields.ts';
import { timeIn } from './object-metadata.ts';

/** Label of the zone, and the one before Kubernetes 1.17. */
const zoneLabels = ['topology.kubernetes.io/zone', 'failure-domain.beta.kubernetes.io/zone'] as const;

/** kube-proxy's /healthz turns false for load balancers when the cluster autoscaler is about to remove the node. */
const goingTaint = 'ToBeDeletedByClusterAutoscaler';

/** Longest annotation that is kept. Ours are under 200 characters. */
const longestAnnotation = 64 * 1024;

export interface KubeNode {
  readonly name: string;
  readonly uid: string | undefined;
  /** Milliseconds since 1970. */
  readonly createdAt: number | undefined;
  /** spec.podCIDRs, or podCIDR: at most one a family. */
  readonly podNetworks: readonly Prefix[];
  /** Those that begin with the prefix that was asked for, without it. */
  readonly annotations: ReadonlyMap<string, string>;
  readonly zone: string | undefined;
  /** It is being deleted, or the autoscaler said that it will be. */
  readonly isGoing: boolean;
  /** Condition NetworkUnavailable; undefined when there is none. */
  readonly networkUnavailable: { readonly status: string; readonly reason: string } | undefined;
  /** What is wrong in it: "spec.podCIDRs[0]: ...". */
  readonly notes: readonly string[];
}

/** Undefined when it cannot even be named. `annotationPrefix` ends with a slash. */
export function parseNode(value: unknown, annotationPrefix: string): KubeNode | undefined {
  const object = ObjectFields.of(value);
  if (object === undefined) return undefined;
  const metadata = object.child('metadata');
  const name = metadata.text('name');
  if (name === undefined || !isDnsSubdomain(name)) return undefined;
  const labels = metadata.child('labels');
  const spec = object.child('spec');
  return {
    name,
    uid: metadata.text('uid'),
    createdAt: timeIn(metadata, 'creationTimestamp'),
    podNetworks: podNetworksOf(spec),
    annotations: annotationsOf(metadata.child('annotations'), annotationPrefix),
    zone: zoneLabels.map((label) => labels.text(label)).find((zone) => zone !== undefined && zone !== ''),
    isGoing:
      metadata.get('deletionTimestamp') !== undefined ||
      spec.children('taints').some((taint) => taint.get('key') === goingTaint),
    networkUnavailable: conditionOf(object),
    notes: object.notes,
  };
}

function annotationsOf(all: ObjectFields, prefix: string): ReadonlyMap<string, string> {
  const found = new Map<string, string>();
  for (const name of all.names()) {
    if (!name.startsWith(prefix)) continue;
    const value = all.text(name);
    if (value === undefined) continue;
    if (value.length > longestAnnotation) all.note(name, `has more than ${longestAnnotation} characters`);
    else found.set(name.slice(prefix.length), value);
  }
  return found;
}

function podNetworksOf(spec: ObjectFields): readonly Prefix[] {
  const several = spec.texts('podCIDRs');
  const one = spec.text('podCIDR');
  const texts =
    several.length > 0 || one === undefined || one === ''
      ? several
      : [{ text: one, note: (message: string) => spec.note('podCIDR', message) }];
  const networks: Prefix[] = [];
  for (const { text, note } of texts) {
    const network = Prefix.tryParse(text);
    if (network === undefined || !network.isNetwork) note(`${quote(text)} is not a network (ADDRESS/LENGTH)`);
    else if (networks.some(({ family }) => family === network.family))
      note(`${quote(text)} is a second one of IPv${network.family}`);
    else networks.push(network);
  }
  return networks;
}

function conditionOf(object: ObjectFields): KubeNode['networkUnavailable'] {
  const found = object
    .child('status')
    .children('conditions')
    .find((condition) => condition.get('type') === 'NetworkUnavailable');
  if (found === undefined) return undefined;
  return { status: found.text('status') ?? '', reason: found.text('reason') ?? '' };
}
