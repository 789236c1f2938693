// Reads what pods' packets meet of the node beside its firewall: routes, addresses, MTUs, sysctls, and the directory of leases. It changes
// nothing.
import { mountedAt } from '../../kernel/mounted-at.ts';
import type { Netns } from '../../kernel/netns.ts';
import { netloomRouteProtocol, type RouteState } from '../../kernel/route/objects.ts';
import { errorMessage } from '../../runtime/error-text.ts';
import { DirectoryLeaseStore } from '../../store/directory/directory-lease-store.ts';
import { openSysctls } from '../node-sysctls.ts';
import { peerName } from '../peer-name.ts';
import { CniError } from '../wiring/cni-error.ts';
import { readSubnetEnv } from '../wiring/node-network.ts';
import type { SubnetEnv } from '../wiring/subnet-env.ts';
import { bridgeNetfilterKey, reversePathKey } from './network-checks.ts';
import type { StoreFacts, Surroundings } from './node-facts.ts';

const mainTable = 254;

export interface SurroundingSources {
  readonly subnetFile: string;
  readonly bridge: string;
  /** There is a service proxy of ours; false if absent. */
  readonly hasProxy?: boolean;
  /** The leases; not looked at if absent. */
  readonly leases?: { readonly directory: string; readonly ttlMs: number };
  readonly netns?: Netns | undefined;
  readonly signal?: AbortSignal;
}

export async function readSurroundings(
  sources: SurroundingSources,
  { links, addresses, routes }: RouteState,
): Promise<Surroundings> {
  const { bridge, hasProxy = false, netns } = sources;
  const env = subnetEnvOf(sources.subnetFile);
  const ways = [...links.values()].filter(({ name, detail }) => name === bridge || detail.kind === 'vxlan');
  const names = ['all', ...ways.map(({ name }) => name)];
  return {
    bridge,
    networks: [env?.ip4, env?.ip6].flatMap((family) => family?.networks ?? []),
    mtu: env?.mtu,
    addresses: [...addresses.values()],
    routes: [...routes.values()].filter(
      ({ table, protocol }) => table === mainTable && protocol !== netloomRouteProtocol,
    ),
    sysctls: readValues([bridgeNetfilterKey, ...names.map(reversePathKey)], netns),
    hasProxy,
    store: await readStore(sources),
  };
}

/** Undefined while the node has no lease. */
function subnetEnvOf(path: string): SubnetEnv | undefined {
  try {
    return readSubnetEnv(path);
  } catch (error) {
    if (error instanceof CniError) return undefined;
    throw error;
  }
}

function readValues(keys: readonly string[], netns: Netns | undefined): ReadonlyMap<string, string> {
  const sysctls = openSysctls(netns);
  const values = new Map<string, string>();
  for (const key of keys) {
    try {
      const value = sysctls.read(key);
      if (value !== undefined) values.set(key, value);
    } catch {
      // A link whose name is no part of a key.
    }
  }
  return values;
}

async function readStore({ leases, signal }: SurroundingSources): Promise<StoreFacts> {
  if (leases === undefined) return { directory: '', problems: [], leases: [], mount: undefined };
  const { directory, ttlMs } = leases;
  const mount = mountedAt(directory);
  const store = new DirectoryLeaseStore({ directory, ttlMs });
  try {
    const snapshot = await store.snapshot(signal ?? new AbortController().signal);
    return {
      directory,
      mount,
      // A node of another kind of store, or none yet: nothing is wrong with a directory that is not there.
      problems: snapshot.config === undefined ? [] : snapshot.problems,
      leases: [...snapshot.leases.values()].flatMap((lease) =>
        lease.expiresAt === undefined ? [] : [{ name: peerName(lease), renewedAt: lease.expiresAt - ttlMs }],
      ),
    };
  } catch (error) {
    return { directory, mount, problems: [{ object: directory, message: errorMessage(error) }], leases: [] };
  } finally {
    await store.close();
  }
}
