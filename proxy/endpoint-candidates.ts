// The endpoints of one service port as its slices list them, merged and sorted: everything that may be chosen, ready or not.
import type { Transport } from '../net/transport.ts';
import type { EndpointOfSlice, EndpointSlice, PortOfSlice } from '../store/endpoint-slice.ts';
import { compareEndpoints } from './endpoint-order.ts';
import type { Endpoint } from './service-port.ts';

export interface Candidate {
  readonly endpoint: Endpoint;
  /** What its slice says of it: conditions and hints. */
  readonly said: EndpointOfSlice;
}

/** Those that count: slices made from an Endpoints object only where there is no other. Sorted by name as they came. */
export function countingSlices(slices: readonly EndpointSlice[]): readonly EndpointSlice[] {
  if (slices.length < 2 || !slices.some(({ mirrored }) => mirrored)) return slices;
  const real = slices.filter(({ mirrored }) => !mirrored);
  return real.length === 0 ? slices : real;
}

/** Slices' ports are joined by name and protocol. Sorted as kube-proxy does; of those with one address and port, one. */
export function candidatesOf(
  slices: readonly EndpointSlice[],
  { name, protocol, nodeName }: { name: string; protocol: Transport; nodeName: string },
): readonly Candidate[] {
  const all: Candidate[] = [];
  for (const slice of slices) {
    for (const port of slice.ports) {
      if (port.name === name && port.protocol === protocol) addCandidates(all, { slice, port, nodeName });
    }
  }
  if (all.length < 2) return all;
  // Stable: doubles stay in the order of their slices.
  return withoutDoubles(all.sort((a, b) => compareEndpoints(a.endpoint, b.endpoint)));
}

function addCandidates(
  all: Candidate[],
  { slice, port: { port }, nodeName }: { slice: EndpointSlice; port: PortOfSlice; nodeName: string },
): void {
  for (const said of slice.endpoints) {
    const { address } = said;
    if (address.family !== slice.family) continue;
    const local = said.nodeName === nodeName;
    all.push({ endpoint: { address, port, local, nodeUnknown: said.nodeName === undefined }, said });
  }
}

/**
 * An address is given to a new pod while the old one still terminates: one that does not terminate takes the place of any before it,
 * one that does only fills a gap.
 */
function withoutDoubles(sorted: Candidate[]): readonly Candidate[] {
  let kept = 0;
  for (const candidate of sorted) {
    const last = kept === 0 ? undefined : sorted[kept - 1];
    const isDouble = last !== undefined && compareEndpoints(last.endpoint, candidate.endpoint) === 0;
    if (!isDouble) sorted[kept++] = candidate;
    else if (!candidate.said.terminating) sorted[kept - 1] = candidate;
  }
  sorted.length = kept;
  return sorted;
}
