// The part of `lab check` that proves services: makes what the checks need, waits until the nodes have it, runs them and takes it all away
// again, also when something fails or the user interrupts.
import { setTimeout as sleep } from 'node:timers/promises';
import type { Netns } from '../../../kernel/netns.ts';
import { IpAddress } from '../../../net/address.ts';
import { errorMessage } from '../../../runtime/error-text.ts';
import { proxyOf } from '../await-proxy.ts';
import { checkName } from '../check-name.ts';
import { type Endpoint, endpointsOf } from '../check-plan.ts';
import type { CheckResult } from '../check-result.ts';
import { nodePaths } from '../daemons.ts';
import { planPod, serviceDirectory } from '../lab-plan.ts';
import { type LabRecord, labRecord } from '../lab-record.ts';
import type { LabPod, LabState, LabStateNetwork } from '../lab-state.ts';
import { addPod, removePod } from '../pods.ts';
import { probeTcp, probeUdp } from '../probes.ts';
import { syncEndpoints } from '../responder-client.ts';
import { checkNamespace, checkPodPrefix, checkServices } from './check-services.ts';
import { ofFamily } from './complete-service.ts';
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
  const [single] = state.pods.filter(({ addresses }) => addresses.length > 0);
  if (single === undefined) return [];
  const ready = await proxiesReady(state, signal);
  onResult(ready);
  // Without proxies nothing below could be seen but that.
  if (!ready.ok) return [ready];
  const results: CheckResult[] = [ready];
  const lab = labRecord(state);
  await takeAway(lab);
  try {
    const services = checkServices(state.networks, {
      others: readServices(state.name),
      single: single.name,
      allowed: state.networks.map(({ gateway }) => gateway),
    });
    writeManifest(`${serviceDirectory(state.name)}/${checkNamespace}.json`, [...services.values()]);
    const replacePod = await openReplacements(lab, signal);
    await syncEndpoints(state.name);
    for (const network of state.networks) {
      const around = surroundings(state, {
        ...{ network, single: single.name, services, netnsOf, signal, replacePod },
      });
      await awaitRules(around);
      await runServiceChecks(around, ({ name, ...rest }) => {
        const result = {
          name: checkName(name, { family: network.family, networks: state.networks }),
          ...rest,
        };
        results.push(result);
        onResult(result);
      });
    }
    return results;
  } finally {
    await takeAway(lab);
  }
}

/** All that the checks of one family are given. */
function surroundings(
  state: LabState,
  {
    network: { family, gateway, internet },
    single,
    netnsOf,
    ...rest
  }: Pick<CheckSurroundings, 'services' | 'signal' | 'replacePod'> & {
    readonly network: LabStateNetwork;
    readonly single: string;
    readonly netnsOf: (name: string) => Netns;
  },
): CheckSurroundings {
  const { pods, nodes, outside } = endpointsOf(state, family);
  const alone = pods.find(({ name }) => name === single);
  if (alone === undefined) throw new RangeError(`Pod "${single}" has no IPv${family} address`);
  return {
    ...{ ...rest, pods, nodes, family, single: alone, patience: state.patience },
    outsideOf: () => outside,
    outsideAddresses: [gateway, internet],
    ask({ from, to, port, udp, timeout }) {
      const options = { from: netnsOf(from.netns), to: IpAddress.parse(to), port, timeout };
      return udp ? probeUdp(options) : probeTcp(options);
    },
    openFlow: ({ from, to, port, timeout }) =>
      openUdpFlow({ from: netnsOf(from.netns), to: IpAddress.parse(to), port, timeout }),
  };
}

/** Pods that stand for one another: each replacement is on the other end of the lab, and the one before it goes. */
async function openReplacements(
  lab: LabRecord,
  signal: AbortSignal,
): Promise<CheckSurroundings['replacePod']> {
  const current = new Map<string, { readonly turn: number; readonly pod: LabPod }>();
  const add = async (check: 'replaced' | 'moving', turn: number): Promise<LabPod> => {
    const pod = await addCheckPod(lab, { check, turn, signal });
    current.set(check, { turn, pod });
    return pod;
  };
  await Promise.all((['replaced', 'moving'] as const).map((check) => add(check, 1)));
  return async (check) => {
    const before = current.get(check);
    const next = await add(check, (before?.turn ?? 0) + 1);
    if (before !== undefined) await removePod(lab, before.pod);
    return next.name;
  };
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

/** The first on the first node, its replacement on the last, and so on. */
function addCheckPod(
  lab: LabRecord,
  { check, turn, signal }: { readonly check: string; readonly turn: number; readonly signal: AbortSignal },
): Promise<LabPod> {
  const node = lab.state.nodes.at(turn % 2 === 1 ? 0 : -1)?.name ?? '';
  const plan = planPod(lab.state.name, { name: `${checkPodPrefix}${check}-${turn}`, node });
  return addPod(lab, { pod: { ...plan, labels: { check } }, signal });
}

/** Until the last service that was written answers everywhere, and what has a pod of its own too. A proxy that is dead shows in the checks. */
async function awaitRules(around: CheckSurroundings): Promise<void> {
  const deadline = performance.now() + patience * around.patience;
  const targets = ['replaced', 'tcp'].flatMap(
    (name) => ofFamily(around.services.get(name)?.spec.clusterIPs ?? [], around.family) ?? [],
  );
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
