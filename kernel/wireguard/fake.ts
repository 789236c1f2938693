// WireGuard devices in memory that behave as the kernel's: an address belongs to the peer that got it last, keys are kept in their form,
// no peer has the device's own key.
import { constants } from 'node:os';
import type { Prefix } from '../../net/prefix.ts';
import type { WireguardKey } from '../../net/wireguard-key.ts';
import { KernelError } from '../kernel-error.ts';
import { clamped, publicKeyOf } from './key-pair.ts';
import {
  type Endpoint,
  peerMap,
  type WireguardAccess,
  type WireguardDeviceState,
  type WireguardPeerState,
  type WireguardStep,
  type WireguardStepResult,
} from './objects.ts';
import { wireguardOperations, wireguardStepObject } from './text.ts';

/** The first of the ports that the kernel chooses from. */
const firstPort = 32_768;

const empty: WireguardDeviceState = {
  privateKey: undefined,
  publicKey: undefined,
  listenPort: 0,
  peers: new Map(),
};

export class FakeWireguard implements WireguardAccess {
  readonly #hasLink: (link: string) => boolean;
  readonly #devices = new Map<string, WireguardDeviceState>();

  /** `hasLink`: is there a WireGuard device of that name now? One that goes takes its peers along. */
  constructor(hasLink: (link: string) => boolean) {
    this.#hasLink = hasLink;
  }

  read(link: string): WireguardDeviceState | undefined {
    if (!this.#hasLink(link)) this.#devices.delete(link);
    else if (!this.#devices.has(link)) this.#devices.set(link, empty);
    return this.#devices.get(link);
  }

  apply(steps: readonly WireguardStep[]): readonly WireguardStepResult[] {
    return steps.map((step) => ({ step, error: this.#apply(step) }));
  }

  /** A packet of the peer came from there, after a handshake at that time. */
  hear(
    link: string,
    { publicKey, endpoint, at }: { publicKey: WireguardKey; endpoint: Endpoint; at: number },
  ): void {
    const device = this.read(link);
    const peer = device?.peers.get(publicKey.toString());
    if (device === undefined || peer === undefined) throw new RangeError(`Cannot hear peer "${publicKey}"`);
    this.#put(link, device, { ...peer, endpoint, lastHandshake: at });
  }

  close(): void {}

  #apply(step: WireguardStep): KernelError | undefined {
    const { link } = step;
    const device = this.read(link);
    if (device === undefined) {
      const { ENODEV: errno } = constants.errno;
      return new KernelError({
        operation: wireguardOperations[step.kind],
        object: wireguardStepObject(step),
        errno,
      });
    }
    switch (step.kind) {
      case 'device-set': {
        const privateKey = step.device.privateKey && clamped(step.device.privateKey);
        const publicKey = privateKey && publicKeyOf(privateKey);
        const peers = new Map(device.peers);
        if (publicKey !== undefined) peers.delete(publicKey.toString());
        const listenPort = step.device.listenPort === 0 ? firstPort : step.device.listenPort;
        this.#devices.set(link, { privateKey, publicKey, listenPort, peers });
        break;
      }
      case 'peer-set': {
        const { peer } = step;
        // Said to be done, and not done.
        if (device.publicKey?.equals(peer.publicKey)) break;
        const before = device.peers.get(peer.publicKey.toString());
        const endpoint = step.keepsEndpoint ? undefined : peer.endpoint;
        this.#put(link, device, {
          ...(before ?? { lastHandshake: undefined, receivedBytes: 0n, sentBytes: 0n }),
          ...peer,
          endpoint: endpoint ?? before?.endpoint,
          allowedIps: peer.allowedIps.map((prefix) => prefix.network()),
        });
        break;
      }
      case 'peer-delete': {
        const peers = new Map(device.peers);
        peers.delete(step.publicKey.toString());
        this.#devices.set(link, { ...device, peers });
        break;
      }
      default:
        return step satisfies never;
    }
    return undefined;
  }

  #put(link: string, device: WireguardDeviceState, peer: WireguardPeerState): void {
    const isTaken = (prefix: Prefix) => peer.allowedIps.some((other) => String(other) === String(prefix));
    const others = [...device.peers.values()]
      .filter(({ publicKey }) => !publicKey.equals(peer.publicKey))
      .map((other) => ({ ...other, allowedIps: other.allowedIps.filter((prefix) => !isTaken(prefix)) }));
    this.#devices.set(link, { ...device, peers: peerMap([...others, peer]) });
  }
}
