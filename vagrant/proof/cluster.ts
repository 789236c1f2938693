// The machines as one cluster: who can be asked from where, pods that come and go, a neighbour beside each machine. What is proven with
// it is prove-machines.ts's and prove-services.ts's.
import type { Endpoint, Probe } from '../../cli/lab/check-plan.ts';
import type { LabPod } from '../../cli/lab/lab-state.ts';
import type { Sighted } from '../../cli/lab/probes.ts';
import type { Asked } from '../../cli/lab/services/service-checks.ts';
import type { UdpFlow } from '../../cli/lab/services/udp-flow.ts';
import { IpAddress } from '../../net/address.ts';
import type { Machine } from './machine.ts';
import { flowAnswer, nothing, outsideAnswer, podAnswer, probeAnswer, sightedAnswer } from './orders.ts';

export interface Node {
  readonly machine: Machine;
  readonly endpoint: Endpoint;
}

export interface Cluster {
  readonly nodes: readonly Node[];
  readonly outsides: readonly Endpoint[];
  /** A neighbour that the node reaches: the one of the machine after it. */
  outsideOf(node: string | undefined): Endpoint;
  addPod(name: string, node: Node): Promise<Endpoint>;
  removePod(pod: Endpoint): Promise<void>;
  probe(probe: Probe): Promise<string | undefined>;
  ask(asked: Required<Asked>): Promise<Sighted>;
  openFlow(asked: Omit<Required<Asked>, 'udp'>): UdpFlow;
}

/** Its own traffic is its own process's: what else there is on the machine is none of the proof's. */
export const hostNetns = '/proc/1/ns/net';
/** Emulated machines are 5 to 25 times slower than the lab, for which the times of the checks are. */
const patience = 10;
const probeTime = 2000 * patience;
/** Neighbours have the addresses from here on, in the machines' own network. */
const neighbourBase = 200;

/** Makes the neighbours and has machines and neighbours answer. `loadBalancers`: network that the neighbours send to a node. */
export async function openCluster(
  nodes: readonly Node[],
  { loadBalancers }: { readonly loadBalancers: string },
): Promise<Cluster> {
  const machines = new Map(nodes.map(({ machine, endpoint }) => [endpoint.name, machine]));
  const machineOf = (endpoint: Endpoint): Machine => {
    const machine = machines.get(endpoint.name);
    if (machine === undefined) throw new RangeError(`There is no machine of "${endpoint.name}"`);
    return machine;
  };
  const outsides = await Promise.all(
    nodes.map(async ({ machine, endpoint }, i) => {
      await machine.order({ kind: 'answer-for', name: endpoint.name, netns: hostNetns }, nothing);
      const served = nodes[(i + nodes.length - 1) % nodes.length] ?? { endpoint };
      const address = endpoint.address.toString().replace(/\d+$/, String(neighbourBase + i + 1));
      const { netns } = await machine.order(
        {
          kind: 'make-outside',
          address: `${address}/24`,
          beside: endpoint.address.toString(),
          route: loadBalancers,
          via: served.endpoint.address.toString(),
        },
        outsideAnswer,
      );
      const name = `outside-${i + 1}`;
      machines.set(name, machine);
      await machine.order({ kind: 'answer-for', name, netns }, nothing);
      return { name, netns, node: undefined, address: IpAddress.parse(address) };
    }),
  );
  let flows = 0;
  return {
    nodes,
    outsides,
    outsideOf(node) {
      const place = nodes.findIndex(({ endpoint }) => endpoint.name === node);
      const outside = outsides[(place + 1) % outsides.length];
      if (outside === undefined) throw new RangeError('There is no machine');
      return outside;
    },
    async addPod(name, { machine, endpoint }) {
      const { netns, address } = await machine.order({ kind: 'run-pod', name }, podAnswer);
      machines.set(name, machine);
      return { name, netns, node: endpoint.name, address: IpAddress.parse(address) };
    },
    async removePod({ name, ...rest }) {
      await machineOf({ name, ...rest }).order({ kind: 'remove-pod', name }, nothing);
    },
    async probe({ from, to, what }) {
      const machine = machineOf(from);
      const probe = { from: endpointText(from), to: endpointText(to), what: whatText(what) };
      return (await machine.order({ kind: 'probe', probe, timeout: probeTime }, probeAnswer)).seen;
    },
    ask({ from, to, port, udp, timeout }) {
      return machineOf(from).order(
        { kind: 'ask', netns: from.netns, to, port, udp, timeout: timeout * patience },
        sightedAnswer,
      );
    },
    openFlow({ from, to, port, timeout }) {
      const machine = machineOf(from);
      const flow = ++flows;
      const opened = machine.order(
        { kind: 'open-flow', flow, netns: from.netns, to, port, timeout },
        nothing,
      );
      return {
        async ask() {
          await opened;
          return (await machine.order({ kind: 'ask-flow', flow }, flowAnswer)).name;
        },
        close() {
          machine.order({ kind: 'close-flow', flow }, nothing).catch(() => undefined);
        },
      };
    },
  };
}

function endpointText({ name, netns, address, node }: Endpoint) {
  return { name, netns, address: address.toString(), ...(node === undefined ? {} : { node }) };
}

function whatText(what: Probe['what']) {
  return 'saw' in what ? { kind: what.kind, saw: what.saw.toString() } : what;
}

/** As the lab's endpoint slices are made of its pods. */
export function podRecord(pod: Endpoint, labels: LabPod['labels']): LabPod {
  return {
    name: pod.name,
    node: pod.node ?? '',
    netns: pod.netns,
    addresses: [pod.address.toString()],
    labels,
  };
}
