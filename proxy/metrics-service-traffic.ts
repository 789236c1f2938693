// Packets and bytes by service as counters of Prometheus, for the busiest services, so that a node with thousands of services does not
// make thousands of series; the rest is one sum. What was counted is read from the mode at each scrape.
import type { Transport } from '../net/transport.ts';
import type { Metrics } from '../runtime/metrics.ts';

/** What the kernel counted since it counts for this port: it may begin again at nothing. */
export interface PortTraffic {
  readonly namespace: string;
  readonly service: string;
  /** The name of the port; empty where it has none. */
  readonly port: string;
  readonly protocol: Transport;
  /** `in`: to the service; `out`: its answers. */
  readonly direction: 'in' | 'out';
  readonly packets: number;
  readonly bytes: number;
}

export interface TrafficMetricsOptions {
  readonly registry: Metrics;
  /** How many services get series of their own. */
  readonly limit: number;
  readonly read: () => readonly PortTraffic[];
  /** Those that are there, by "namespace/name". Asked once a scrape. */
  readonly services: () => ReadonlySet<string>;
}

const labelNames = ['namespace', 'service', 'port', 'protocol', 'direction'] as const;
type Labels = Record<(typeof labelNames)[number], string>;

interface Seen {
  readonly service: string;
  readonly labels: Labels;
  packets: number;
  bytes: number;
}

/** A service that once has series keeps them while it exists: a graph must not change its owner. */
export function createTrafficMetrics({ registry, limit, read, services }: TrafficMetricsOptions): void {
  const shown = new Set<string>();
  const seen = new Map<string, Seen>();
  const packets = registry.counter({
    name: 'service_packets_total',
    help: 'Packets of connections to a service, as far as this node forwards them',
    labels: labelNames,
    // The first of the two reads for both.
    collect: update,
  });
  const bytes = registry.counter({
    name: 'service_bytes_total',
    help: 'Bytes of connections to a service, as far as this node forwards them',
    labels: labelNames,
  });

  function forget(existing: ReadonlySet<string>): void {
    for (const [key, { service, labels }] of seen) {
      if (existing.has(service)) continue;
      seen.delete(key);
      if (shown.has(service)) {
        packets.remove(labels);
        bytes.remove(labels);
      }
    }
    for (const service of shown) if (!existing.has(service)) shown.delete(service);
  }

  function choose(traffic: readonly PortTraffic[]): void {
    if (shown.size >= limit) return;
    const sums = new Map<string, number>();
    for (const one of traffic) {
      const key = serviceOf(one);
      if (!shown.has(key)) sums.set(key, (sums.get(key) ?? 0) + one.bytes);
    }
    const busiest = [...sums].sort((one, other) => other[1] - one[1]).slice(0, limit - shown.size);
    for (const [key] of busiest) shown.add(key);
  }

  function update(): void {
    const existing = services();
    forget(existing);
    // What was counted may be gone meanwhile.
    const traffic = read().filter((one) => existing.has(serviceOf(one)));
    choose(traffic);
    for (const one of traffic) {
      const { namespace, service, port, protocol, direction } = one;
      const key = `${namespace}/${service}:${port}/${protocol} ${direction}`;
      const before = seen.get(key);
      const more = {
        packets: increase(before?.packets, one.packets),
        bytes: increase(before?.bytes, one.bytes),
      };
      const own: Labels = { namespace, service, port, protocol, direction };
      const labels = shown.has(serviceOf(one)) ? own : restOf(own);
      packets.inc(labels, more.packets);
      bytes.inc(labels, more.bytes);
      seen.set(key, { service: serviceOf(one), labels, packets: one.packets, bytes: one.bytes });
    }
  }
}

function serviceOf({ namespace, service }: PortTraffic): string {
  return `${namespace}/${service}`;
}

/** The sum of all that have no series of their own. */
function restOf({ direction }: Labels): Labels {
  return { namespace: '', service: '(other)', port: '', protocol: '', direction };
}

/** A count that is less than before began anew. */
function increase(before: number | undefined, now: number): number {
  return before === undefined || now < before ? now : now - before;
}
