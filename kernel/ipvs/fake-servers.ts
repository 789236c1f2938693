// The fake kernel's virtual and real servers, and how steps change them or are refused. What packets and tests do with them is fake.ts.
import { constants } from 'node:os';
import type { Family, IpAddress } from '../../net/address.ts';
import {
  type IpvsStep,
  type RealServer,
  type RealServerId,
  type RealServerState,
  realServerText,
  type VirtualServer,
  type VirtualServerId,
  type VirtualServerState,
  virtualServerText,
} from './objects.ts';
import { schedulers } from './schedulers.ts';

const { errno } = constants;

export interface FakeServer {
  readonly server: VirtualServerState;
  /** By realServerText, in the order in which they came. */
  readonly reals: ReadonlyMap<string, RealServerState>;
}

type StepOf<K extends IpvsStep['kind']> = Extract<IpvsStep, { readonly kind: K }>;
type Executors = { readonly [K in IpvsStep['kind']]: (step: StepOf<K>) => number };

/** Success, beside the error numbers that executors return. */
const done = 0;

/** IP_VS_SCHEDNAME_MAXLEN, without the zero at its end. */
const longestScheduler = 15;

export class FakeServers {
  /** By virtualServerText. */
  readonly #servers: Map<string, FakeServer>;
  readonly #missingSchedulers: readonly string[];

  constructor(missingSchedulers: readonly string[], servers: Iterable<readonly [string, FakeServer]> = []) {
    this.#missingSchedulers = missingSchedulers;
    this.#servers = new Map(servers);
  }

  copy(): FakeServers {
    return new FakeServers(this.#missingSchedulers, this.#servers);
  }

  get(id: VirtualServerId): FakeServer | undefined {
    return this.#servers.get(virtualServerText(id));
  }

  ofFamily(family: Family): readonly VirtualServerState[] {
    return [...this.#servers.values()]
      .map(({ server }) => server)
      .filter(({ address }) => address.family === family);
  }

  clear(): void {
    this.#servers.clear();
  }

  /** Changes one that is there. Throws TypeError when it is not. */
  amendServer(id: VirtualServerId, change: Partial<VirtualServerState>): void {
    const found = this.get(id);
    if (found === undefined)
      throw new TypeError(`Cannot change virtual server "${virtualServerText(id)}": it is not there`);
    this.#put({ ...found, server: { ...found.server, ...change } });
  }

  /** Changes one that is there. Throws TypeError when it is not. */
  amendReal(
    id: VirtualServerId,
    { real, change }: { readonly real: RealServerId; readonly change: Partial<RealServerState> },
  ): void {
    const found = this.get(id);
    const there = found?.reals.get(realServerText(real));
    if (found === undefined || there === undefined)
      throw new TypeError(
        `Cannot change real server "${realServerText(real)}": "${virtualServerText(id)}" does not have it`,
      );
    this.#putReal(found, { ...there, ...change });
  }

  /** The errno that the step is refused with; 0: it is done. */
  run(step: IpvsStep): number {
    return this.#execute(step.kind, step);
  }

  #execute<K extends IpvsStep['kind']>(kind: K, step: IpvsStep): number {
    // `kind` is the step's own, so the executor takes this step.
    return this.#executors[kind](step as StepOf<K>);
  }

  #put(changed: FakeServer): void {
    this.#servers.set(virtualServerText(changed.server), changed);
  }

  #putReal({ server, reals }: FakeServer, real: RealServerState): void {
    this.#put({ server, reals: new Map(reals).set(realServerText(real), real) });
  }

  #schedulerFault(name: string): number {
    if (name.length > longestScheduler) return errno.EINVAL;
    return schedulers.has(name) && !this.#missingSchedulers.includes(name) ? done : errno.ENOENT;
  }

  /** The kernel's answers as net/netfilter/ipvs/ip_vs_ctl.c gives them, in its order. */
  readonly #executors: Executors = {
    'server-add': ({ server }) => {
      if (this.get(server) !== undefined) return errno.EEXIST;
      const fault = this.#schedulerFault(server.scheduler);
      if (fault === done) this.#put({ server: serverStateOf(server), reals: new Map() });
      return fault;
    },
    'server-change': ({ server }) => {
      const found = this.get(server);
      if (found === undefined) return errno.ESRCH;
      const fault = this.#schedulerFault(server.scheduler);
      if (fault === done) this.#put({ ...found, server: serverStateOf(server) });
      return fault;
    },
    'server-delete': ({ server }) => (this.#servers.delete(virtualServerText(server)) ? done : errno.ESRCH),
    'real-add': ({ server, real }) => {
      const found = this.get(server);
      if (found === undefined) return errno.ESRCH;
      if (real.address.family !== server.address.family) return errno.EINVAL;
      if (found.reals.has(realServerText(real))) return errno.EEXIST;
      if (!isMachine(real.address)) return errno.EINVAL;
      this.#putReal(found, realStateOf(real));
      return done;
    },
    'real-change': ({ server, real }) => {
      const found = this.get(server);
      if (found === undefined) return errno.ESRCH;
      if (real.address.family !== server.address.family) return errno.EINVAL;
      const there = found.reals.get(realServerText(real));
      if (there === undefined) return errno.ENOENT;
      this.#putReal(found, { ...there, weight: real.weight, isNat: true });
      return done;
    },
    'real-delete': ({ server, real }) => {
      const found = this.get(server);
      if (found === undefined) return errno.ESRCH;
      const reals = new Map(found.reals);
      if (!reals.delete(realServerText(real))) return errno.ENOENT;
      this.#put({ ...found, reals });
      return done;
    },
  };
}

function serverStateOf(server: VirtualServer): VirtualServerState {
  const { protocol, address, port, scheduler, persistentSeconds, hashesPort } = server;
  return { protocol, address, port, scheduler, persistentSeconds, hashesPort, hasOtherOptions: false };
}

function realStateOf({ address, port, weight }: RealServer): RealServerState {
  const none = { activeConnections: 0, inactiveConnections: 0, persistentConnections: 0 };
  return { address, port, weight, isNat: true, ...none };
}

/** Whether the kernel takes the address for one of a single machine (RTN_UNICAST, RTN_LOCAL). */
function isMachine(address: IpAddress): boolean {
  return !(
    address.isUnspecified ||
    address.isMulticast ||
    address.isIp4Mapped ||
    address.isBroadcast ||
    (address.family === 6 && address.isLinkLocal)
  );
}
