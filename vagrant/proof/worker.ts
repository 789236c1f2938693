// Executes a proof's orders in one machine: pods of containerd, the sockets that answer for them, probes and questions sent from their
// namespaces. What they prove is decided outside.
import { randomBytes } from 'node:crypto';
import { endpointPort } from '../../cli/lab/endpoint-port.ts';
import { type EndpointSockets, openEndpoint } from '../../cli/lab/endpoint-sockets.ts';
import { probeTcp, probeUdp } from '../../cli/lab/probes.ts';
import { readMtu } from '../../cli/lab/read-mtu.ts';
import { runProbe } from '../../cli/lab/run-probe.ts';
import { openUdpFlow, type UdpFlow } from '../../cli/lab/services/udp-flow.ts';
import { nodeStatusShape } from '../../cli/node-status-text.ts';
import { proxyStatusShape } from '../../cli/proxy-status-text.ts';
import { execute } from '../../kernel/exec.ts';
import { Netns } from '../../kernel/netns.ts';
import { Poller } from '../../kernel/poller.ts';
import { errorMessage } from '../../runtime/error-text.ts';
import { unixRequest } from '../../runtime/unix-request.ts';
import type { Order } from './orders.ts';
import { makeOutside, removeOutside } from './outside.ts';

export interface Worker {
  execute(order: Order): Promise<unknown>;
  /** Removes pods, sockets and the neighbour. */
  close(): Promise<void>;
}

/** Milliseconds for a container to start or end on an emulated machine. */
const containerTime = 300_000;
/** Milliseconds for a daemon's answer. */
const statusTime = 60_000;
const largestTransfer = 1 << 20;

export function createWorker(): Worker {
  const poller = new Poller();
  const payload = randomBytes(largestTransfer);
  const handles = new Map<string, Netns>();
  const sockets = new Map<string, EndpointSockets>();
  const flows = new Map<number, UdpFlow>();
  const pods = new Set<string>();
  const mtus = new Map<string, number>();

  const netnsOf = (path: string): Netns => {
    const netns = handles.get(path) ?? Netns.open(path);
    handles.set(path, netns);
    return netns;
  };
  const mtuOf = (path: string): number => {
    const mtu = mtus.get(path) ?? readMtu(netnsOf(path));
    mtus.set(path, mtu);
    return mtu;
  };
  const answerFor = async (name: string, netns: string): Promise<void> => {
    sockets.get(name)?.close();
    sockets.set(name, await openEndpoint({ name, netns, port: endpointPort }));
  };
  const removePod = async (name: string): Promise<void> => {
    sockets.get(name)?.close();
    sockets.delete(name);
    await execute(['pod', 'rm', name], { timeout: containerTime });
    pods.delete(name);
  };
  const flowOf = (id: number): UdpFlow => {
    const flow = flows.get(id);
    if (flow === undefined) throw new RangeError(`There is no flow ${id}`);
    return flow;
  };

  return {
    async execute(order) {
      switch (order.kind) {
        case 'make-outside':
          return { netns: await makeOutside(order) };
        case 'answer-for':
          await answerFor(order.name, order.netns);
          return {};
        case 'run-pod': {
          const { name } = order;
          // One that a killed proof left behind.
          await removePod(name);
          pods.add(name);
          const { stdout } = await execute(['pod', 'run', name], { timeout: containerTime });
          const [pid = '', address = ''] = stdout.trim().split(' ');
          const netns = `/proc/${pid}/ns/net`;
          await answerFor(name, netns);
          return { netns, address };
        }
        case 'remove-pod':
          await removePod(order.name);
          return {};
        case 'probe': {
          const { probe, timeout } = order;
          const from = { ...probe.from, node: probe.from.node };
          const to = { ...probe.to, node: probe.to.node };
          return {
            seen: await runProbe(
              { from, to, what: probe.what },
              { poller, netnsOf, mtuOf, payload, timeout },
            ),
          };
        }
        case 'ask': {
          const { netns, to, port, timeout, udp } = order;
          const options = { from: netnsOf(netns), to, port, timeout };
          return await (udp ? probeUdp(options) : probeTcp(options));
        }
        case 'open-flow': {
          const { netns, to, port, timeout, flow } = order;
          flows.set(flow, openUdpFlow({ from: netnsOf(netns), to, port, timeout }));
          return {};
        }
        case 'ask-flow':
          return { name: await flowOf(order.flow).ask() };
        case 'close-flow':
          flowOf(order.flow).close();
          flows.delete(order.flow);
          return {};
        case 'get': {
          const { url, timeout } = order;
          const response = await fetch(url, { signal: AbortSignal.timeout(timeout) }).catch(
            (error: unknown) => {
              // "fetch failed", says the error; why, its cause.
              const { cause = error } = error instanceof Error ? error : {};
              throw new Error(`Cannot get "${url}": ${errorMessage(cause)}`);
            },
          );
          return { status: response.status, body: await response.text() };
        }
        case 'status':
          return await statusOfNode();
        default:
          return order satisfies never;
      }
    },
    async close() {
      for (const flow of flows.values()) flow.close();
      const removed = await Promise.allSettled([...pods].map(removePod));
      for (const socket of sockets.values()) socket.close();
      for (const netns of handles.values()) netns.close();
      await poller.close();
      await removeOutside();
      const failed = removed.find((result) => result.status === 'rejected');
      if (failed !== undefined) throw failed.reason;
    },
  };
}

async function statusOfNode() {
  const [agent, proxy] = await Promise.all(
    ['netloom', 'proxy'].map((name) =>
      unixRequest({ socketPath: `/run/netloom/${name}.sock`, path: '/status', timeoutMs: statusTime }),
    ),
  );
  const { node, lease, ready, blockers, peers } = nodeStatusShape.parse(agent?.body);
  const services = proxyStatusShape.parse(proxy?.body);
  return {
    node,
    address: lease?.publicIp ?? null,
    agent: { ready, blockers, peers: peers.filter(({ programmed }) => programmed).length },
    proxy: { ready: services.ready, blockers: services.blockers },
  };
}
