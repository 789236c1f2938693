// The IPVS mode of one family: virtual servers, sets, addresses on kube-ipvs0 and rules, kept as the service ports say, in an order that
// loses no connection. It looks at all of the kernel only when told to, after a failure, or at the start. Not how each kind is programmed
// (the keepers), nor what a port is of each (port-parts.ts). Past 300 lines: one sync from its beginning to its end.
import { setImmediate } from 'node:timers/promises';
import type { IpsetAccess } from '../../kernel/ipset/objects.ts';
import type { IptablesAccess } from '../../kernel/iptables/driver.ts';
import { type IpvsAccess, virtualServerText } from '../../kernel/ipvs/objects.ts';
import { isExists, isNotFound } from '../../kernel/kernel-error.ts';
import type { Family, IpAddress } from '../../net/address.ts';
import { type Clock, realClock } from '../../runtime/clock.ts';
import { errorMessage } from '../../runtime/error-text.ts';
import { portChainRank, servicesChain } from '../iptables/chain-names.ts';
import { type KernelRules, leadsTo } from '../iptables/kernel-rules.ts';
import { ownTables } from '../iptables/own-chains.ts';
import { accessLabel, removeChains } from '../iptables/removal.ts';
import { type ChangeWatch, RuleKeeper } from '../iptables/rule-keeper.ts';
import type { PortRules } from '../iptables/service-rules.ts';
import type { ModeInput, ProxyMode, SyncReport } from '../proxy-mode.ts';
import type { ServicePort } from '../service-port.ts';
import { AddressKeeper, type LinkAccess } from './address-keeper.ts';
import type { IpvsChoices } from './ipvs-choices.ts';
import { ipvsFixedRules } from './ipvs-fixed-rules.ts';
import type { LinkWatch } from './link-watch.ts';
import { nodePortEntry } from './port-entries.ts';
import { PartsCache, type PortParts } from './port-parts.ts';
import { isChainOfIpvs, removeIpvs } from './remove-ipvs.ts';
import { ServerKeeper } from './server-keeper.ts';
import { SetKeeper, type TouchedEntries } from './set-keeper.ts';
import type { SliceOptions } from './slices.ts';

export interface IpvsModeOptions {
  readonly family: Family;
  /** Not closed here, as the others. */
  readonly ipvs: IpvsAccess;
  readonly ipset: IpsetAccess;
  readonly access: IptablesAccess;
  readonly route: LinkAccess;
  readonly watch?: ChangeWatch | undefined;
  readonly linkWatch?: LinkWatch | undefined;
  /** Large loads of rules in several texts: good for iptables-nft, bad for iptables-legacy. */
  readonly inBatches: boolean;
  readonly randomFully: boolean;
  readonly choices: IpvsChoices;
  /** Gives way to other work between two slices of a long one; the event loop's next turn if absent. */
  readonly pause?: (() => Promise<void>) | undefined;
  /** For connections that end while nothing changes; the real one if absent. */
  readonly clock?: Clock | undefined;
  /** Takes the rules away, in words; those of `access` if absent. */
  readonly removeRules?: (() => Promise<readonly string[]>) | undefined;
  readonly close?: (() => void) | undefined;
}

export function createIpvsMode(options: IpvsModeOptions): ProxyMode {
  return new IpvsMode(options);
}

/** How often real servers are looked at that wait for the end of their connections. kube-proxy's interval. */
const drainInterval = 60_000;

/** What a sync is about: the parts that ports are to have, and what became of them. */
interface Work {
  readonly after: ReadonlyMap<string, PortParts | undefined>;
  readonly full: boolean;
  readonly slices: SliceOptions;
  readonly failed: Map<string, Error>;
  /** Errors of what no port is to blame for. */
  readonly faults: Error[];
  readonly servers: Set<string>;
  readonly entries: TouchedEntries;
  readonly addresses: Map<string, IpAddress>;
  changes: number;
}

class IpvsMode implements ProxyMode {
  readonly name = 'ipvs';
  readonly #options: IpvsModeOptions;
  readonly #clock: Clock;
  readonly #servers: ServerKeeper;
  readonly #sets: SetKeeper;
  readonly #addresses: AddressKeeper;
  readonly #rules: RuleKeeper;
  #cache: PartsCache | undefined;
  /** What is claimed for each port. */
  readonly #claimed = new Map<string, PortParts>();
  /** False: the kernel has to be looked at. */
  #isKnown = false;
  /** Ends the wait for the next look at what drains; undefined when nobody waits. */
  #cancelDrain: (() => void) | undefined;
  /** One at a time: syncs, and looks at what drains. */
  #turn: Promise<unknown> = Promise.resolve();
  #heldBefore: readonly IpAddress[] = [];
  #drainMarks: ReadonlySet<string> = new Set();
  readonly #closing = new AbortController();

  constructor(options: IpvsModeOptions) {
    const { family, ipvs, ipset, route, linkWatch, choices, clock = realClock } = options;
    this.#options = options;
    this.#clock = clock;
    this.#servers = new ServerKeeper({ family, ipvs, excludePrefixes: choices.excludePrefixes });
    this.#sets = new SetKeeper(ipset, family);
    this.#addresses = new AddressKeeper({ route, family, watch: linkWatch });
    this.#rules = new RuleKeeper(options);
  }

  async sync(input: ModeInput, signal: AbortSignal): Promise<SyncReport> {
    return await this.#alone(async () => {
      this.#rules.begin();
      try {
        const report = await this.#syncChanges(input, signal);
        return report ?? (await this.#syncAll(input, signal));
      } finally {
        this.#drainLater();
      }
    });
  }

  async #alone<T>(task: () => Promise<T>): Promise<T> {
    const before = this.#turn;
    const mine = (async () => {
      await before.catch(() => {});
      return await task();
    })();
    this.#turn = mine.catch(() => {});
    return await mine;
  }

  /** Undefined: everything has to be looked at. */
  async #syncChanges(
    { ports, changed, context }: ModeInput,
    signal: AbortSignal,
  ): Promise<SyncReport | undefined> {
    const cache = this.#cache;
    if (changed === 'all' || !this.#isKnown || !this.#rules.isKnown) return undefined;
    if (cache === undefined || !cache.isFor(context)) return undefined;
    const failed = new Map<string, Error>();
    const after = new Map<string, PortParts | undefined>();
    for (const key of changed) {
      const port = ports.get(key);
      if (port === undefined) cache.forget(key);
      const parts = port === undefined ? undefined : partsOrFailure(port, { cache, failed });
      if (!failed.has(key)) after.set(key, parts);
    }
    this.#isKnown = false;
    const work = this.#work(after, { full: false, failed, signal });
    if (!(await this.#program(work))) return undefined;
    return this.#report(work);
  }

  async #syncAll({ ports, context }: ModeInput, signal: AbortSignal): Promise<SyncReport> {
    this.#isKnown = false;
    let cache = this.#cache;
    if (cache === undefined || !cache.isFor(context))
      cache = new PartsCache({ context, scheduler: this.#options.choices.scheduler });
    cache.keepOnly(ports);
    this.#cache = cache;
    const failed = new Map<string, Error>();
    const after = new Map<string, PortParts | undefined>();
    for (const key of this.#claimed.keys()) if (!ports.has(key)) after.set(key, undefined);
    for (const port of ports.values()) {
      const parts = partsOrFailure(port, { cache, failed });
      if (!failed.has(port.key)) after.set(port.key, parts);
    }
    const work = this.#work(after, { full: true, failed, signal });
    await this.#servers.read(work.slices);
    await this.#sets.read(work.slices);
    this.#addresses.read();
    await this.#program(work, ipvsFixedRules(context, this.#options));
    return this.#report(work);
  }

  #work(
    after: Work['after'],
    {
      full,
      failed,
      signal,
    }: { readonly full: boolean; readonly failed: Map<string, Error>; readonly signal: AbortSignal },
  ): Work {
    const { pause = async () => await setImmediate() } = this.#options;
    const slices = { pause, signal };
    const touched = { servers: new Set<string>(), entries: new Map(), addresses: new Map() };
    return { after, full, failed, slices, faults: [], ...touched, changes: 0 };
  }

  #report({ full, changes, failed, faults }: Work): SyncReport {
    const [fault] = faults;
    // What no port is to blame for is looked at again as a whole.
    if (fault !== undefined) throw fault;
    this.#isKnown = true;
    return { full, changes, failed };
  }

  /**
   * What a packet needs comes before what leads it there: virtual servers, entries, rules, then the address; and goes after it. False: the
   * kernel is not as remembered. `fixed`: everything is looked at.
   */
  async #program(work: Work, fixed?: ReturnType<typeof ipvsFixedRules>): Promise<boolean> {
    const before = new Map([...work.after.keys()].map((key) => [key, this.#claimed.get(key)]));
    const giveUp = (key: string, error: Error) => {
      work.failed.set(key, refusedPort(key, error));
      this.#claim(key, before.get(key), work);
    };
    const undo = (): false => {
      for (const [key, parts] of before) this.#claim(key, parts, work);
      return false;
    };
    for (const [key, parts] of work.after) this.#claim(key, parts, work);
    if (work.full) this.#touchAll(work);
    if (fixed !== undefined) work.changes += await this.#sets.prepare({ free: () => this.#freeSets() });

    const servers = await this.#servers.add(work.servers, work.slices);
    work.changes += servers.changes;
    if (isSurprised(work, servers.failures)) return undo();
    for (const { key, error } of servers.failures) {
      const owner = this.#servers.ownerOf(key);
      if (owner === undefined || !work.after.has(owner)) work.faults.push(error);
      else if (!work.failed.has(owner)) giveUp(owner, error);
    }
    // What was given up may have been changed in part.
    if (servers.failures.length > 0)
      work.changes += (await this.#servers.add(work.servers, work.slices)).changes;

    const entries = await this.#sets.add(work.entries, work.slices);
    work.changes += entries.changes;
    if (isSurprised(work, entries.failures)) return undo();
    for (const { set, text, error } of entries.failures) {
      const owners = this.#sets.ownersOf(set, { text, among: work.after.keys() });
      if (owners.length === 0) work.faults.push(error);
      for (const owner of owners) if (!work.failed.has(owner)) giveUp(owner, error);
    }

    const refused = await this.#programRules(work, fixed);
    if (refused === undefined) return undo();
    for (const [key, error] of refused) giveUp(key, error);

    await this.#bind(work);
    await this.#takeAway(work);
    return true;
  }

  #claim(key: string, parts: PortParts | undefined, work: Work): void {
    for (const server of this.#servers.claim(key, parts?.servers)) work.servers.add(server);
    this.#sets.claim(key, parts?.entries, work.entries);
    for (const address of this.#addresses.claim(key, parts?.addresses))
      work.addresses.set(address.toString(), address);
    if (parts === undefined) this.#claimed.delete(key);
    else this.#claimed.set(key, parts);
  }

  #touchAll(work: Work): void {
    for (const key of this.#servers.all()) work.servers.add(key);
    for (const [set, texts] of this.#sets.all()) work.entries.set(set, texts);
    for (const address of this.#addresses.all()) work.addresses.set(address.toString(), address);
  }

  /** Ports that iptables refuses. Undefined: the rules are not as remembered. */
  async #programRules(
    work: Work,
    fixed: ReturnType<typeof ipvsFixedRules> | undefined,
  ): Promise<ReadonlyMap<string, Error> | undefined> {
    const { slices, failed } = work;
    if (fixed === undefined) {
      const rules = new Map<string, PortRules | undefined>();
      for (const [key, parts] of work.after) if (!failed.has(key)) rules.set(key, withRules(parts));
      const lines = await this.#rules.change(rules, slices.signal);
      work.changes += lines ?? 0;
      return lines === undefined ? undefined : new Map();
    }
    const rules = new Map<string, PortRules>();
    for (const [key, parts] of this.#claimed) {
      const one = withRules(parts);
      if (one !== undefined) rules.set(key, one);
    }
    const { changes, refused } = await this.#rules.look(rules, {
      fixed,
      signal: slices.signal,
      // Their rules go with this look: from then on packets have to come to the input.
      onRead: async (kernel) => {
        if (isOfIptablesMode(kernel)) await this.#bind(work);
      },
    });
    work.changes += changes;
    return refused;
  }

  async #bind(work: Work): Promise<void> {
    const { slices, failed } = work;
    const wanted = [...work.addresses.values()].filter((address) => this.#addresses.isWanted(address));
    // Before the address is there, and as long as it is, only services are to be had by it.
    const marks = this.#markBound(wanted, work);
    const marked = await this.#sets.add(marks, slices);
    const bound = await this.#addresses.bind(wanted, slices);
    work.changes += marked.changes + bound.changes;
    for (const { address, error } of bound.failures) {
      const key = this.#addresses.ownerOf(address, work.after.keys());
      if (key === undefined) work.faults.push(error);
      else failed.set(key, refusedPort(key, error));
    }
    for (const { error } of marked.failures) work.faults.push(error);
  }

  /** KUBE-IPVS-IPS has what is bound, whoever wants it. */
  #markBound(addresses: readonly IpAddress[], work: Work): TouchedEntries {
    const touched: TouchedEntries = new Map();
    for (const address of addresses)
      this.#sets.claim(`address ${address}`, [{ set: 'KUBE-IPVS-IPS', entry: { address } }], touched);
    for (const [set, texts] of touched) {
      const all = work.entries.get(set) ?? new Set();
      for (const text of texts) all.add(text);
      work.entries.set(set, all);
    }
    return touched;
  }

  /** What nobody wants any more: no new connections, no address; what has no connection left goes. */
  async #takeAway(work: Work): Promise<void> {
    const { slices, faults, entries } = work;
    const quieted = await this.#servers.quiet(work.servers, slices);
    const held = this.#servers.heldAddresses();
    // Addresses that were held so far may be free now.
    const asked = [...work.addresses.values(), ...this.#heldBefore];
    const unbound = await this.#addresses.unbind(asked, { ...slices, held });
    this.#heldBefore = held;
    const removed = await this.#servers.remove(work.servers, slices);
    this.#markDraining(entries);
    for (const address of [...asked, ...unbound.unbound]) {
      const isThere = this.#addresses.isBound(address);
      if (!isThere) this.#sets.claim(`address ${address}`, undefined, entries);
      else if (!this.#addresses.isWanted(address)) this.#markBound([address], work);
    }
    const added = await this.#sets.add(entries, slices);
    const taken = await this.#sets.remove(entries, slices);
    for (const { changes, failures } of [quieted, unbound, removed, added, taken]) {
      work.changes += changes;
      for (const { error } of failures) faults.push(error);
    }
  }

  /** The sets say whose a virtual server is: of one that drains at an address of the node's own nothing else would. */
  #markDraining(touched: TouchedEntries): void {
    const marks = new Map(
      this.#servers.unwanted().map((server) => [`draining ${virtualServerText(server)}`, server]),
    );
    for (const [key, server] of marks) this.#sets.claim(key, [nodePortEntry(server)], touched);
    for (const key of this.#drainMarks) if (!marks.has(key)) this.#sets.claim(key, undefined, touched);
    this.#drainMarks = new Set(marks.keys());
  }

  /** However many changes there are meanwhile, the next look comes in its time. */
  #drainLater(): void {
    const isDraining = this.#servers.draining.size > 0 && !this.#closing.signal.aborted;
    if (!isDraining) this.#stopDraining();
    if (!isDraining || this.#cancelDrain !== undefined) return;
    this.#cancelDrain = this.#clock.setTimer(drainInterval, () => {
      this.#cancelDrain = undefined;
      void this.#alone(async () => {
        if (!this.#isKnown) return;
        const work = this.#work(new Map(), {
          full: false,
          failed: new Map(),
          signal: this.#closing.signal,
        });
        for (const key of this.#servers.draining) work.servers.add(key);
        try {
          await this.#takeAway(work);
        } finally {
          // The next sync finds out what is wrong.
          if (work.faults.length > 0) this.#isKnown = false;
          this.#drainLater();
        }
      }).catch(() => {
        this.#isKnown = false;
      });
    });
  }

  /** A set that rules ask cannot be destroyed: they go, and come back with the look that goes on. */
  async #freeSets(): Promise<void> {
    await this.#removeRules();
    this.#rules.forget();
  }

  async #removeRules(): Promise<readonly string[]> {
    const { removeRules, access, inBatches, family } = this.#options;
    if (removeRules !== undefined) return await removeRules();
    const { words } = await removeChains({
      access,
      tables: ownTables,
      isOurs: isChainOfIpvs,
      signal: this.#closing.signal,
      label: accessLabel(family, inBatches ? 'nft' : 'legacy'),
    });
    return words;
  }

  changed(): boolean {
    if (!this.#isKnown) return false;
    return (
      this.#rules.changed() ||
      this.#addresses.changed() ||
      !this.#servers.isNextAsRemembered() ||
      !this.#sets.areNextAsRemembered()
    );
  }

  #stopDraining(): void {
    this.#cancelDrain?.();
    this.#cancelDrain = undefined;
  }

  async cleanUp(): Promise<readonly string[]> {
    return await this.#alone(async () => {
      this.#stopDraining();
      this.#isKnown = false;
      this.#claimed.clear();
      for (const keeper of [this.#servers, this.#sets, this.#addresses, this.#rules]) keeper.forget();
      this.#heldBefore = [];
      this.#drainMarks = new Set();
      const { removed, left } = await removeIpvs({
        ...this.#options,
        excludePrefixes: this.#options.choices.excludePrefixes,
        when: 'now',
        removeRules: () => this.#removeRules(),
      });
      if (left.length > 0) throw new Error(`Cannot clean up: ${left.join('; ')}`);
      return removed;
    });
  }

  close(): void {
    this.#stopDraining();
    this.#closing.abort(new Error('The mode is closed'));
    this.#rules.close();
    this.#options.linkWatch?.close();
    this.#options.close?.();
  }
}

/** Nothing to remember of a port without rules, as most are. */
function withRules(parts: PortParts | undefined): PortRules | undefined {
  return parts === undefined || parts.rules.chains.size === 0 ? undefined : parts.rules;
}

/** Packets are led to endpoints by rules now: kube-proxy's iptables mode, or ours. */
function isOfIptablesMode(kernel: KernelRules): boolean {
  const lines = kernel.get('nat')?.get(servicesChain)?.lines ?? [];
  return lines.some((line) => portChainRank(leadsTo(line) ?? '') !== undefined);
}

/** Somebody else changed what we remember. */
function isSurprised({ full }: Work, failures: readonly { readonly error: Error }[]): boolean {
  return !full && failures.some(({ error }) => isNotFound(error) || isExists(error));
}

function partsOrFailure(
  port: ServicePort,
  { cache, failed }: { readonly cache: PartsCache; readonly failed: Map<string, Error> },
): PortParts | undefined {
  try {
    return cache.partsOf(port);
  } catch (error) {
    failed.set(port.key, refusedPort(port.key, error));
    return undefined;
  }
}

function refusedPort(key: string, cause: unknown): Error {
  return new Error(`Cannot program service port "${key}": ${errorMessage(cause)}`, { cause });
}
