// Services and EndpointSlices as they change, kept as the service ports of one family. It decides what each service means (by the files
// beside it) and remembers; it does not read the store and knows no kernel.
import type { Family } from '../net/address.ts';
import type { EndpointSlice } from '../store/endpoint-slice.ts';
import type { StoreProblem } from '../store/lease-store.ts';
import type { Service } from '../store/service.ts';
import type { ServiceBatch } from '../store/service-source.ts';
import { candidatesOf } from './endpoint-candidates.ts';
import { isSameServicePort } from './same-service-port.ts';
import { createServiceClaims } from './service-claims.ts';
import { serviceInFamily } from './service-in-family.ts';
import type { ServicePort } from './service-port.ts';
import { createServicePortCounter, type ServicePortCounts } from './service-port-counts.ts';
import { type HealthCheck, type MadePorts, servicePortsOf, usedSlices } from './service-ports-of.ts';

export interface ServiceTrackerOptions {
  readonly family: Family;
  readonly nodeName: string;
  readonly zone?: string | undefined;
  /** Services with this label value are looked at; undefined: those without the label. */
  readonly proxyName?: string | undefined;
  /** False: endpoints that would lead into the node itself are left out (endpoint-safety.ts). */
  readonly allowUnsafeEndpoints?: boolean;
}

export interface ServiceTracker {
  /**
   * Takes a batch. Returns the keys of ports that were added, removed or changed in a way that a mode can see; the others are the same
   * objects as before. Costs what the changed services cost, however many others there are.
   */
  apply(batch: Pick<ServiceBatch, 'services' | 'slices'>): ReadonlySet<string>;
  /** The node is in another zone: endpoints' hints are read anew. Returns what `apply` does. */
  setZone(zone: string | undefined): ReadonlySet<string>;
  /** By key; live. */
  readonly ports: ReadonlyMap<string, ServicePort>;
  /** Conflicts, refused endpoints, services that cannot have endpoints: all there are now, sorted by service. The same list until it changes. */
  readonly problems: readonly StoreProblem[];
  /** Live. */
  readonly counts: ServicePortCounts;
  /**
   * Addresses, as text, of all endpoints of the port that serve, whatever policy, hints and termination say: a UDP flow to any other
   * is stale. Gathered when asked; empty for a port that is not there.
   */
  servingAddresses(key: string): ReadonlySet<string>;
  /** By "ns/name": services that need a health check server; live. */
  readonly healthChecks: ReadonlyMap<string, HealthCheck>;
  /** Services whose health check was added, changed or removed since this was last asked. */
  healthChanged(): ReadonlySet<string>;
}

/** What is known of one "ns/name": of a service that is served here, and of slices, which may be there before it. */
interface Entry {
  readonly name: string;
  service: Service | undefined;
  /** Of this family, sorted by name. */
  slices: readonly EndpointSlice[];
  ports: readonly ServicePort[];
}

const noSlices: readonly EndpointSlice[] = [];
const noPorts: readonly ServicePort[] = [];
const nothingMade: MadePorts = { ports: noPorts, healthCheck: undefined, problems: [] };

export function createServiceTracker(options: ServiceTrackerOptions): ServiceTracker {
  const { family, nodeName, proxyName, allowUnsafeEndpoints = false } = options;
  let around = { nodeName, zone: options.zone, allowUnsafeEndpoints };
  const entries = new Map<string, Entry>();
  const slicesByKey = new Map<string, EndpointSlice>();
  const claims = createServiceClaims();
  const ports = new Map<string, ServicePort>();
  const counter = createServicePortCounter();
  const healthChecks = new Map<string, HealthCheck>();
  let healthChanged = new Set<string>();
  const problemsByService = new Map<string, readonly StoreProblem[]>();
  let problems: readonly StoreProblem[] | undefined;

  const inFamily = (name: string, service: Service | undefined) =>
    service === undefined ? undefined : serviceInFamily(service, { name, family, proxyName });

  const entryOf = (name: string): Entry => {
    let entry = entries.get(name);
    if (entry === undefined) {
      entry = { name, service: undefined, slices: noSlices, ports: noPorts };
      entries.set(name, entry);
    }
    return entry;
  };

  const takeService = (name: string, service: Service | undefined, stale: Set<Entry>) => {
    const entry = entryOf(name);
    // Whatever comes of it, an entry that turns out to be empty goes when it is renewed.
    stale.add(entry);
    const before = inFamily(name, entry.service);
    const after = inFamily(name, service);
    if (before !== undefined) claims.remove(before);
    if (after !== undefined) claims.add(after);
    // One that is not served is forgotten: when that changes, the store names it again.
    entry.service = after === undefined ? undefined : service;
    counter.services += (after === undefined ? 0 : 1) - (before === undefined ? 0 : 1);
  };

  const takeSlice = (key: string, slice: EndpointSlice | undefined, stale: Set<Entry>) => {
    const before = slicesByKey.get(key);
    if (before !== undefined) {
      const entry = entryOf(serviceOfSlice(before));
      entry.slices = withoutSlice(entry.slices, before);
      slicesByKey.delete(key);
      stale.add(entry);
    }
    if (slice?.family !== family) return;
    const entry = entryOf(serviceOfSlice(slice));
    entry.slices = withSlice(entry.slices, slice);
    slicesByKey.set(key, slice);
    stale.add(entry);
  };

  const setProblems = (key: string, found: readonly StoreProblem[]) => {
    if (sameProblems(problemsByService.get(key) ?? [], found)) return;
    problems = undefined;
    if (found.length === 0) problemsByService.delete(key);
    else problemsByService.set(key, found);
  };

  const setHealthCheck = (key: string, check: HealthCheck | undefined) => {
    const before = healthChecks.get(key);
    if (before?.nodePort === check?.nodePort && before?.localEndpoints === check?.localEndpoints) return;
    if (check === undefined) healthChecks.delete(key);
    else healthChecks.set(key, check);
    healthChanged.add(key);
  };

  const replacePorts = (entry: Entry, made: readonly ServicePort[], changed: Set<string>) => {
    const kept = made.map((port) => {
      const before = ports.get(port.key);
      if (before !== undefined && isSameServicePort(before, port)) return before;
      if (before !== undefined) counter.remove(before);
      counter.add(port);
      ports.set(port.key, port);
      changed.add(port.key);
      return port;
    });
    for (const { key } of withoutKeysOf(entry.ports, kept)) {
      const gone = ports.get(key);
      if (gone !== undefined) counter.remove(gone);
      ports.delete(key);
      changed.add(key);
    }
    entry.ports = kept.length === 0 ? noPorts : kept;
  };

  const renew = (stale: Iterable<Entry>): ReadonlySet<string> => {
    const changed = new Set<string>();
    for (const entry of stale) {
      const { name, slices } = entry;
      const service = inFamily(name, entry.service);
      const made = service === undefined ? nothingMade : servicePortsOf(service, { slices, claims, around });
      replacePorts(entry, made.ports, changed);
      setProblems(name, made.problems);
      setHealthCheck(name, made.healthCheck);
      if (service === undefined && slices.length === 0) entries.delete(name);
    }
    return changed;
  };

  return {
    ports,
    healthChecks,
    counts: counter,

    apply({ services, slices }) {
      const stale = new Set<Entry>();
      for (const [name, service] of services) takeService(name, service, stale);
      for (const [key, slice] of slices) takeSlice(key, slice, stale);
      for (const name of claims.takeAffected()) stale.add(entryOf(name));
      return renew(stale);
    },

    setZone(zone) {
      if (zone === around.zone) return new Set();
      around = { ...around, zone };
      const isHinted = ({ slices }: Entry) =>
        slices.some(({ endpoints }) => endpoints.some(({ zoneHints }) => zoneHints.length > 0));
      return renew([...entries.values()].filter(isHinted));
    },

    get problems() {
      problems ??= [...problemsByService]
        .sort(([a], [b]) => (a < b ? -1 : 1))
        .flatMap(([, ofService]) => ofService);
      return problems;
    },

    servingAddresses(key) {
      const port = ports.get(key);
      const slices =
        port === undefined ? undefined : entries.get(`${port.namespace}/${port.service}`)?.slices;
      if (port === undefined || slices === undefined) return new Set();
      const { portName: name, protocol } = port;
      const candidates = candidatesOf(usedSlices(slices, { around }), { name, protocol, nodeName });
      return new Set(
        candidates.filter(({ said }) => said.serving).map(({ endpoint }) => endpoint.address.toString()),
      );
    },

    healthChanged() {
      const taken = healthChanged;
      healthChanged = new Set();
      return taken;
    },
  };
}

function sameProblems(a: readonly StoreProblem[], b: readonly StoreProblem[]): boolean {
  return (
    a.length === b.length &&
    a.every(({ object, message }, index) => object === b[index]?.object && message === b[index]?.message)
  );
}

function serviceOfSlice({ namespace, service }: EndpointSlice): string {
  return `${namespace}/${service}`;
}

function withoutSlice(slices: readonly EndpointSlice[], gone: EndpointSlice): readonly EndpointSlice[] {
  const rest = slices.filter((slice) => slice !== gone);
  return rest.length === 0 ? noSlices : rest;
}

function withSlice(slices: readonly EndpointSlice[], slice: EndpointSlice): readonly EndpointSlice[] {
  return slices.toSpliced(slices.findLastIndex(({ name }) => name < slice.name) + 1, 0, slice);
}

function withoutKeysOf(before: readonly ServicePort[], now: readonly ServicePort[]): readonly ServicePort[] {
  if (before.length === 0) return before;
  if (before.length === now.length && before.every(({ key }, index) => now[index]?.key === key))
    return noPorts;
  const keys = new Set(now.map(({ key }) => key));
  return before.filter(({ key }) => !keys.has(key));
}
