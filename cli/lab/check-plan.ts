// What `lab check` and vagrant/check prove, as data: each check with the probes that it consists of and what each must show. Pure;
// run-check.ts runs them.
import { type Family, IpAddress } from '../../net/address.ts';
import { checkName } from './check-name.ts';
import type { LabState } from './lab-state.ts';

/** Somebody who sends and answers, by an address of one family: a pod, a node, or the internet. */
export interface Endpoint {
  readonly name: string;
  readonly netns: string;
  readonly address: IpAddress;
  /** The node it is on, or is. Undefined outside. */
  readonly node: string | undefined;
}

/** What is sent, and what must be seen on the other side. */
export type ProbeKind =
  | { readonly kind: 'icmp' }
  /** As large as the sender's MTU and one byte more, not to be fragmented: it must arrive, and must be refused. */
  | { readonly kind: 'full-mtu' }
  | { readonly kind: 'over-mtu' }
  /** `saw`: the source address that the other side must see. */
  | { readonly kind: 'tcp'; readonly saw: IpAddress }
  | { readonly kind: 'udp'; readonly saw: IpAddress }
  | { readonly kind: 'transfer'; readonly bytes: number }
  /** Nobody must answer. */
  | { readonly kind: 'tcp-unanswered' }
  | { readonly kind: 'icmp-unanswered' };

export interface Probe {
  readonly from: Endpoint;
  readonly to: Endpoint;
  readonly what: ProbeKind;
}

export interface PlannedCheck {
  readonly name: string;
  readonly probes: readonly Probe[];
  /** Said of it when all probes succeed. */
  readonly proven: string;
}

const transferSize = 1 << 20;
const mebibyte = `${transferSize >> 20} MB`;

interface Pair {
  readonly from: Endpoint;
  readonly to: Endpoint;
}

export interface CheckedEndpoints {
  readonly pods: readonly Endpoint[];
  readonly nodes: readonly Endpoint[];
  /** Who plays the internet for a node and its pods: in a lab one for all. */
  readonly outsideOf: (node: string | undefined) => Endpoint;
}

/** Each check for each family of the lab. Throws RangeError when there is no wired pod. */
export function planChecks(state: LabState): readonly PlannedCheck[] {
  return state.networks.flatMap(({ family }) => {
    const { pods, nodes, outside } = endpointsOf(state, family);
    if (pods.length === 0) throw new RangeError(`Cannot check lab "${state.name}": it has no pods`);
    return planChecksOf({ pods, nodes, outsideOf: () => outside }).map(({ name, ...check }) => ({
      name: checkName(name, { family, networks: state.networks }),
      ...check,
    }));
  });
}

/** Checks without a probe (across nodes, where there is one node) are left out. */
export function planChecksOf({ pods, nodes, outsideOf }: CheckedEndpoints): readonly PlannedCheck[] {
  const pairs = pods.flatMap((from) => pods.filter((to) => to !== from).map((to) => ({ from, to })));
  const near = pairs.filter(({ from, to }) => from.node === to.node);
  const far = pairs.filter(({ from, to }) => from.node !== to.node);
  const toOwnNode = cross(pods, nodes).filter(({ from, to }) => from.node === to.node);
  const toOtherNode = cross(pods, nodes).filter(({ from, to }) => from.node !== to.node);
  const toOutside = pods.map((from) => ({ from, to: outsideOf(from.node) }));
  const nodeOf = (pod: Endpoint): Endpoint => nodes.find(({ node }) => node === pod.node) ?? pod;
  const counted = (group: readonly Pair[], what: string): string => `${group.length} ${what}`;

  const reach = (where: string, group: readonly Pair[]): readonly PlannedCheck[] => [
    check(`${where}: ICMP`, {
      probes: each(group, () => ({ kind: 'icmp' })),
      proven: counted(group, 'pairs'),
    }),
    check(`${where}: TCP, source kept`, {
      probes: each(group, ({ from }) => ({ kind: 'tcp', saw: from.address })),
      proven: counted(group, 'pairs, each saw the other pod’s own address'),
    }),
    check(`${where}: UDP, source kept`, {
      probes: each(group, ({ from }) => ({ kind: 'udp', saw: from.address })),
      proven: counted(group, 'pairs, each saw the other pod’s own address'),
    }),
    check(`${where}: ${mebibyte} there and back`, {
      probes: each(oneForEach(group), () => ({ kind: 'transfer', bytes: transferSize })),
      proven: counted(oneForEach(group), 'transfers, contents equal'),
    }),
    check(`${where}: full MTU, unfragmented`, {
      probes: each(group, () => ({ kind: 'full-mtu' })),
      proven: counted(group, 'pairs'),
    }),
    check(`${where}: one byte over the MTU refused`, {
      probes: each(group, () => ({ kind: 'over-mtu' })),
      proven: counted(group, 'pairs, each refused with EMSGSIZE'),
    }),
  ];

  return [
    ...reach('pods on one node', near),
    ...reach('pods across nodes', far),
    check('pod to its own node', {
      probes: each(toOwnNode, ({ from }) => ({ kind: 'tcp', saw: from.address }), { kind: 'icmp' }),
      proven: counted(toOwnNode, 'pods'),
    }),
    check('pod to another node', {
      probes: each(toOtherNode, ({ from }) => ({ kind: 'tcp', saw: nodeOf(from).address }), { kind: 'icmp' }),
      proven: counted(toOtherNode, 'pairs, each seen as the address of the pod’s node'),
    }),
    check('node to pod', {
      probes: each(cross(nodes, pods), () => ({ kind: 'icmp' })),
      proven: counted(cross(nodes, pods), 'pairs'),
    }),
    check('pod to outside, source masqueraded', {
      probes: each(
        toOutside,
        ({ from }) => ({ kind: 'tcp', saw: nodeOf(from).address }),
        ({ from }) => ({ kind: 'udp', saw: nodeOf(from).address }),
        { kind: 'icmp' },
      ),
      proven: `${pods.length} pods, each seen as the address of its node`,
    }),
    check('outside cannot reach a pod unasked', {
      probes: each(
        toOutside.map(({ from, to }) => ({ from: to, to: from })),
        { kind: 'tcp-unanswered' },
        { kind: 'icmp-unanswered' },
      ),
      proven: `${pods.length} pods: nothing outside has a route to them`,
    }),
  ].filter(({ probes }) => probes.length > 0);
}

/** By their addresses of the family, which the lab has. */
export function endpointsOf(
  state: LabState,
  family: Family,
): {
  readonly pods: readonly Endpoint[];
  readonly nodes: readonly Endpoint[];
  readonly outside: Endpoint;
} {
  const place = state.networks.findIndex((network) => network.family === family);
  const network = state.networks[place];
  if (network === undefined) throw new RangeError(`Lab "${state.name}" has no IPv${family}`);
  return {
    pods: state.pods.flatMap((pod) => endpointAt(place, pod)),
    nodes: state.nodes.flatMap((node) => endpointAt(place, { ...node, node: node.name })),
    outside: {
      name: 'outside',
      node: undefined,
      netns: state.outside.netns,
      address: IpAddress.parse(network.internet),
    },
  };
}

/** None for a pod that is not wired yet. */
function endpointAt(
  place: number,
  { name, node, netns, addresses }: Pick<LabState['pods'][number], 'name' | 'node' | 'netns' | 'addresses'>,
): readonly Endpoint[] {
  const address = addresses[place];
  return address === undefined ? [] : [{ name, node, netns, address: IpAddress.parse(address) }];
}

function check(name: string, rest: Omit<PlannedCheck, 'name'>): PlannedCheck {
  return { name, ...rest };
}

function each(
  pairs: readonly Pair[],
  ...kinds: readonly (ProbeKind | ((pair: Pair) => ProbeKind))[]
): readonly Probe[] {
  return pairs.flatMap((pair) =>
    kinds.map((what) => ({ ...pair, what: typeof what === 'function' ? what(pair) : what })),
  );
}

function cross(froms: readonly Endpoint[], tos: readonly Endpoint[]): readonly Pair[] {
  return froms.flatMap((from) => tos.map((to) => ({ from, to })));
}

/** One pair for each ordered pair of nodes: large transfers between all pods would only measure the machine. */
function oneForEach(pairs: readonly Pair[]): readonly Pair[] {
  const seen = new Set<string>();
  return pairs.filter(({ from, to }) => {
    const key = `${from.node} ${to.node}`;
    if (seen.has(key)) return false;
    seen.add(key);
    return true;
  });
}
