// Keeps the peers of WireGuard devices as they should be. The links themselves are rtnetlink's and the pass's. WireGuard tells nobody when
// its peers are changed, so they are looked at now and then, and seldom enough that looking costs little.
import {
  type Endpoint,
  endpointText,
  type WireguardAccess,
  type WireguardDevice,
  type WireguardPeerState,
  type WireguardStep,
} from '../../kernel/wireguard/objects.ts';
import { planWireguard } from '../../kernel/wireguard/plan.ts';
import { wireguardStepObject } from '../../kernel/wireguard/text.ts';
import type { WireguardKey } from '../../net/wireguard-key.ts';
import type {
  CarrierDevice as AnyDevice,
  CarriedPeer as AnyPeer,
  Carrier,
  CarrierChange,
  CarrierOptions,
  CarrierPlan,
  CarrierReport,
  TunnelState,
} from './carrier.ts';

type CarrierDevice = Extract<AnyDevice, { kind: 'wireguard' }>;
type CarriedPeer = Extract<AnyPeer, { kind: 'wireguard' }>;

export interface WireguardCarrierOptions {
  /** Throws KernelError: isNotSupported when the kernel has no WireGuard. */
  readonly open: () => WireguardAccess;
  /** Throws when it cannot be had. */
  readonly privateKey: () => WireguardKey;
  /** Milliseconds since the epoch. */
  readonly now: () => number;
}

/** Between two looks passes at least so many times what the last one took. */
const rest = 50;

interface Settled {
  readonly device: CarrierDevice;
  /** By name. */
  readonly peers: ReadonlyMap<string, CarriedPeer>;
}

export function createWireguardCarrier(options: WireguardCarrierOptions): Carrier {
  const { now } = options;
  let access: WireguardAccess | undefined;
  /** By link: what was there when `ensure` was done with it; none after a failure. */
  const settled = new Map<string, Settled>();
  /** By link, then by public key: where a peer was sought last. */
  const sought = new Map<string, ReadonlyMap<string, Endpoint>>();
  let nextLook = 0;

  function wantedDevice({ listenPort }: CarrierDevice, peers: Iterable<CarriedPeer>): WireguardDevice {
    const byKey = Array.from(peers, ({ peer }) => [peer.publicKey.toString(), peer] as const);
    return { privateKey: options.privateKey(), listenPort, peers: new Map(byKey) };
  }

  /** The steps of one device, by what was there last or, if need be, by what is there now. */
  function plan(device: CarrierDevice, peers: ReadonlyMap<string, CarriedPeer>, looks: boolean) {
    const { link } = device;
    const before = settled.get(link);
    if (!looks && before !== undefined && isSameDevice(before.device, device)) {
      return changedPeers(link, before.peers, peers);
    }
    access ??= options.open();
    const actual = look(access, link);
    if (actual === undefined) throw new Error(`Cannot find WireGuard device "${link}"`);
    const wanted = wantedDevice(device, peers.values());
    return planWireguard({ link, wanted, actual, sought: sought.get(link), now: now() });
  }

  function look(from: WireguardAccess, link: string) {
    const began = performance.now();
    const state = from.read(link);
    nextLook = Math.max(nextLook, now() + rest * (performance.now() - began));
    return state;
  }

  function ensureDevice(
    device: CarrierDevice,
    peers: ReadonlyMap<string, CarriedPeer>,
    looks: boolean,
  ): { readonly changes: readonly CarrierChange[]; readonly failed: ReadonlyMap<string, unknown> } {
    const { link } = device;
    const failed = new Map<string, unknown>();
    let steps: readonly WireguardStep[];
    try {
      steps = plan(device, peers, looks);
      access ??= options.open();
    } catch (error) {
      settled.delete(link);
      failed.set(`wireguard ${link}`, error);
      for (const name of peers.keys()) failed.set(name, error);
      return { changes: [], failed };
    }
    const changes: CarrierChange[] = [];
    for (const { step, error } of steps.length === 0 ? [] : access.apply(steps)) {
      const object = wireguardStepObject(step);
      if (error === undefined) changes.push({ kind: 'wireguard', object });
      else failed.set(object, error);
    }
    if (failed.size > 0) settled.delete(link);
    else settled.set(link, { device, peers });
    sought.set(link, endpointsOf(peers));
    return { changes, failed };
  }

  return {
    async ensure(wanted: CarrierPlan, { thorough, touched }: CarrierOptions): Promise<CarrierReport> {
      const changes: CarrierChange[] = [];
      const failed = new Map<string, unknown>();
      const devices = wanted.devices.filter((device) => device.kind === 'wireguard');
      for (const link of settled.keys()) {
        if (!devices.some((device) => device.link === link)) settled.delete(link);
      }
      for (const device of devices) {
        const peers = ofLink(wanted.peers, device.link);
        const done = ensureDevice(device, peers, thorough || touched);
        changes.push(...done.changes);
        for (const [name, error] of done.failed) failed.set(name, error);
      }
      return { changes, failed };
    },
    changed() {
      if (settled.size === 0 || now() < nextLook) return false;
      try {
        access ??= options.open();
        for (const [link, { device, peers }] of settled) {
          const actual = look(access, link);
          // A device that is gone is told by rtnetlink.
          if (actual === undefined) continue;
          const wanted = wantedDevice(device, peers.values());
          if (planWireguard({ link, wanted, actual, sought: sought.get(link), now: now() }).length > 0) {
            return true;
          }
        }
      } catch {
        return true;
      }
      return false;
    },
    inspect() {
      const tunnels = new Map<string, TunnelState>();
      for (const [link, { peers }] of settled) {
        access ??= options.open();
        const actual = access.read(link);
        for (const [name, { peer }] of peers) {
          const found = actual?.peers.get(peer.publicKey.toString());
          if (found !== undefined) tunnels.set(name, tunnelState(link, found));
        }
      }
      return tunnels;
    },
    async close() {
      access?.close();
      access = undefined;
    },
  };
}

function tunnelState(
  link: string,
  { endpoint, lastHandshake, receivedBytes, sentBytes }: WireguardPeerState,
): TunnelState {
  return {
    link,
    endpoint: endpoint === undefined ? null : endpointText(endpoint),
    lastHandshake: lastHandshake === undefined ? null : new Date(lastHandshake).toISOString(),
    receivedBytes: Number(receivedBytes),
    sentBytes: Number(sentBytes),
  };
}

function isSameDevice(one: CarrierDevice, other: CarrierDevice): boolean {
  return one.listenPort === other.listenPort && one.publicKey.equals(other.publicKey);
}

function ofLink(peers: ReadonlyMap<string, AnyPeer>, link: string): ReadonlyMap<string, CarriedPeer> {
  const found = new Map<string, CarriedPeer>();
  for (const [name, carried] of peers) {
    if (carried.kind === 'wireguard' && carried.link === link) found.set(name, carried);
  }
  return found;
}

/** Deletions first, so that what they were allowed is free. */
function changedPeers(
  link: string,
  before: ReadonlyMap<string, CarriedPeer>,
  now: ReadonlyMap<string, CarriedPeer>,
): readonly WireguardStep[] {
  const deletions: WireguardStep[] = [];
  const settings: WireguardStep[] = [];
  for (const [name, { peer }] of before) {
    if (!now.has(name)) deletions.push({ kind: 'peer-delete', link, publicKey: peer.publicKey });
  }
  for (const [name, carried] of now) {
    const known = before.get(name);
    if (known === carried) continue;
    const { peer } = carried;
    const keepsEndpoint = known !== undefined && placeOf(known) === placeOf(carried);
    settings.push({ kind: 'peer-set', link, peer, keepsEndpoint });
  }
  return [...deletions, ...settings];
}

function placeOf({ peer: { endpoint } }: CarriedPeer): string {
  return endpoint === undefined ? '' : endpointText(endpoint);
}

function endpointsOf(peers: ReadonlyMap<string, CarriedPeer>): ReadonlyMap<string, Endpoint> {
  const found = new Map<string, Endpoint>();
  for (const { peer } of peers.values()) {
    if (peer.endpoint !== undefined) found.set(peer.publicKey.toString(), peer.endpoint);
  }
  return found;
}
