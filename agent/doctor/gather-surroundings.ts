// Reads what pods' packets meet of the node beside its firewall: routes, addresses, MTUs, sysctls, and the store of leases. It changes
// nothing.
import { mountedAt } from '../../kernel/mounted-at.ts';
import type { Netns } from '../../kernel/netns.ts';
import { netloomRouteProtocol, type RouteState } from '../../kernel/route/objects.ts';
import { errorMessage } from '../../runtime/error-text.ts';
import { defaultTtlMs } from '../../store/lease.ts';
import { type LeaseStoreChoice, leaseStoreName, openLeaseStore } from '../../store/open-lease-store.ts';
import { openSysctls } from '../node-sysctls.ts';
import { peerName } from '../peer-name.ts';
import { CniError } from '../wiring/cni-error.ts';
import { readSubnetEnv } from '../wiring/node-network.ts';
import type { SubnetEnv } from '../wiring/subnet-env.ts';
import { bridgeNetfilterKey, isPodWay, reversePathKey } from './network-checks.ts';
import type { StoreFacts, Surroundings } from './node-facts.ts';

const mainTable = 254;

export interface SurroundingSources {
  readonly subnetFile: string;
  readonly bridge: string;
  /** There is a service proxy of ours; false if absent. */
  readonly hasProxy?: boolean;
  /** The leases; not looked at if absent. */
  readonly leases?: LeaseStoreChoice;
  readonly netns?: Netns | undefined;
  readonly signal?: AbortSignal;
}

export async function readSurroundings(
  sources: SurroundingSources,
  { links, addresses, routes }: RouteState,
): Promise<Surroundings> {
  const { bridge, hasProxy = false, netns } = sources;
  const env = subnetEnvOf(sources.subnetFile);
  const ways = [...links.values()].filter((link) => isPodWay(link, bridge));
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
  if (leases === undefined) return { name: '', problems: [], leases: [], mount: undefined };
  const name = leaseStoreName(leases);
  const mount = leases.kind === 'directory' ? mountedAt(leases.directory) : undefined;
  // A lease in a directory is dated by its node's clock.
  const ttlMs = leases.kind === 'directory' ? (leases.ttlMs ?? defaultTtlMs) : undefined;
  try {
    await using opened = new AsyncDisposableStack();
    const store = opened.adopt(await openLeaseStore(leases), (one) => one.close());
    const snapshot = await store.snapshot(signal ?? new AbortController().signal);
    return {
      name,
      mount,
      // A node of another kind of store, or none yet: nothing is wrong with a directory that is not there.
      problems: snapshot.config === undefined && leases.kind === 'directory' ? [] : snapshot.problems,
      leases: [...snapshot.leases.values()].flatMap((lease) =>
        lease.expiresAt === undefined || ttlMs === undefined
          ? []
          : [{ name: peerName(lease), renewedAt: lease.expiresAt - ttlMs }],
      ),
    };
  } catch (error) {
    return { name, mount, failure: errorMessage(error), problems: [], leases: [] };
  }
}
