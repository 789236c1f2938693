// Keeps the health check servers as the trackers of both families say. How a server works is health-check-servers.ts's.
import type { HealthCheckServers } from './health-check-servers.ts';
import type { RuleContext } from './rule-context.ts';
import type { HealthCheck } from './service-ports-of.ts';

export interface HealthCheckSource {
  readonly healthChecks: ReadonlyMap<string, HealthCheck>;
  /** Services whose check changed since this was last asked. */
  healthChanged(): ReadonlySet<string>;
}

export interface FamilyHealthChecks {
  readonly tracker: HealthCheckSource;
  readonly context: Pick<RuleContext, 'nodePortIps'>;
}

/** Returns what to call after each sync: it does nothing unless something changed or a port could not be had. */
export function createHealthCheckKeeper(
  servers: HealthCheckServers,
  families: () => readonly FamilyHealthChecks[],
): () => void {
  let place = '';
  return () => {
    const now = families();
    let isChanged = servers.problems.size > 0;
    // All are asked: each forgets what it told.
    for (const { tracker } of now) if (tracker.healthChanged().size > 0) isChanged = true;
    const addresses = addressesOf(now);
    const nextPlace = String(addresses);
    if (nextPlace !== place) isChanged = true;
    place = nextPlace;
    if (isChanged) void servers.sync(merged(now), addresses);
  };
}

/** The same pod has an endpoint in each family: the larger number is that of the pods. */
function merged(families: readonly FamilyHealthChecks[]): ReadonlyMap<string, HealthCheck> {
  const all = new Map<string, HealthCheck>();
  for (const { tracker } of families) {
    for (const [key, check] of tracker.healthChecks) {
      const before = all.get(key);
      if (before === undefined || before.localEndpoints < check.localEndpoints) all.set(key, check);
    }
  }
  return all;
}

/** Where node ports are accepted; everywhere when that is nowhere, as kube-proxy does. */
function addressesOf(
  families: readonly FamilyHealthChecks[],
): 'any' | Exclude<RuleContext['nodePortIps'], 'all'> {
  const lists = families.map(({ context }) => context.nodePortIps);
  const addresses = lists.flatMap((list) => (list === 'all' ? [] : list));
  return lists.includes('all') || addresses.length === 0 ? 'any' : addresses;
}
