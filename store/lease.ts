// A lease: one node's pod subnets and how other nodes reach it. Not how it is stored (lease-codec.ts, directory/).
import type { IpAddress } from '../net/address.ts';
import type { Mac } from '../net/mac.ts';
import type { Prefix } from '../net/prefix.ts';
import type { WireguardKey } from '../net/wireguard-key.ts';
import type { JsonValue } from './go-json.ts';

/** What a backend publishes for its peers, one family. host-gw, ipip, alloc and udp publish nothing. */
export type BackendData =
  | { readonly kind: 'vxlan'; readonly vni: number; readonly vtepMac: Mac }
  | {
      readonly kind: 'wireguard';
      readonly publicKey: WireguardKey;
      /** UDP; undefined: older flannels say none, and mean that of whoever asks. */
      readonly port: number | undefined;
    }
  /** A backend that this version does not program: kept as it was read. */
  | { readonly kind: 'opaque'; readonly json: JsonValue };

/** At least one of the subnets is there, and each has its public address and what its backend needs. */
export type Lease = {
  readonly subnet: Prefix | undefined;
  readonly subnet6: Prefix | undefined;
  /** The holder's node name; flannel's own leases carry none. */
  readonly node: string | undefined;
  readonly publicIp?: IpAddress | undefined;
  readonly publicIp6?: IpAddress | undefined;
  /** As flannel names it, lower case; "" is udp. */
  readonly backendType: string;
  readonly backendData?: BackendData | undefined;
  readonly backendDataV6?: BackendData | undefined;
  /** Milliseconds since the epoch; undefined when it never ends or the source does not say. */
  readonly expiresAt?: number | undefined;
};

/** How long a lease lasts that is not renewed, where leases end: flannel's in etcd. */
export const defaultTtlMs = 24 * 60 * 60 * 1000;

/** The subnets of a lease, IPv4 first. */
export function subnetsOf(lease: Pick<Lease, 'subnet' | 'subnet6'>): readonly Prefix[] {
  return [lease.subnet, lease.subnet6].filter((subnet) => subnet !== undefined);
}

/** What people call its backend. */
export function backendName({ backendType }: Pick<Lease, 'backendType'>): string {
  return backendType === '' ? 'udp' : backendType;
}
