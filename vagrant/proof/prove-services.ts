// The services of `lab check` across machines: writes their manifests where all machines find them, plays the endpoint controller, waits
// until every machine has what was written, runs the checks and takes it all away again.
import { setTimeout as sleep } from 'node:timers/promises';
import type { Endpoint } from '../../cli/lab/check-plan.ts';
import type { CheckResult } from '../../cli/lab/check-result.ts';
import type { LabPod } from '../../cli/lab/lab-state.ts';
import { checkServices } from '../../cli/lab/services/check-services.ts';
import { runServiceChecks } from '../../cli/lab/services/run-service-checks.ts';
import { slicesOfService } from '../../cli/lab/services/slices-of-service.ts';
import { errorMessage } from '../../runtime/error-text.ts';
import { type Cluster, podRecord } from './cluster.ts';
import { statusAnswer } from './orders.ts';
import { servicesThere, writeShared } from './shared-manifests.ts';

export interface ServiceProofOptions {
  readonly pods: readonly Endpoint[];
  readonly serviceDirectory: string;
  readonly signal: AbortSignal;
  readonly onResult: (result: CheckResult) => void;
}

export const loadBalancers = '203.0.113.0/24';
const networks = [{ family: 4, services: '10.96.0.0/16', loadBalancers }] as const;
/** Milliseconds until every machine must have what was written; the machines look at a shared folder every few seconds. */
const patience = 180_000;
/** A service that still had the old endpoint would pass so many questions one time in 2^12. */
const sample = 12;

export async function proveServices(
  cluster: Cluster,
  { pods, serviceDirectory, signal, onResult }: ServiceProofOptions,
): Promise<void> {
  const [single] = pods;
  if (single === undefined) return;
  const nodes = cluster.nodes.map(({ endpoint }) => endpoint);
  const ready = await proxiesReady(cluster);
  onResult(ready);
  if (!ready.ok) return;

  const services = checkServices(networks, {
    others: servicesThere(serviceDirectory),
    single: single.name,
    // Who asks the first node's load balancer.
    allowed: [cluster.outsideOf(nodes[0]?.name).address.toString()],
  });
  let records: readonly LabPod[] = pods.map((pod) => podRecord(pod, { app: 'echo', pod: pod.name }));
  const publish = (next: readonly LabPod[]): void => {
    records = next;
    const slices = [...services.values()].flatMap(
      (service) => slicesOfService(service, { pods: records, families: [4], answers: () => true }) ?? [],
    );
    writeShared(serviceDirectory, [...services.values(), ...slices]);
  };
  const addCheckPod = async (check: string, turn: 1 | 2): Promise<Endpoint> => {
    const node = cluster.nodes.at(turn === 1 ? 0 : -1);
    if (node === undefined) throw new RangeError('There is no machine');
    return await cluster.addPod(`check-${check}-${turn}`, node);
  };
  const asked = (check: string, from: Endpoint) => ({
    from,
    to: services.get(check)?.spec.clusterIP ?? '',
    port: 80,
    udp: check === 'moving',
    timeout: 400,
  });
  /** Every machine, until `lacks` has nothing to say any more. */
  const everywhere = (
    check: string,
    lacks: (from: Endpoint) => Promise<string | undefined>,
  ): Promise<unknown> => {
    const deadline = performance.now() + patience;
    return Promise.all(
      nodes.map(async (from) => {
        for (;;) {
          const lacking = await lacks(from);
          if (lacking === undefined) return;
          signal.throwIfAborted();
          if (performance.now() > deadline)
            throw new Error(`${from.name} does not see the change of "${check}": ${lacking}`);
          await sleep(200);
        }
      }),
    );
  };
  /** Undefined when only `wanted`, or without that anybody, answers. */
  const lacksAnswer = (check: string, from: Endpoint, wanted?: string): Promise<string | undefined> =>
    cluster
      .ask(asked(check, from))
      .then(({ name }) => (name === (wanted ?? name) ? undefined : `"${name}" answers`), errorMessage);

  try {
    const first = new Map<string, Endpoint>();
    for (const check of ['replaced', 'moving']) first.set(check, await addCheckPod(check, 1));
    publish([...records, ...[...first].map(([check, pod]) => podRecord(pod, { check }))]);
    // What does not come shows in the checks.
    await Promise.all(
      ['tcp', 'replaced', 'moving'].map((check) =>
        everywhere(check, (from) => lacksAnswer(check, from)).catch(() => signal.throwIfAborted()),
      ),
    );

    const around = {
      pods,
      nodes,
      family: 4 as const,
      outsideOf: cluster.outsideOf,
      outsideAddresses: cluster.outsides.map(({ address }) => address.toString()),
      single,
      services,
      // Emulated machines take their time.
      patience: 15,
      signal,
      ask: cluster.ask,
      openFlow: cluster.openFlow,
      async replacePod(check: 'replaced' | 'moving') {
        const old = first.get(check);
        if (old === undefined) throw new RangeError(`There is no pod for "${check}"`);
        const next = await addCheckPod(check, 2);
        publish([...records, podRecord(next, { check })]);
        await everywhere(check, (from) => lacksAnswer(check, from, next.name));
        // As Kubernetes does it: out of service first, gone when nobody sends to it any more.
        publish(records.map((pod) => (pod.name === old.name ? { ...pod, terminating: true } : pod)));
        await everywhere(check, async (from) => {
          const asks = Array.from({ length: sample }, () => lacksAnswer(check, from, next.name));
          return (await Promise.all(asks)).find((lacking) => lacking !== undefined);
        });
        publish(records.filter(({ name }) => name !== old.name));
        await cluster.removePod(old);
        return next.name;
      },
    };
    await runServiceChecks(around, onResult);
  } finally {
    writeShared(serviceDirectory, []);
  }
}

async function proxiesReady({ nodes }: Cluster): Promise<CheckResult> {
  const started = performance.now();
  const faults = await Promise.all(
    nodes.map(async ({ machine, endpoint }) => {
      const { proxy } = await machine.order({ kind: 'status' }, statusAnswer);
      return proxy.ready ? [] : [`${endpoint.name}: ${proxy.blockers.join('; ')}`];
    }),
  ).then(
    (all) => all.flat(),
    (error: unknown) => [errorMessage(error)],
  );
  return {
    name: 'service: proxies are ready',
    ok: faults.length === 0,
    ms: Math.round(performance.now() - started),
    detail: faults.length === 0 ? `${nodes.length} nodes` : faults.join('; '),
  };
}
