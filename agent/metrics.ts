// What the agent counts, in Prometheus' terms. Declared once for a registry; fed from the agent's state.
import { createMetrics, type Metrics } from '../runtime/metrics.ts';
import { type AgentState, isReady, objectCounts } from './status.ts';

export interface AgentMetrics {
  /** Takes in the state after a pass. */
  observe(state: AgentState): void;
  readonly registry: Metrics;
}

/** `now`: milliseconds since the epoch, for the age of the lease. */
export function createAgentMetrics(
  now: () => number,
  registry: Metrics = createMetrics({ process: true }),
): AgentMetrics {
  let last: AgentState | undefined;
  const leases = registry.gauge({ name: 'leases', help: "Leases in the store, this node's included" });
  const peers = registry.gauge({
    name: 'peers',
    help: 'Other nodes by what became of them: programmed, unprogrammed, rejected',
    labels: ['state'],
  });
  const objects = registry.gauge({
    name: 'objects',
    help: 'Objects that the node should have',
    labels: ['kind'],
  });
  const steps = registry.counter({ name: 'steps_total', help: 'Changes made, by kind', labels: ['kind'] });
  const repaired = registry.counter({
    name: 'drift_repaired_total',
    help: 'Objects put back after something else changed them',
    labels: ['kind'],
  });
  const failures = registry.gauge({
    name: 'failing_objects',
    help: 'Objects that could not be made in the last pass',
  });
  const passSeconds = registry.histogram({
    name: 'pass_seconds',
    help: 'Duration of a pass over the node',
    buckets: [0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5],
  });
  registry.gauge({
    name: 'ready',
    help: '1 when the lease is held and every peer is programmed',
    collect: (gauge) => gauge.set(last !== undefined && isReady(last) ? 1 : 0),
  });
  registry.gauge({
    name: 'lease_age_seconds',
    help: 'Since the lease was acquired or renewed; 0 without one',
    collect: (gauge) => gauge.set(last?.renewedAt === undefined ? 0 : (now() - last.renewedAt) / 1000),
  });

  return {
    registry,
    observe(state) {
      last = state;
      const { pass, lastPass } = state;
      if (lastPass !== undefined) passSeconds.observe(lastPass.milliseconds / 1000);
      if (pass === undefined) return;
      for (const [kind, count] of pass.steps) steps.inc({ kind }, count);
      for (const [kind, count] of pass.repairs) repaired.inc({ kind }, count);
      failures.set(pass.failed.size);
      for (const [kind, count] of Object.entries(objectCounts(pass))) objects.set({ kind }, count);
      const planned = pass.desired?.peers.length ?? 0;
      const rejected = pass.desired?.rejected.length ?? 0;
      leases.set(planned + rejected + (pass.lease === undefined ? 0 : 1));
      peers.set({ state: 'programmed' }, planned - pass.unprogrammed.size);
      peers.set({ state: 'unprogrammed' }, pass.unprogrammed.size);
      peers.set({ state: 'rejected' }, rejected);
    },
  };
}
