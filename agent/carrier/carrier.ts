// What carries packets to the peers beside the objects of rtnetlink: the peers of a WireGuard device, a thread of our own, the operator's
// program. A backend says what it wants of it (CarrierPlan), and a carrier of that kind makes it so. Which kinds there are, carriers.ts knows
// how to run.
import type { WireguardPeer } from '../../kernel/wireguard/objects.ts';
import type { IpAddress } from '../../net/address.ts';
import type { Prefix } from '../../net/prefix.ts';
import type { WireguardKey } from '../../net/wireguard-key.ts';
import type { JsonValue } from '../../store/go-json.ts';

/** What a carrier needs whoever the peers are. */
export type CarrierDevice =
  | {
      readonly kind: 'wireguard';
      readonly link: string;
      /** UDP. */
      readonly listenPort: number;
      readonly publicKey: WireguardKey;
    }
  | {
      readonly kind: 'udp';
      readonly link: string;
      /** The interface's own, which the socket is bound to. */
      readonly address: IpAddress;
      readonly port: number;
      /** By which the others reach this node: another behind a translator. */
      readonly publicIp: IpAddress;
      readonly network: Prefix;
      /** This node's. */
      readonly subnet: Prefix;
    }
  | {
      readonly kind: 'extension';
      /** What the program hears in every call. */
      readonly input: Readonly<Record<string, JsonValue>>;
    };

/** What a carrier does for one peer. */
export type CarriedPeer =
  | { readonly kind: 'wireguard'; readonly link: string; readonly peer: WireguardPeer }
  | {
      readonly kind: 'udp';
      readonly link: string;
      readonly subnet: Prefix;
      readonly publicIp: IpAddress;
    }
  | { readonly kind: 'extension'; readonly peer: Readonly<Record<string, JsonValue>> };

export type CarrierKind = CarrierDevice['kind'];

export interface CarrierPlan {
  readonly devices: readonly CarrierDevice[];
  /** By name (carriedName): the same object from pass to pass while nothing of it changes. */
  readonly peers: ReadonlyMap<string, CarriedPeer>;
}

/** What errors and reports call it: "flannel-wg peer kEy…=", "flannel0 peer 10.244.2.0/24". */
export function carriedName(carried: CarriedPeer): string {
  switch (carried.kind) {
    case 'wireguard':
      return `${carried.link} peer ${carried.peer.publicKey}`;
    case 'udp':
      return `${carried.link} peer ${carried.subnet}`;
    case 'extension': {
      const { subnet = null, subnet6 = null } = carried.peer;
      return `extension peer ${[subnet, subnet6].filter((each) => each !== null).join(' ')}`;
    }
    default:
      return carried satisfies never;
  }
}

export interface CarrierOptions {
  readonly signal: AbortSignal;
  /** Look at what is there even if nothing said that it changed. */
  readonly thorough: boolean;
  /** Links of the node were made or changed in this pass. */
  readonly touched: boolean;
}

/** One thing that was changed. */
export interface CarrierChange {
  readonly kind: CarrierKind;
  /** A peer's name, or the device's. */
  readonly object: string;
}

export interface CarrierReport {
  readonly changes: readonly CarrierChange[];
  /** What could not be made so, by name. */
  readonly failed: ReadonlyMap<string, unknown>;
  /** What is under way, by name, and why it is not done. */
  readonly pending?: ReadonlyMap<string, string>;
}

/** How a peer's tunnel is, for people to look at. */
export interface TunnelState {
  readonly link: string;
  /** Where the peer is heard or sought: "192.0.2.2:51820". */
  readonly endpoint: string | null;
  /** ISO 8601; null: there was none. */
  readonly lastHandshake: string | null;
  readonly receivedBytes: number;
  readonly sentBytes: number;
}

/** One kind of carrier, or all of them. */
export interface Carrier {
  /** Makes it so; takes away what an earlier plan wanted and this one does not. Rejects only when aborted. */
  ensure(plan: CarrierPlan, options: CarrierOptions): Promise<CarrierReport>;
  /** True when what is there is no longer what `ensure` left: to be asked often, so an answer may be put off while looking is dear. */
  changed(): boolean;
  /** By name; looked at now. Throws KernelError. */
  inspect?(): ReadonlyMap<string, TunnelState>;
  /** What was made stays if it can go on by itself. */
  close(): Promise<void>;
}
