// All carriers as one: each gets what is of its kind, and is opened when something of its kind is wanted for the first time; or at once, if an
// earlier process of ours left something to take away.
import type { CarriedPeer, Carrier, CarrierKind, CarrierPlan } from './carrier.ts';

export type OpenCarrier = Readonly<Record<CarrierKind, () => Carrier>>;

export function createCarriers(open: OpenCarrier, atOnce: readonly CarrierKind[] = []): Carrier {
  const opened = new Map<CarrierKind, Carrier>(atOnce.map((kind) => [kind, open[kind]()]));

  /** Those that have something to do, or had. */
  function needed(plan: CarrierPlan): readonly (readonly [CarrierKind, Carrier])[] {
    for (const { kind } of plan.devices) if (!opened.has(kind)) opened.set(kind, open[kind]());
    return [...opened];
  }

  return {
    async ensure(plan, options) {
      const changes = [];
      const failed = new Map<string, unknown>();
      const pending = new Map<string, string>();
      for (const [kind, carrier] of needed(plan)) {
        const report = await carrier.ensure(partOf(plan, kind), options);
        changes.push(...report.changes);
        for (const [name, error] of report.failed) failed.set(name, error);
        for (const [name, why] of report.pending ?? []) pending.set(name, why);
      }
      return { changes, failed, pending };
    },
    changed: () => [...opened.values()].some((carrier) => carrier.changed()),
    inspect() {
      return new Map([...opened.values()].flatMap((carrier) => [...(carrier.inspect?.() ?? [])]));
    },
    async close() {
      for (const carrier of opened.values()) await carrier.close();
    },
  };
}

/** The peers of a plan are of one kind, that of its backend, but while a former one's go on: the same map as long as they are. */
function partOf(plan: CarrierPlan, kind: CarrierKind): CarrierPlan {
  const devices = plan.devices.filter((device) => device.kind === kind);
  if (devices.length === 0) return { devices, peers: nobody };
  if (devices.length === plan.devices.length) return plan;
  return { devices, peers: new Map([...plan.peers].filter(([, peer]) => peer.kind === kind)) };
}

const nobody: ReadonlyMap<string, CarriedPeer> = new Map();
