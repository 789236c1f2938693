// The pods of a node, as the directory of addresses knows them: who has which address. Not what the kernel has of them.
import { readdirSync } from 'node:fs';
import { join } from 'node:path';
import type { IpAddress } from '../net/address.ts';
import { isIdentifier } from '../net/names.ts';
import { errorCode } from '../runtime/error-text.ts';
import { AddressStore } from './ipam/address-store.ts';
import { hostLinkName } from './wiring/attachment.ts';

/** A pod in `/status`: `name` is its container ID, `interface` the host's end of its veth pair. */
export interface Pod {
  readonly name: string;
  readonly network: string;
  readonly addresses: readonly IpAddress[];
  readonly interface: string;
}

/** Returns how to list the pods, sorted by address; each look costs little unless pods came or went since the last. */
export function createPodList(ipamDirectory: string): () => Promise<readonly Pod[]> {
  const stores = new Map<string, AddressStore>();
  const storeOf = (network: string): AddressStore => {
    const store = stores.get(network) ?? new AddressStore(join(ipamDirectory, network));
    stores.set(network, store);
    return store;
  };
  return async () => {
    const networks = await Promise.all(
      networksOf(ipamDirectory).map(async (network) =>
        (await storeOf(network).holdings()).map(
          ({ owner, addresses }): Pod => ({
            name: owner.containerId,
            network,
            addresses,
            interface: hostLinkName({ network, ...owner }),
          }),
        ),
      ),
    );
    return networks.flat().sort((a, b) => {
      const [first] = a.addresses;
      const [second] = b.addresses;
      return first === undefined || second === undefined ? 0 : first.compare(second);
    });
  };
}

/** The directory holds one a network; while it is not there, there are no pods. */
function networksOf(directory: string): readonly string[] {
  try {
    return readdirSync(directory, { withFileTypes: true })
      .filter((entry) => entry.isDirectory() && isIdentifier(entry.name))
      .map(({ name }) => name);
  } catch (error) {
    if (errorCode(error) === 'ENOENT') return [];
    throw error;
  }
}
