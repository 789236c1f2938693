// Which of a service port's endpoints traffic may go to: kube-proxy's CategorizeEndpoints (pkg/proxy/topology.go), decision by decision.
// What happens to a packet that finds none is in service-port.ts.
import type { Candidate } from './endpoint-candidates.ts';
import type { Endpoint, ServicePort } from './service-port.ts';

/** Where the node is, and which lists its rules will use. */
export interface Choice {
  readonly nodeName: string;
  readonly zone: string | undefined;
  readonly usesCluster: boolean;
  readonly usesLocal: boolean;
}

export type ChosenEndpoints = Pick<ServicePort, 'clusterEndpoints' | 'localEndpoints' | 'hasAnyEndpoint'>;

/** What endpoints' hints ask of this node; `none`: any endpoint will do. */
type Topology = 'same-node' | 'same-zone' | 'none';

const nobody: readonly Endpoint[] = [];

/** The order of the candidates is kept. */
export function chooseEndpoints(candidates: readonly Candidate[], choice: Choice): ChosenEndpoints {
  return {
    clusterEndpoints: choice.usesCluster ? clusterEndpoints(candidates, choice) : nobody,
    localEndpoints: choice.usesLocal ? localEndpoints(candidates) : nobody,
    hasAnyEndpoint: candidates.some((one) => one.said.ready || isLastResort(one)),
  };
}

function clusterEndpoints(candidates: readonly Candidate[], choice: Choice): readonly Endpoint[] {
  const topology = topologyOf(candidates, choice);
  const ready = pick(candidates, (one) => one.said.ready && suits(one, topology, choice));
  // Hints say nothing of endpoints on their way out: the controller leaves them out of its sums.
  return ready.length > 0 ? ready : pick(candidates, isLastResort);
}

function localEndpoints(candidates: readonly Candidate[]): readonly Endpoint[] {
  const ready = pick(candidates, ({ said, endpoint }) => endpoint.local && said.ready);
  if (ready.length > 0) return ready;
  return pick(candidates, (one) => one.endpoint.local && isLastResort(one));
}

/** Terminating, but still answering (KEP-1669): used where nothing is ready, so that a rolling update loses no connection. */
function isLastResort({ said }: Candidate): boolean {
  return said.serving && said.terminating;
}

/** Ready endpoints only. One without a hint turns its kind of hint off; so do hints that leave this node with nothing. */
function topologyOf(candidates: readonly Candidate[], { nodeName, zone }: Choice): Topology {
  let [allNode, forNode, allZone, forZone] = [true, false, true, false];
  for (const { said } of candidates) {
    if (!said.ready) continue;
    if (said.nodeHints.length === 0) allNode = false;
    else if (said.nodeHints.includes(nodeName)) forNode = true;
    if (said.zoneHints.length === 0) allZone = false;
    else if (zone !== undefined && said.zoneHints.includes(zone)) forZone = true;
  }
  if (allNode && forNode) return 'same-node';
  return allZone && forZone ? 'same-zone' : 'none';
}

function suits({ said }: Candidate, topology: Topology, { nodeName, zone }: Choice): boolean {
  switch (topology) {
    case 'none':
      return true;
    case 'same-node':
      return said.nodeHints.includes(nodeName);
    case 'same-zone':
      return zone !== undefined && said.zoneHints.includes(zone);
    default:
      return topology satisfies never;
  }
}

function pick(candidates: readonly Candidate[], isWanted: (one: Candidate) => boolean): readonly Endpoint[] {
  const picked = candidates.filter(isWanted);
  // A list made by map is as long as it needs to be; one that grew has room for a dozen more.
  return picked.length === 0 ? nobody : picked.map(({ endpoint }) => endpoint);
}
