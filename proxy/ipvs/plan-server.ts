// The steps for one virtual server, in the parts between which other things have to happen: what it gains, what takes no connection any
// more, and what can go. Pure. A real server that goes keeps its connections until they end, but those of UDP, which have no end.

import type {
  IpvsStep,
  RealServerId,
  RealServerState,
  VirtualServerState,
} from '../../kernel/ipvs/objects.ts';
import { isSameServer } from '../../kernel/ipvs/plan.ts';
import type { WantedServer } from './port-servers.ts';

/** A virtual server as the kernel has it, as far as we know. */
export interface KnownServer {
  readonly server: VirtualServerState;
  /** By text. */
  readonly reals: ReadonlyMap<string, RealServerState>;
}

/** Of a real server that takes connections: kube-proxy's, too. */
const weight = 1;

/** What is missing or not as wanted. Real servers too many stay. */
export function planGains(wanted: WantedServer, known: KnownServer | undefined): readonly IpvsStep[] {
  const { server, reals } = wanted;
  const steps: IpvsStep[] = [];
  if (known === undefined) steps.push({ kind: 'server-add', server });
  else if (!isSameServer(server, known.server)) steps.push({ kind: 'server-change', server });
  for (const [key, real] of reals) {
    const found = known?.reals.get(key);
    if (found === undefined) steps.push({ kind: 'real-add', server, real: { ...real, weight } });
    // One that drained and comes back, or that others changed.
    else if (found.weight !== weight || !found.isNat)
      steps.push({ kind: 'real-change', server, real: { ...real, weight } });
  }
  return steps;
}

/** Real servers of the kernel's that are not wanted. */
export function surplusReals(
  known: KnownServer,
  wanted: WantedServer | undefined,
): readonly RealServerState[] {
  return [...known.reals].filter(([key]) => wanted?.reals.has(key) !== true).map(([, real]) => real);
}

/** No new connections for those that are to go. */
export function planQuiet(known: KnownServer, wanted: WantedServer | undefined): readonly IpvsStep[] {
  if (known.server.protocol === 'udp') return [];
  return surplusReals(known, wanted)
    .filter((real) => real.weight !== 0)
    .map(({ address, port }) => ({
      kind: 'real-change',
      server: known.server,
      real: { address, port, weight: 0 },
    }));
}

/** Whether it waits for no connection. */
export function isIdle(known: KnownServer, real: RealServerState): boolean {
  return known.server.protocol === 'udp' || real.activeConnections + real.inactiveConnections === 0;
}

/** What can go, after the connections were counted. */
export function planLosses(known: KnownServer, wanted: WantedServer | undefined): readonly IpvsStep[] {
  const idle = surplusReals(known, wanted).filter((real) => isIdle(known, real));
  if (wanted === undefined && idle.length === known.reals.size)
    return [{ kind: 'server-delete', server: known.server }];
  const ids: readonly RealServerId[] = idle.map(({ address, port }) => ({ address, port }));
  return ids.map((real) => ({ kind: 'real-delete', server: known.server, real }));
}
