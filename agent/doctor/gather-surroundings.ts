// Reads what pods' packets meet of the node beside its firewall: routes, addresses, MTUs, sysctls, and the store of leases. It changes
// nothing.
import { mountedAt } from '../../kernel/mounted-at.ts';
import type { Netns } from '../../kernel/netns.ts';
import { netloomRouteProtocol, type RouteState } from '../../kernel/route/objects.ts';
import { errorMessage } from '../../runtime/error-text.ts';
import { defaultTtlMs } from '../../store/lease.ts';
import { type LeaseStoreChoice, leaseStoreName, openLeaseStore } from '../../store/open-lease-store.ts';
import type { ServiceSourceChoice } from '../../store/open-service-source.ts';
import { probeStores } from '../../store/probe-store.ts';
import type { AccessFault } from '../../store/store-access.ts';
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
  /** Name of this node, in its store; needed for what is kept on Node objects. */
  readonly node?: string;
  /** The leases; not looked at if absent. */
  readonly leases?: LeaseStoreChoice;
  /** Where the service proxy, if there is one, has its services from. */
  readonly services?: ServiceSourceChoice;
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

async function readStore(sources: SurroundingSources): Promise<StoreFacts> {
  const { leases, services, node = '', hasProxy = false } = sources;
  const signal = sources.signal ?? new AbortController().signal;
  const asked = { node, leases, services: hasProxy ? services : undefined, signal };
  if (leases === undefined)
    return { name: '', problems: [], leases: [], access: await probeStores(asked), mount: undefined };
  const name = leaseStoreName(leases);
  const mount = leases.kind === 'directory' ? mountedAt(leases.directory) : undefined;
  const access = await probeStores(asked);
  const [own] = access;
  // What cannot be had is not waited for once more.
  if (leases.kind !== 'directory' && own?.faults.some(hidesLeases) === true)
    return { name, mount, access, problems: [], leases: [] };
  // A lease in a directory is dated by its node's clock.
  const ttlMs = leases.kind === 'directory' ? (leases.ttlMs ?? defaultTtlMs) : undefined;
  try {
    await using opened = new AsyncDisposableStack();
    const store = opened.adopt(await openLeaseStore(leases), (one) => one.close());
    const snapshot = await store.snapshot(signal);
    const known = new Set(access.flatMap(({ faults }) => faults.map(({ object }) => object)));
    return {
      name,
      mount,
      access,
      // A node of another kind of store, or none yet: nothing is wrong with a directory that is not there.
      problems:
        snapshot.config === undefined && leases.kind === 'directory'
          ? []
          : snapshot.problems.filter(({ object }) => !known.has(object)),
      leases: [...snapshot.leases.values()].flatMap((lease) =>
        lease.expiresAt === undefined || ttlMs === undefined
          ? []
          : [{ name: peerName(lease), renewedAt: lease.expiresAt - ttlMs }],
      ),
    };
  } catch (error) {
    return { name, mount, access, failure: errorMessage(error), problems: [], leases: [] };
  }
}

/** All of them. */
function hidesLeases({ kind, object, isBearable }: AccessFault): boolean {
  switch (kind) {
    case 'unreachable':
    case 'distrusted':
    case 'stranger':
    case 'leaderless':
      return !isBearable;
    case 'denied':
      return object === 'list nodes' || object.startsWith('read ');
    case 'full':
    case 'no-config':
    case 'bad-config':
    case 'no-node':
    case 'no-network':
      return false;
    default:
      return kind satisfies never;
  }
}
