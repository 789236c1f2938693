// IPVS in memory: the driver's interface with the kernel's refusals, and what ip_vs does with the first packet of a connection. Passes the
// same suite as the kernel's driver. It tracks no connections: tests say how many there are.
import { constants } from 'node:os';
import { transportNumber, transports } from '../../net/transport.ts';
import { KernelError } from '../kernel-error.ts';
import type { Packet } from '../nft/packet.ts';
import { schedule } from './fake-schedule.ts';
import { type FakeServer, FakeServers } from './fake-servers.ts';
import {
  type IpvsAccess,
  type IpvsStep,
  type IpvsStepResult,
  type IpvsTimeouts,
  type RealServerId,
  type RealServerState,
  realServerText,
  type VirtualServerId,
  type VirtualServerState,
  virtualServerText,
} from './objects.ts';
import { stepOutcome } from './step-outcome.ts';
import { stepRequest } from './step-request.ts';

const { errno } = constants;

export interface FakeIpvsOptions {
  /** Schedulers that this kernel does not have. */
  readonly missingSchedulers?: readonly string[];
}

/** What becomes of the first packet of a connection. */
export type IpvsEvaluation =
  /** Its destination is rewritten to this. */
  | { readonly kind: 'sent'; readonly real: RealServerId }
  /** ICMP port unreachable: no real server takes connections. */
  | { readonly kind: 'refused' };

/** What the kernel takes from the machine around it, given by the test. */
export interface IpvsSurroundings {
  /** A number below `modulus`; 0 unless given. */
  readonly random?: ((modulus: number) => number) | undefined;
  /** Milliseconds of any clock that only goes forward. 0 unless given. */
  readonly now?: (() => number) | undefined;
  /** The sysctl: a persistent client leaves a real server of weight 0. As in the kernel not, unless given. */
  readonly expireQuiescentTemplate?: boolean | undefined;
}

/** Numbers that the kernel counts; those not given stay. */
export type FakeConnections = Partial<
  Pick<RealServerState, 'activeConnections' | 'inactiveConnections' | 'persistentConnections'>
>;

/** Where a persistent client goes: the kernel's connection template. */
interface Template {
  /** realServerText */
  readonly real: string;
  readonly until: number;
}

/** Several accesses of one kernel see each other's changes. */
export class FakeIpvsKernel {
  /** Every step that was applied, in order, refused ones too. */
  readonly applied: IpvsStep[] = [];
  #servers: FakeServers;
  /** By virtual server and client. */
  #templates = new Map<string, Template>();
  #timeouts: IpvsTimeouts = { tcp: 900, tcpFin: 120, udp: 300 };
  readonly #failures = new Set<{ picks: (step: IpvsStep) => boolean; errno: number }>();

  constructor({ missingSchedulers = [] }: FakeIpvsOptions = {}) {
    this.#servers = new FakeServers(missingSchedulers);
  }

  /** Another kernel with the same servers, clients and timeouts, which change of their own. */
  fork(): FakeIpvsKernel {
    const other = new FakeIpvsKernel();
    other.#servers = this.#servers.copy();
    other.#templates = new Map(this.#templates);
    other.#timeouts = this.#timeouts;
    return other;
  }

  access(): IpvsAccess {
    const look = {
      server: (id: VirtualServerId) => this.#servers.get(id)?.server,
      realServers: (id: VirtualServerId) => this.#realServers(id),
    };
    return {
      ...look,
      servers: (family) => this.#servers.ofFamily(family),
      serverSlices: (family) => slices(this.#servers.ofFamily(family)),
      apply: (steps) => {
        // As the driver: how an addition of what is there fares is looked at when the whole batch has gone in.
        const errors = steps.map((step) => this.#run(step));
        return steps.map((step, i): IpvsStepResult => {
          const error = errors[i];
          return { step, error: error && stepOutcome(step, error, look) };
        });
      },
      timeouts: () => this.#timeouts,
      setTimeouts: (timeouts) => {
        this.#timeouts = changedTimeouts(this.#timeouts, timeouts);
      },
      close: () => undefined,
    };
  }

  /** From now on a step that the predicate picks fails with the errno (default EIO). Returns how to stop that. */
  fail(picks: (step: IpvsStep) => boolean, code: keyof typeof errno = 'EIO'): () => void {
    const failure = { picks, errno: errno[code] };
    this.#failures.add(failure);
    return () => this.#failures.delete(failure);
  }

  /** Says how many connections a real server has. Throws TypeError when it is not there. */
  setConnections(id: VirtualServerId, real: RealServerId, connections: FakeConnections): void {
    this.#servers.amendReal(id, { real, change: connections });
  }

  /** What others do and ours never does: gives a virtual server options, or a real server another way than NAT. */
  disturb(id: VirtualServerId, real?: RealServerId): void {
    if (real === undefined) this.#servers.amendServer(id, { hasOtherOptions: true });
    else this.#servers.amendReal(id, { real, change: { isNat: false } });
  }

  /** `ipvsadm -C`: all virtual servers go. */
  flush(): void {
    this.#servers.clear();
  }

  /**
   * What ip_vs does with the first packet of a connection when it comes to its hook; undefined: it lets the packet pass, which is for no
   * virtual server. A persistent client is remembered.
   */
  evaluate(packet: Packet, surroundings: IpvsSurroundings = {}): IpvsEvaluation | undefined {
    const protocol = transports.find((transport) => transportNumber[transport] === packet.protocol);
    if (protocol === undefined) return undefined;
    const id = { protocol, address: packet.daddr, port: packet.dport };
    const found = this.#servers.get(id);
    if (found === undefined) return undefined;
    const { random = () => 0, now = () => 0 } = surroundings;
    const { server, reals } = found;
    const client = `${virtualServerText(id)} ${packet.saddr}`;
    const { persistentSeconds } = server;
    const real =
      (persistentSeconds === undefined ? undefined : this.#remembered(client, { found, surroundings })) ??
      schedule({ server, packet, reals: [...reals.values()], random });
    if (real === undefined) return { kind: 'refused' };
    if (persistentSeconds !== undefined)
      this.#templates.set(client, { real: realServerText(real), until: now() + persistentSeconds * 1000 });
    return { kind: 'sent', real: { address: real.address, port: real.port } };
  }

  /** ip_vs_check_template: only a real server that is there and, where the sysctl says so, takes connections. */
  #remembered(
    client: string,
    { found, surroundings }: { readonly found: FakeServer; readonly surroundings: IpvsSurroundings },
  ): RealServerState | undefined {
    const { now = () => 0, expireQuiescentTemplate = false } = surroundings;
    const template = this.#templates.get(client);
    if (template === undefined || now() >= template.until) return undefined;
    const real = found.reals.get(template.real);
    return real?.weight === 0 && expireQuiescentTemplate ? undefined : real;
  }

  #realServers(id: VirtualServerId): readonly RealServerState[] {
    const found = this.#servers.get(id);
    // As the kernel: the newest first.
    if (found !== undefined) return [...found.reals.values()].reverse();
    throw new KernelError({
      operation: 'list real servers',
      object: virtualServerText(id),
      errno: errno.ESRCH,
      kernelMessage: 'there is no such virtual server',
    });
  }

  #run(step: IpvsStep): KernelError | undefined {
    this.applied.push(step);
    const failure = [...this.#failures].find(({ picks }) => picks(step));
    const number = failure?.errno ?? this.#servers.run(step);
    if (number === 0) return undefined;
    const { operation, object } = stepRequest(step);
    return new KernelError({ operation, object, errno: number });
  }
}

/** INT_MAX / HZ of a kernel that counts 250 a second, as most do. */
const longestTimeout = Math.floor(0x7fffffff / 250);

function changedTimeouts(before: IpvsTimeouts, { tcp, tcpFin, udp }: IpvsTimeouts): IpvsTimeouts {
  if ([tcp, tcpFin, udp].some((seconds) => seconds > longestTimeout))
    throw new KernelError({ operation: 'set timeouts', object: 'IPVS', errno: errno.EINVAL });
  return { tcp: tcp || before.tcp, tcpFin: tcpFin || before.tcpFin, udp: udp || before.udp };
}

const sliceSize = 100;

function* slices(
  servers: readonly VirtualServerState[],
): Generator<readonly VirtualServerState[], void, void> {
  for (let at = 0; at < servers.length; at += sliceSize) yield servers.slice(at, at + sliceSize);
}
