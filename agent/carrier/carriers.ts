// All carriers as one: each gets what is of its kind, and is opened when something of its kind is wanted for the first time; or at once, if an
// earlier process of ours left something to take away.
import type {
  CarriedPeer,
  Carrier,
  CarrierChange,
  CarrierDevice,
  CarrierKind,
  CarrierPlan,
  DeviceOf,
  PeerOf,
} from './carrier.ts';

export type OpenCarrier = { readonly [Kind in CarrierKind]: () => Carrier<Kind> };

export function createCarriers(open: OpenCarrier, atOnce: readonly CarrierKind[] = []): Carrier {
  const opened = new Map<CarrierKind, Carrier>(atOnce.map((kind) => [kind, openOne(kind)]));

  /** Those that have something to do, or had. */
  function needed(plan: CarrierPlan): readonly Carrier[] {
    for (const { kind } of plan.devices) if (!opened.has(kind)) opened.set(kind, openOne(kind));
    return [...opened.values()];
  }

  function openOne<Kind extends CarrierKind>(kind: Kind): Carrier {
    const carrier = open[kind]();
    const part = partOf(kind);
    return {
      ensure: (plan, options) => carrier.ensure(part(plan), options),
      changed: () => carrier.changed(),
      close: () => carrier.close(),
    };
  }

  return {
    async ensure(plan, options) {
      const changes: CarrierChange[] = [];
      const failed = new Map<string, unknown>();
      const pending = new Map<string, string>();
      for (const carrier of needed(plan)) {
        const report = await carrier.ensure(plan, options);
        changes.push(...report.changes);
        for (const [name, error] of report.failed) failed.set(name, error);
        for (const [name, why] of report.pending ?? []) pending.set(name, why);
      }
      return { changes, failed, pending };
    },
    changed: () => [...opened.values()].some((carrier) => carrier.changed()),
    async close() {
      for (const carrier of opened.values()) await carrier.close();
    },
  };
}

/** What of plans is of that kind. Peers that are the same as in the last plan are the same again. */
function partOf<Kind extends CarrierKind>(kind: Kind): (plan: CarrierPlan) => CarrierPlan<Kind> {
  const isDevice = (device: CarrierDevice): device is DeviceOf<Kind> => device.kind === kind;
  const isPeer = (peer: CarriedPeer): peer is PeerOf<Kind> => peer.kind === kind;
  let all: CarrierPlan['peers'] | undefined;
  let some: CarrierPlan<Kind>['peers'] = new Map();
  return ({ devices, peers }) => {
    if (peers !== all) {
      const found = new Map<string, PeerOf<Kind>>();
      for (const [name, peer] of peers) if (isPeer(peer)) found.set(name, peer);
      some = found;
      all = peers;
    }
    return { devices: devices.filter(isDevice), peers: some };
  };
}
