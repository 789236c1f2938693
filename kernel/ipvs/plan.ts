// From what IPVS is to what it should be: the steps between. Pure. Whose a virtual server is, and when a real server that is to go has
// lost its connections, the caller decides.
import {
  type IpvsStep,
  type RealServer,
  type RealServerState,
  realServerText,
  type VirtualServer,
  type VirtualServerState,
  virtualServerText,
} from './objects.ts';

/** A virtual server as it should be. */
export interface WantedServer {
  readonly server: VirtualServer;
  readonly reals: readonly RealServer[];
}

/** A virtual server as it is. */
export interface ActualServer {
  readonly server: VirtualServerState;
  readonly reals: readonly RealServerState[];
}

/** By virtualServerText. */
export type WantedIpvs = ReadonlyMap<string, WantedServer>;
export type ActualIpvs = ReadonlyMap<string, ActualServer>;

export function ipvsMap<T extends { readonly server: VirtualServer }>(
  servers: Iterable<T>,
): ReadonlyMap<string, T> {
  return new Map(Array.from(servers, (each) => [virtualServerText(each.server), each]));
}

/**
 * All additions and changes come before all removals: at no time has a virtual server fewer real servers than it had or is to have.
 * `actual` holds only what is ours: of it, what is not wanted goes.
 */
export function planIpvs(wanted: WantedIpvs, actual: ActualIpvs): readonly IpvsStep[] {
  const kept = [...wanted].flatMap(([key, server]) => serverSteps(server, actual.get(key)));
  const stale = [...actual].flatMap(([key, { server }]): readonly IpvsStep[] =>
    wanted.has(key) ? [] : [{ kind: 'server-delete', server }],
  );
  return [...kept.filter((step) => !isRemoval(step)), ...kept.filter(isRemoval), ...stale];
}

/** The same for one virtual server, which is there already or is not. */
export function serverSteps(wanted: WantedServer, actual: ActualServer | undefined): readonly IpvsStep[] {
  const { server } = wanted;
  const left = new Map((actual?.reals ?? []).map((real) => [realServerText(real), real]));
  const own: readonly IpvsStep[] =
    actual === undefined
      ? [{ kind: 'server-add', server }]
      : isSameServer(server, actual.server)
        ? []
        : [{ kind: 'server-change', server }];
  const seen = new Set<string>();
  const reals = wanted.reals.flatMap((real): readonly IpvsStep[] => {
    const key = realServerText(real);
    // Named twice: the first counts.
    if (seen.has(key)) return [];
    seen.add(key);
    const found = left.get(key);
    left.delete(key);
    if (found === undefined) return [{ kind: 'real-add', server, real }];
    return isSameReal(real, found) ? [] : [{ kind: 'real-change', server, real }];
  });
  const stale = [...left.values()].map((real): IpvsStep => ({ kind: 'real-delete', server, real }));
  return [...own, ...reals, ...stale];
}

function isRemoval({ kind }: IpvsStep): boolean {
  return kind === 'real-delete' || kind === 'server-delete';
}

/** Of two with the same address and port. */
export function isSameServer(wanted: VirtualServer, actual: VirtualServerState): boolean {
  return (
    wanted.scheduler === actual.scheduler &&
    wanted.persistentSeconds === actual.persistentSeconds &&
    wanted.hashesPort === actual.hashesPort &&
    !actual.hasOtherOptions
  );
}

/** Of two with the same address and port. A change makes one that others made with tunnelling one of NAT. */
export function isSameReal(wanted: RealServer, actual: RealServerState): boolean {
  return actual.isNat && wanted.weight === actual.weight;
}
