// The proof of vagrant/check from the first check to the last: readiness, pods of containerd, the probes of `lab check`, its services, and
// the metrics.
import { setTimeout as sleep } from 'node:timers/promises';
import type { z } from 'zod';
import { type Endpoint, planChecksOf } from '../../cli/lab/check-plan.ts';
import type { CheckResult } from '../../cli/lab/check-result.ts';
import { limited, runCheck } from '../../cli/lab/run-check.ts';
import { IpAddress } from '../../net/address.ts';
import { errorMessage } from '../../runtime/error-text.ts';
import { type Cluster, hostNetns, type Node, openCluster } from './cluster.ts';
import type { Machine } from './machine.ts';
import { pageAnswer, statusAnswer } from './orders.ts';
import { loadBalancers, proveServices } from './prove-services.ts';

export interface ProofOptions {
  /** Where all machines find manifests of services. */
  readonly serviceDirectory: string;
  readonly signal: AbortSignal;
  readonly onResult: (result: CheckResult) => void;
}

/** Milliseconds. */
const readyTime = 120_000;
const pageTime = 30_000;
const podsOfMachine = ['a', 'b'];
/** Probes under way at once, for each machine. */
const atOnce = 8;
const agentPort = 9469;
const proxyPort = 10249;

/** A check that fails is a result. Throws what keeps the checks from being made. */
export async function proveMachines(
  machines: readonly Machine[],
  { serviceDirectory, signal, onResult }: ProofOptions,
): Promise<void> {
  if (machines.length < 2) throw new RangeError(`Cannot prove ${machines.length} machines: want 2 or more`);
  const prove = (name: string, action: () => Promise<string>): Promise<boolean> =>
    proven(name, action).then((result) => {
      signal.throwIfAborted();
      onResult(result);
      return result.ok;
    });

  const nodes: Node[] = [];
  const ready = await prove('machines: agents are ready', async () => {
    nodes.push(...(await Promise.all(machines.map((machine) => readyNode(machine, { machines, signal })))));
    return nodes.map(({ endpoint }) => `${endpoint.name} ${endpoint.address}`).join(', ');
  });
  if (!ready) return;
  const cluster = await openCluster(nodes, { loadBalancers });

  const pods: Endpoint[] = [];
  const wired = await prove('machines: containerd wires pods with the plugin', async () => {
    const made = await Promise.all(nodes.map((node, i) => podsOf(node, { cluster, number: i + 1 })));
    pods.push(...made.flat());
    return pods.map(({ name, address }) => `${name} ${address}`).join(', ');
  });
  if (!wired) return;
  await prove('machines: a pod’s own server, from every machine', () => ownServers(nodes, pods));

  const run = limited(atOnce * machines.length);
  const planned = planChecksOf({
    pods,
    nodes: nodes.map(({ endpoint }) => endpoint),
    outsideOf: (node) => cluster.outsideOf(node),
  });
  for (const check of planned) {
    onResult(
      await runCheck(check, {
        probe: (probe) => cluster.probe(probe),
        suspect: () => Promise.resolve(undefined),
        run,
        signal,
      }),
    );
  }
  await proveServices(cluster, { pods, serviceDirectory, signal, onResult });

  await prove('machines: metrics of the agents', () =>
    scraped(nodes, { port: agentPort, wanted: ['netloom_ready 1', 'netloom_process_resident_memory_bytes'] }),
  );
  await prove('machines: metrics of the proxies', () =>
    scraped(nodes, { port: proxyPort, wanted: ['kubeproxy_', 'netloom_proxy_'] }),
  );
}

async function proven(name: string, action: () => Promise<string>): Promise<CheckResult> {
  const started = performance.now();
  const outcome = await action().then(
    (detail) => ({ ok: true, detail }),
    (error: unknown) => ({ ok: false, detail: errorMessage(error) }),
  );
  return { name, ...outcome, ms: Math.round(performance.now() - started) };
}

/** Until the machine's agent is ready and has a way to all others. */
async function readyNode(
  machine: Machine,
  { machines, signal }: { readonly machines: readonly Machine[]; readonly signal: AbortSignal },
): Promise<Node> {
  const deadline = performance.now() + readyTime;
  for (;;) {
    signal.throwIfAborted();
    const late = performance.now() > deadline;
    try {
      const { node, address, agent } = await machine.order({ kind: 'status' }, statusAnswer);
      const others = machines.length - 1;
      if (agent.ready && address !== null && agent.peers >= others)
        return {
          machine,
          endpoint: { name: node, node, netns: hostNetns, address: IpAddress.parse(address) },
        };
      const ways = `it has a way to ${agent.peers} of ${others} others`;
      throw new Error(agent.ready ? ways : agent.blockers.join('; '));
    } catch (error) {
      if (late) throw new Error(`${machine.name}: ${errorMessage(error)}`);
    }
    await sleep(500);
  }
}

async function podsOf(
  node: Node,
  { cluster, number }: { readonly cluster: Cluster; readonly number: number },
): Promise<readonly Endpoint[]> {
  const made: Endpoint[] = [];
  for (const letter of podsOfMachine) made.push(await cluster.addPod(`check-${number}${letter}`, node));
  return made;
}

/** What the container itself serves, not what the proof opened beside it. */
async function ownServers(nodes: readonly Node[], pods: readonly Endpoint[]): Promise<string> {
  await Promise.all(
    nodes.flatMap((node) =>
      pods.map(async ({ name, address }) => {
        const url = `http://${address}/`;
        const { status, body } = await fetched(node, url);
        if (body.trim() !== name)
          throw new Error(`${node.endpoint.name} → ${url}: ${status} "${body.trim()}", expected "${name}"`);
      }),
    ),
  );
  return `${pods.length} pods, ${nodes.length} machines`;
}

/** Throws with who could not get what. */
async function fetched({ machine, endpoint }: Node, url: string): Promise<z.infer<typeof pageAnswer>> {
  try {
    return await machine.order({ kind: 'get', url, timeout: pageTime }, pageAnswer);
  } catch (error) {
    throw new Error(`${endpoint.name}: ${errorMessage(error)}`);
  }
}

/** Each machine's metrics, fetched by the next one, as a scraper elsewhere would. */
async function scraped(
  nodes: readonly Node[],
  { port, wanted }: { readonly port: number; readonly wanted: readonly string[] },
): Promise<string> {
  const counts = await Promise.all(
    nodes.map(async ({ endpoint }, i) => {
      const scraper = nodes[(i + 1) % nodes.length];
      if (scraper === undefined) throw new RangeError('There is no machine');
      const url = `http://${endpoint.address}:${port}/metrics`;
      const { status, body } = await fetched(scraper, url);
      if (status !== 200) throw new Error(`${url}: status ${status}`);
      const series = body.split('\n').filter((line) => line !== '' && !line.startsWith('#'));
      for (const start of wanted)
        if (!series.some((line) => line.startsWith(start))) throw new Error(`${url}: there is no ${start}…`);
      return `${endpoint.name} ${series.length}`;
    }),
  );
  return `series: ${counts.join(', ')}`;
}
