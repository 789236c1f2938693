// WireGuard devices and their peers as values: what is (read from the kernel) and what should be have the same types. The link itself is
// rtnetlink's (route/objects.ts).
import type { IpAddress } from '../../net/address.ts';
import type { Prefix } from '../../net/prefix.ts';
import type { WireguardKey } from '../../net/wireguard-key.ts';

export interface Endpoint {
  readonly address: IpAddress;
  readonly port: number;
}

export interface WireguardPeer {
  readonly publicKey: WireguardKey;
  /** Mixed into the handshake; undefined: none. A secret. */
  readonly presharedKey: WireguardKey | undefined;
  /** Where it was last heard from, or should be sought; undefined: it has to come by itself. */
  readonly endpoint: Endpoint | undefined;
  /** Seconds between packets that keep a translator's table; 0: none. */
  readonly keepaliveSeconds: number;
  /** What may come from it and goes to it. One prefix belongs to one peer of a device: who gets it last has it. */
  readonly allowedIps: readonly Prefix[];
}

/** A peer as the kernel has it. */
export interface WireguardPeerState extends WireguardPeer {
  /** Milliseconds since the epoch; undefined: there was none. */
  readonly lastHandshake: number | undefined;
  readonly receivedBytes: bigint;
  readonly sentBytes: bigint;
}

interface DeviceKeys {
  /** A secret; undefined: none, and the device carries nothing. */
  readonly privateKey: WireguardKey | undefined;
  /** UDP. 0 in what should be: the kernel chooses. */
  readonly listenPort: number;
}

export interface WireguardDevice extends DeviceKeys {
  /** By the text of the public key. */
  readonly peers: ReadonlyMap<string, WireguardPeer>;
}

export interface WireguardDeviceState extends DeviceKeys {
  readonly publicKey: WireguardKey | undefined;
  readonly peers: ReadonlyMap<string, WireguardPeerState>;
}

export function peerMap<P extends WireguardPeer>(peers: Iterable<P>): ReadonlyMap<string, P> {
  return new Map(Array.from(peers, (peer) => [peer.publicKey.toString(), peer]));
}

export type WireguardStep =
  | { readonly kind: 'device-set'; readonly link: string; readonly device: DeviceKeys }
  /** Makes it, or makes it so: its allowed addresses are these and no others. */
  | {
      readonly kind: 'peer-set';
      readonly link: string;
      readonly peer: WireguardPeer;
      /** Where it is heard from stays as it is. */
      readonly keepsEndpoint: boolean;
    }
  | { readonly kind: 'peer-delete'; readonly link: string; readonly publicKey: WireguardKey };

export interface WireguardStepResult {
  readonly step: WireguardStep;
  /** Undefined: done, or it was so already. */
  readonly error: Error | undefined;
}

/** The WireGuard of one network namespace. All but `apply` and `close` throw KernelError: EPERM without CAP_NET_ADMIN ... */
export interface WireguardAccess {
  /** Undefined when there is no such link, or it is no WireGuard device. */
  read(link: string): WireguardDeviceState | undefined;
  /** Steps in order, many in one system call; a step that is refused does not stop the others. */
  apply(steps: readonly WireguardStep[]): readonly WireguardStepResult[];
  close(): void;
}

/** "192.0.2.1:51820", "[2001:db8::1]:51820" */
export function endpointText({ address, port }: Endpoint): string {
  return address.family === 4 ? `${address}:${port}` : `[${address}]:${port}`;
}
