// A rtnetlink driver without a kernel: it refuses, drops and fills in what Linux would, and passes the same suite as the real
// one (driver.suite.ts). Time, packets and link-local addresses it does not have.
import { constants } from 'node:os';
import type { IpAddress } from '../../net/address.ts';
import { KernelError } from '../kernel-error.ts';
import type { RouteAccess } from './driver.ts';
import { Refusal } from './fake-refusal.ts';
import { deleteRoute, referredLink, setRoute, wayTo } from './fake-routes.ts';
import { FakeTables } from './fake-tables.ts';
import { joinVlans, leaveVlans, type VlanMembers } from './fake-vlans.ts';
import { isWantedLink, linkChanges } from './link-changes.ts';
import {
  addressKey,
  type FdbEntry,
  fdbKey,
  type InterfaceAddress,
  type Link,
  neighbourKey,
  type PortVlan,
  type Route,
  type RouteState,
  routeState,
  ruleKey,
} from './objects.ts';
import { ranges } from './plan-vlans.ts';
import { stepRequest } from './requests.ts';
import type { RouteStep, StepResult, VlanChange } from './step.ts';
import { explained, isAlreadySo } from './step-outcome.ts';

export interface FakeRouteDriver extends RouteAccess {
  /** Every step that `apply` was given, in order. */
  readonly applied: readonly RouteStep[];
  /** From now on a step that the predicate picks fails with the errno (default EIO). Returns how to stop that. */
  fail(picks: (step: RouteStep) => boolean, code?: keyof typeof constants.errno): () => void;
}

export interface FakeKernelOptions {
  /** Kinds of links that this kernel does not have. */
  readonly missingKinds?: readonly Link['detail']['kind'][];
}

/** A namespace with what `initial` holds, beside the loopback. */
export function createFakeRouteDriver(
  initial: RouteState = routeState({}),
  options: FakeKernelOptions = {},
): FakeRouteDriver {
  return new FakeKernel(initial, options);
}

type StepOf<K extends RouteStep['kind']> = Extract<RouteStep, { readonly kind: K }>;
type Executors = { readonly [K in RouteStep['kind']]: (step: StepOf<K>) => void };

const { errno } = constants;
const loopback: Link = { name: 'lo', detail: { kind: 'other', type: '' }, mtu: 65_536, up: true };

class FakeKernel implements FakeRouteDriver {
  readonly applied: RouteStep[] = [];
  readonly #tables: FakeTables;
  readonly #options: FakeKernelOptions;
  readonly #failures = new Set<{ picks: (step: RouteStep) => boolean; errno: number }>();

  constructor(initial: RouteState, options: FakeKernelOptions) {
    this.#options = options;
    const links = new Map([['lo', loopback], ...initial.links]);
    this.#tables = new FakeTables({ ...initial, links });
  }

  read(): RouteState {
    return this.#tables.snapshot();
  }

  apply(steps: readonly RouteStep[]): readonly StepResult[] {
    return steps.map((step) => this.#run(step));
  }

  link(name: string): Link | undefined {
    return this.#tables.links.get(name);
  }

  addressesOn(name: string): readonly InterfaceAddress[] {
    return [...this.#tables.addresses.values()].filter(({ link }) => link === name);
  }

  routeTo(address: IpAddress): Route | undefined {
    return wayTo(this.#tables, address);
  }

  portVlans(name: string): readonly PortVlan[] {
    return ranges(this.#tables.vlans.get(name) ?? []);
  }

  fail(picks: (step: RouteStep) => boolean, code: keyof typeof errno = 'EIO'): () => void {
    const failure = { picks, errno: errno[code] };
    this.#failures.add(failure);
    return () => this.#failures.delete(failure);
  }

  close(): void {
    this.#failures.clear();
  }

  #run(step: RouteStep): StepResult {
    this.applied.push(step);
    try {
      for (const { picks, errno: number } of this.#failures) if (picks(step)) throw new Refusal(number);
      this.#execute(step.kind, step);
      return { step };
    } catch (refusal) {
      if (!(refusal instanceof Refusal)) throw refusal;
      const { operation, object } = stepRequest(step);
      const error = new KernelError({
        operation,
        object,
        errno: refusal.errno,
        kernelMessage: refusal.words,
      });
      return isAlreadySo(step, error) ? { step } : { step, error: explained(step, error) };
    }
  }

  #execute<K extends RouteStep['kind']>(kind: K, step: RouteStep): void {
    // `kind` is the step's own, so the executor takes this step.
    this.#executors[kind](step as StepOf<K>);
  }

  #device(name: string): Link {
    const link = this.#tables.links.get(name);
    if (link === undefined) throw new Refusal(errno.ENODEV);
    return link;
  }

  #referred(name: string): Link {
    return referredLink(this.#tables, name);
  }

  readonly #executors: Executors = {
    'link-add': ({ link }) => this.#addLink(link),
    'link-set': ({ link, was }) => {
      const found = this.#device(link.name);
      const changes = linkChanges(link, was);
      if (changes.master !== undefined && changes.master !== '') this.#bridge(changes.master);
      if ((changes.mtu ?? 0) > this.#tables.largestMtu(found.detail)) throw new Refusal(errno.EINVAL);
      this.#tables.changeLink(found, changes);
    },
    'link-delete': ({ link }) => this.#tables.deleteLink(this.#device(link.name).name),
    'port-set': ({ port }) => {
      const options = this.#tables.ports.get(this.#device(port.link).name);
      if (options === undefined) throw new Refusal(errno.EOPNOTSUPP);
      const { hairpin = options.hairpin, isolated = options.isolated, learning = options.learning } = port;
      this.#tables.ports.set(port.link, { link: port.link, hairpin, isolated, learning });
    },
    'vlan-set': (change) => joinVlans(this.#vlanMembers(change), change.vlan),
    'vlan-delete': (change) => leaveVlans(this.#vlanMembers(change), change.vlan),
    'address-add': ({ address }) => {
      this.#referred(address.link);
      if (this.#tables.addresses.has(addressKey(address))) throw new Refusal(errno.EEXIST);
      this.#tables.addAddress(address);
    },
    'address-delete': ({ address }) => {
      this.#referred(address.link);
      const found = this.#tables.addresses.get(addressKey(address));
      if (found === undefined) throw new Refusal(errno.EADDRNOTAVAIL, 'ipv4: Address not found');
      this.#tables.deleteAddress(found);
    },
    'neighbour-set': ({ neighbour }) => {
      this.#referred(neighbour.link);
      this.#tables.setNeighbour(neighbour);
    },
    'neighbour-delete': ({ neighbour }) => {
      this.#referred(neighbour.link);
      if (!this.#tables.neighbours.delete(neighbourKey(neighbour))) throw new Refusal(errno.ENOENT);
    },
    'fdb-set': ({ entry }) => {
      this.#checkFdb(entry);
      this.#tables.setFdb(entry);
    },
    'fdb-delete': ({ entry }) => {
      this.#referred(entry.link);
      if (!this.#tables.fdb.delete(fdbKey(entry))) throw new Refusal(errno.ENOENT);
    },
    'route-set': ({ route }) => setRoute(this.#tables, route),
    'route-delete': ({ route }) => deleteRoute(this.#tables, route),
    'rule-add': ({ rule }) => {
      if (this.#tables.rules.has(ruleKey(rule))) throw new Refusal(errno.EEXIST);
      this.#tables.addRule(rule);
    },
    'rule-delete': ({ rule }) => {
      if (!this.#tables.rules.delete(ruleKey(rule))) throw new Refusal(errno.ENOENT);
    },
  };

  #vlanMembers({ link, vlan, self }: VlanChange): VlanMembers {
    const { name, detail } = this.#referred(link);
    const { first, last, pvid } = vlan;
    if (first < 1 || last > 4094 || first > last || (pvid && first < last)) throw new Refusal(errno.EINVAL);
    const takes = self ? detail.kind === 'bridge' : this.#tables.ports.has(name);
    const members = this.#tables.vlans.get(name);
    if (!takes || members === undefined) throw new Refusal(errno.EOPNOTSUPP);
    return members;
  }

  #bridge(name: string): Link {
    const bridge = this.#referred(name);
    if (bridge.detail.kind !== 'bridge') throw new Refusal(errno.EOPNOTSUPP);
    return bridge;
  }

  #addLink(link: Link): void {
    const { detail, name } = link;
    const there = this.#tables.links.get(name);
    if (there !== undefined) {
      if (isWantedLink(link, there)) return;
      throw new Refusal(errno.EEXIST);
    }
    if (detail.kind === 'other' || this.#options.missingKinds?.includes(detail.kind) === true) {
      throw new Refusal(errno.EOPNOTSUPP, 'Unknown device type');
    }
    if (link.master !== undefined && link.master !== '') this.#bridge(link.master);
    if (detail.kind === 'vxlan') {
      if (detail.underlay !== undefined) this.#referred(detail.underlay);
      for (const { detail: other } of this.#tables.links.values()) {
        // One of each underlay family may have the VNI and port (vxlan_config_validate compares VXLAN_F_IPV6).
        const isSamePlace = other.kind === 'vxlan' && other.vni === detail.vni && other.port === detail.port;
        if (isSamePlace && other.local?.family === detail.local?.family) {
          throw new Refusal(errno.EEXIST, 'A VXLAN device with the specified VNI already exists');
        }
      }
    }
    if (detail.kind === 'veth') this.#addPeer(name, detail.peer);
    this.#tables.addLink(link);
  }

  /** The other end: here, unless it is made in another namespace. */
  #addPeer(name: string, peer: Extract<Link['detail'], { kind: 'veth' }>['peer']): void {
    if (peer?.netns !== undefined) return;
    const other = peer?.name ?? this.#freeName();
    if (this.#tables.links.has(other)) throw new Refusal(errno.EEXIST);
    this.#tables.addLink({ name: other, detail: { kind: 'veth' }, mac: peer?.mac, mtu: peer?.mtu });
    this.#tables.peers.set(name, other);
    this.#tables.peers.set(other, name);
  }

  #freeName(): string {
    for (let i = 0; ; i++) if (!this.#tables.links.has(`veth${i}`)) return `veth${i}`;
  }

  #checkFdb(entry: FdbEntry): void {
    const { detail, master } = this.#referred(entry.link);
    if (!entry.self && master === '') throw new Refusal(errno.EOPNOTSUPP);
    if (entry.self && detail.kind === 'vxlan' && entry.remote === undefined) throw new Refusal(errno.EINVAL);
  }
}
