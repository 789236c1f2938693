// The part of `lab check` that proves services: makes what the checks need, waits until the nodes have it, runs them and takes it all away
// again, also when something fails or the user interrupts.
import { setTimeout as sleep } from 'node:timers/promises';
import type { Netns } from '../../../kernel/netns.ts';
import { IpAddress } from '../../../net/address.ts';
import { errorMessage } from '../../../runtime/error-text.ts';
import { proxyOf } from '../await-proxy.ts';
import { type Endpoint, endpointsOf } from '../check-plan.ts';
import type { CheckResult } from '../check-result.ts';
import { nodePaths } from '../daemons.ts';
import { planPod, serviceDirectory } from '../lab-plan.ts';
import { type LabRecord, labRecord } from '../lab-record.ts';
import type { LabState } from '../lab-state.ts';
import { addPod, removePod } from '../pods.ts';
import { probeTcp, probeUdp } from '../probes.ts';
import { syncEndpoints } from '../responder-client.ts';
import { checkNamespace, checkPodPrefix, checkServices } from './check-services.ts';
import { runServiceChecks } from './run-service-checks.ts';
import type { CheckSurroundings } from './service-checks.ts';
import { readServices, removeManifest, slicesFile, writeManifest } from './service-files.ts';
import { manifestKey } from './service-manifest.ts';
import { openUdpFlow } from './udp-flow.ts';

/** Milliseconds until nodes must have what was written. */
const patience = 10_000;

export interface ProveServicesOptions {
  readonly netnsOf: (name: string) => Netns;
  readonly onResult: (result: CheckResult) => void;
  readonly signal: AbortSignal;
}

/** To be called with the lab's lock held. Throws only what `signal` throws. */
export async function proveServices(
  state: LabState,
  { netnsOf, onResult, signal }: ProveServicesOptions,
): Promise<readonly CheckResult[]> {
  const { pods, nodes, outside } = endpointsOf(state);
  const [single] = pods;
  if (single === undefined) return [];
  const ready = await proxiesReady(state, signal);
  onResult(ready);
  // Without proxies nothing below could be seen but that.
  if (!ready.ok) return [ready];
  const lab = labRecord(state);
  await takeAway(lab);
  try {
    const services = checkServices(state, {
      others: readServices(state.name),
      single: single.name,
      allowed: state.outside.gateway,
    });
    writeManifest(`${serviceDirectory(state.name)}/${checkNamespace}.json`, [...services.values()]);
    const home = await Promise.all(
      (['replaced', 'moving'] as const).map((check) => addCheckPod(lab, { check, turn: 1, signal })),
    );
    await syncEndpoints(state.name);
    const around: CheckSurroundings = {
      pods,
      nodes,
      outsideOf: () => outside,
      outsideAddresses: [state.outside.gateway, state.outside.internet],
      single,
      services,
      patience: state.patience,
      ask({ from, to, port, udp, timeout }) {
        const options = { from: netnsOf(from.netns), to: IpAddress.parse(to), port, timeout };
        return udp ? probeUdp(options) : probeTcp(options);
      },
      openFlow: ({ from, to, port, timeout }) =>
        openUdpFlow({ from: netnsOf(from.netns), to: IpAddress.parse(to), port, timeout }),
      signal,
      async replacePod(check) {
        const next = await addCheckPod(lab, { check, turn: 2, signal });
        const old = home.find(({ name }) => name === podName(check, 1));
        if (old !== undefined) await removePod(lab, old);
        return next.name;
      },
    };
    await awaitRules(around);
    const results: CheckResult[] = [ready];
    await runServiceChecks(around, (result) => {
      results.push(result);
      onResult(result);
    });
    return results;
  } finally {
    await takeAway(lab);
  }
}

async function proxiesReady(state: LabState, signal: AbortSignal): Promise<CheckResult> {
  const started = performance.now();
  const faults = await Promise.all(
    state.nodes.map(async (node) => {
      try {
        const { ready, blockers } = await proxyOf(nodePaths(node).proxySocket, signal);
        return ready ? [] : [`${node.name}: ${blockers.join('; ')}`];
      } catch (error) {
        signal.throwIfAborted();
        return [`${node.name}: its proxy does not answer (${errorMessage(error)})`];
      }
    }),
  );
  const wrong = faults.flat();
  return {
    name: 'service: proxies are ready',
    ok: wrong.length === 0,
    ms: Math.round(performance.now() - started),
    detail: wrong.length === 0 ? `${state.nodes.length} nodes` : wrong.join('; '),
  };
}

function podName(check: string, turn: number): string {
  return `${checkPodPrefix}${check}-${turn}`;
}

/** The first on the first node, its replacement on the last. */
function addCheckPod(
  lab: LabRecord,
  { check, turn, signal }: { readonly check: string; readonly turn: 1 | 2; readonly signal: AbortSignal },
) {
  const node = lab.state.nodes.at(turn === 1 ? 0 : -1)?.name ?? '';
  const plan = planPod(lab.state.name, { name: podName(check, turn), node });
  return addPod(lab, { pod: { ...plan, labels: { check } }, signal });
}

/** Until the last service that was written answers everywhere, and what has a pod of its own too. A proxy that is dead shows in the checks. */
async function awaitRules(around: CheckSurroundings): Promise<void> {
  const deadline = performance.now() + patience * around.patience;
  const targets = ['replaced', 'tcp'].flatMap((name) => around.services.get(name)?.spec.clusterIP ?? []);
  await Promise.all(
    around.nodes.flatMap((from) =>
      targets.map(async (target) => {
        while (!(await answers(around, { from, to: target })) && performance.now() < deadline) {
          around.signal.throwIfAborted();
          await sleep(20);
        }
      }),
    ),
  );
}

function answers(
  around: CheckSurroundings,
  { from, to }: { readonly from: Endpoint; readonly to: string },
): Promise<boolean> {
  return around.ask({ from, to, port: 80, udp: false, timeout: 500 * around.patience }).then(
    () => true,
    () => false,
  );
}

/** Services and pods of these checks and of ones that were killed. */
async function takeAway(lab: LabRecord): Promise<void> {
  const { name } = lab.state;
  const own = readServices(name).filter(({ metadata }) => metadata.namespace === checkNamespace);
  removeManifest(`${serviceDirectory(name)}/${checkNamespace}.json`);
  for (const service of own) removeManifest(slicesFile(name, manifestKey(service)));
  for (const pod of lab.state.pods.filter((one) => one.name.startsWith(checkPodPrefix)))
    await removePod(lab, pod).catch(() => undefined);
}
