// The pods of a node, as the directory of addresses knows them: who has which address. Not what the kernel has of them.
import { readdirSync } from 'node:fs';
import { join } from 'node:path';
import { isIdentifier } from '../net/names.ts';
import { errorCode } from '../runtime/error-text.ts';
import { AddressStore } from './ipam/address-store.ts';
import { hostLinkName } from './wiring/attachment.ts';

/** A pod in `/status`: `name` is its container ID, `interface` the host's end of its veth pair. */
export interface PodStatus {
  readonly name: string;
  readonly network: string;
  readonly addresses: readonly string[];
  readonly interface: string;
}

/** Sorted by address. `ipamDirectory` holds a directory a network; one that is not there has no pods. */
export async function listPods(ipamDirectory: string): Promise<readonly PodStatus[]> {
  const networks = await Promise.all(
    networksOf(ipamDirectory).map(async (network) => {
      const holdings = await new AddressStore(join(ipamDirectory, network)).holdings();
      return holdings.map(({ owner, addresses }) => ({ network, owner, addresses }));
    }),
  );
  return networks
    .flat()
    .sort((a, b) => {
      const [first] = a.addresses;
      const [second] = b.addresses;
      return first === undefined || second === undefined ? 0 : first.compare(second);
    })
    .map(({ network, owner, addresses }) => ({
      name: owner.containerId,
      network,
      addresses: addresses.map(String),
      interface: hostLinkName({ network, ...owner }),
    }));
}

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
