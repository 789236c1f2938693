// Which virtual servers there should be, by the ports that want them, and the steps there in the order that cuts no connection. What the
// kernel has is known-servers.ts's; the steps for one server are plan-server.ts's.
import type { IpvsAccess, IpvsStep, VirtualServerId } from '../../kernel/ipvs/objects.ts';
import type { Family, IpAddress } from '../../net/address.ts';
import type { Prefix } from '../../net/prefix.ts';
import { KnownServers, type StepFailure } from './known-servers.ts';
import { planGains, planLosses, planQuiet, surplusReals } from './plan-server.ts';
import type { WantedServer } from './port-servers.ts';
import type { SliceOptions } from './slices.ts';

export interface ServerKeeperOptions {
  readonly ipvs: IpvsAccess;
  readonly family: Family;
  /** Virtual servers in these that no port wants are others'. */
  readonly excludePrefixes: readonly Prefix[];
}

export interface Done {
  readonly changes: number;
  readonly failures: readonly StepFailure[];
}

type Servers = ReadonlyMap<string, WantedServer>;

const none: Servers = new Map();

export class ServerKeeper {
  readonly #options: ServerKeeperOptions;
  readonly #known: KnownServers;
  /** Virtual server -> port -> what it wants there. */
  readonly #claims = new Map<string, Map<string, WantedServer>>();
  readonly #byPort = new Map<string, Servers>();
  /** Virtual servers with real servers that wait for the end of their connections, or that are to be deleted themselves. */
  #draining = new Set<string>();
  #canaries: Iterator<string> | undefined;

  constructor(options: ServerKeeperOptions) {
    this.#options = options;
    this.#known = new KnownServers(options.ipvs, options.family);
  }

  async read(options: SliceOptions): Promise<void> {
    await this.#known.read(options);
    this.#canaries = undefined;
  }

  /** All that there is and should be. */
  all(): ReadonlySet<string> {
    return new Set([...this.#known.keys(), ...this.#claims.keys()]);
  }

  get draining(): ReadonlySet<string> {
    return this.#draining;
  }

  /** What a port wants from now on. Returns the virtual servers that this may concern. */
  claim(port: string, servers: Servers | undefined): Iterable<string> {
    const before = this.#byPort.get(port) ?? none;
    const after = servers ?? none;
    for (const key of before.keys()) {
      const claims = this.#claims.get(key);
      claims?.delete(port);
      if (claims?.size === 0) this.#claims.delete(key);
    }
    for (const [key, wanted] of after) {
      const claims = this.#claims.get(key);
      if (claims === undefined) this.#claims.set(key, new Map([[port, wanted]]));
      else claims.set(port, wanted);
    }
    if (after.size === 0) this.#byPort.delete(port);
    else this.#byPort.set(port, after);
    return [...before.keys(), ...after.keys()];
  }

  /** The port whose virtual server it is. */
  ownerOf(key: string): string | undefined {
    return this.#best(key)?.[0];
  }

  /** Adds and changes; nothing is taken away. */
  async add(keys: Iterable<string>, options: SliceOptions): Promise<Done> {
    const steps: IpvsStep[] = [];
    for (const key of keys) {
      const wanted = this.#wanted(key);
      if (wanted !== undefined) steps.push(...planGains(wanted, this.#known.get(key)));
    }
    return await this.#apply(steps, options);
  }

  /** No new connections for what is to go, and looks which of it has none left. */
  async quiet(keys: Iterable<string>, options: SliceOptions): Promise<Done> {
    const going = [...keys].filter((key) => this.#isLosing(key));
    const steps = going.flatMap((key) => {
      const known = this.#known.get(key);
      return known === undefined ? [] : planQuiet(known, this.#wanted(key));
    });
    const done = await this.#apply(steps, options);
    const counted = going.filter((key) => this.#known.get(key)?.server.protocol !== 'udp');
    await this.#known.recount(counted, options);
    for (const key of going) {
      if (this.#staysAfter(key)) this.#draining.add(key);
      else this.#draining.delete(key);
    }
    return done;
  }

  /** Addresses of virtual servers that nobody wants any more and that still have connections. As of the last `quiet`. */
  heldAddresses(): readonly IpAddress[] {
    return this.unwanted().map(({ address }) => address);
  }

  /** Virtual servers that nobody wants any more and that still have connections. */
  unwanted(): readonly VirtualServerId[] {
    return [...this.#draining].flatMap((key) => {
      const known = this.#wanted(key) === undefined ? this.#known.get(key) : undefined;
      return known === undefined ? [] : [known.server];
    });
  }

  /** Takes away what has no connection left. */
  async remove(keys: Iterable<string>, options: SliceOptions): Promise<Done> {
    const all = [...keys];
    const steps = all.flatMap((key) => {
      const known = this.#isLosing(key) ? this.#known.get(key) : undefined;
      return known === undefined ? [] : planLosses(known, this.#wanted(key));
    });
    const done = await this.#apply(steps, options);
    for (const key of all) if (!this.#isLosing(key)) this.#draining.delete(key);
    return done;
  }

  /** Looks at one virtual server, another each time: somebody who deletes all of them is seen at once. */
  isNextAsRemembered(): boolean {
    if (this.#known.size === 0) return true;
    let next = this.#canaries?.next();
    if (next === undefined || next.done === true) {
      this.#canaries = [...this.#known.keys()][Symbol.iterator]();
      next = this.#canaries.next();
    }
    return next.done === true || this.#known.isAsRemembered(next.value);
  }

  forget(): void {
    this.#claims.clear();
    this.#byPort.clear();
    this.#draining = new Set();
  }

  #best(key: string): readonly [string, WantedServer] | undefined {
    const claims = this.#claims.get(key);
    if (claims === undefined) return undefined;
    let best: readonly [string, WantedServer] | undefined;
    for (const claim of claims) {
      if (best === undefined || claim[1].rank < best[1].rank) best = claim;
      else if (claim[1].rank === best[1].rank && claim[0] < best[0]) best = claim;
    }
    return best;
  }

  #wanted(key: string): WantedServer | undefined {
    return this.#best(key)?.[1];
  }

  /** Something of it is to go, and it is ours. */
  #isLosing(key: string): boolean {
    const known = this.#known.get(key);
    if (known === undefined) return false;
    const wanted = this.#wanted(key);
    if (wanted !== undefined) return surplusReals(known, wanted).length > 0;
    return !this.#options.excludePrefixes.some((prefix) => prefix.contains(known.server.address));
  }

  /** Whether something of it is left to wait for when all that can go has gone. */
  #staysAfter(key: string): boolean {
    const known = this.#known.get(key);
    if (known === undefined) return false;
    const wanted = this.#wanted(key);
    const losses = planLosses(known, wanted);
    if (losses.some(({ kind }) => kind === 'server-delete')) return false;
    return losses.length < surplusReals(known, wanted).length;
  }

  async #apply(steps: readonly IpvsStep[], options: SliceOptions): Promise<Done> {
    const { done, failures } = await this.#known.apply(steps, options);
    return { changes: done, failures };
  }
}
