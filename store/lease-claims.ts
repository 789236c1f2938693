// What the selected leases hold of the network: subnets inside of it of which no two overlap, and public addresses of which no
// two are equal. Says why one more does not fit. Who comes first is decided in select-leases.ts.
import { DisjointPrefixes } from './disjoint-prefixes.ts';
import { subnetsOf } from './lease.ts';
import type { UsableRecord } from './lease-record.ts';
import type { NetworkConfig } from './network-config.ts';

export class LeaseClaims {
  readonly #config: NetworkConfig;
  readonly #subnets = new DisjointPrefixes<UsableRecord>();
  readonly #addresses = new Map<string, UsableRecord>();

  constructor(config: NetworkConfig) {
    this.#config = config;
  }

  /** Takes what the file holds, or says why it cannot have that and takes nothing. */
  add(file: UsableRecord): string | undefined {
    const message = this.#whyOutside(file) ?? this.#whyTaken(file);
    if (message !== undefined) return message;
    for (const subnet of subnetsOf(file.subnets)) this.#subnets.add(subnet, file);
    for (const address of addressesOf(file)) this.#addresses.set(address, file);
    return undefined;
  }

  /** Gives back what a file that was added holds. */
  remove(file: UsableRecord): void {
    for (const subnet of subnetsOf(file.subnets)) this.#subnets.remove(subnet);
    for (const address of addressesOf(file)) this.#addresses.delete(address);
  }

  #whyOutside({ subnets }: UsableRecord): string | undefined {
    for (const subnet of subnetsOf(subnets)) {
      const network = (subnet.family === 4 ? this.#config.ip4 : this.#config.ip6)?.network;
      if (network === undefined) return `the network has no IPv${subnet.family}, but it holds "${subnet}"`;
      if (!network.contains(subnet)) return `"${subnet}" is outside of the network "${network}"`;
    }
    return undefined;
  }

  #whyTaken(file: UsableRecord): string | undefined {
    for (const subnet of subnetsOf(file.subnets)) {
      const other = this.#subnets.overlapping(subnet);
      if (other !== undefined) return `"${subnet}" overlaps "${other.prefix}" of ${nameOf(other.owner)}`;
    }
    for (const address of addressesOf(file)) {
      const other = this.#addresses.get(address);
      if (other !== undefined) return `the public address "${address}" is also that of ${nameOf(other)}`;
    }
    return undefined;
  }
}

/** The public addresses of a lease, as text. */
export function addressesOf({ lease }: UsableRecord): readonly string[] {
  return [lease.publicIp, lease.publicIp6].filter((address) => address !== undefined).map(String);
}

/** How messages name the holder of a lease. */
export function nameOf({ lease, path }: UsableRecord): string {
  return lease.node === undefined ? `"${path}"` : `node "${lease.node}" in "${path}"`;
}
