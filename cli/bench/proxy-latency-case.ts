// The first packet's way: how long a TCP connect takes through a cluster IP, beside one straight to the endpoint, with so many services
// programmed. A node and a pod, each in a namespace, joined by a veth pair.
import { connect, createServer, type LookupFunction, type Server } from 'node:net';
import type { Netns } from '../../kernel/netns.ts';
import { applyAll } from '../../kernel/route/apply-all.ts';
import { openRouteDriver } from '../../kernel/route/driver.ts';
import type { Link } from '../../kernel/route/objects.ts';
import { IpAddress } from '../../net/address.ts';
import { Prefix } from '../../net/prefix.ts';
import { openBenchNetns } from './bench-netns.ts';
import { rowsOf, sampleInTurn } from './compare-in-turn.ts';
import type { ProxyMeasuring } from './proxy-measuring.ts';
import { openRig, type RigMode } from './proxy-rig.ts';
import { casePrefix } from './proxy-rig-cases.ts';
import {
  type Amount,
  endpointAddress,
  endpointPort,
  podNetwork,
  serviceAddress,
  servicePort,
  wholeBatch,
} from './proxy-services.ts';

/** Connects of each kind in a round. */
const connectsInRound = 50;
/** Who asks: an address that is taken for a pod's, so that nothing is masqueraded. */
const nodeAddress = new Prefix(IpAddress.parse('10.255.0.1'), podNetwork.length);
const link = 'pod0';

export async function latencyCase(
  { progress, rows, runs, signal }: ProxyMeasuring,
  { amount, by }: { readonly amount: Amount; readonly by: RigMode },
): Promise<void> {
  const name = `${casePrefix(amount, by)}TCP connect through a cluster IP`;
  progress(name);
  await using node = openBenchNetns();
  await using pod = openBenchNetns();
  // The last service: in a list of rules it is met last or first, in a map it is like all others.
  const service = amount.services - 1;
  const endpoints = Array.from({ length: amount.endpoints }, (_, endpoint) =>
    endpointAddress(amount, { service, endpoint }),
  );
  join(node.netns, { pod: pod.netns, endpoints });
  await using rig = await openRig(node.netns, by);
  await rig.load(wholeBatch(amount));
  await using _server = await listen(pod.netns);
  const [endpoint] = endpoints;
  if (endpoint === undefined) throw new RangeError('A service without endpoints has nobody to answer');
  const through = (to: IpAddress, port: number) => ({
    times: connectsInRound,
    sample: () => connectTime(node.netns, { to, port }),
  });
  const samples = await sampleInTurn(
    [
      through(serviceAddress(service), servicePort),
      { peer: 'straight to the endpoint', ...through(endpoint, endpointPort) },
    ],
    { runs, signal },
  );
  rows.push(...rowsOf(name, samples, { unit: 'us', scale: 1000 }));
}

/** A veth pair, the endpoints' addresses at its end in the pod, and routes to whom each may talk to. */
function join(
  node: Netns,
  { pod, endpoints }: { readonly pod: Netns; readonly endpoints: readonly IpAddress[] },
): void {
  const veth = (name: string): Link => ({ name, detail: { kind: 'veth' }, up: true });
  const outside = openRouteDriver({ netns: node });
  const inside = openRouteDriver({ netns: pod });
  try {
    applyAll(outside, [
      {
        kind: 'link-add',
        link: { name: link, detail: { kind: 'veth', peer: { name: link, netns: pod } }, up: true },
      },
      { kind: 'address-add', address: { link, prefix: nodeAddress, scope: 'global' } },
      {
        kind: 'route-set',
        route: {
          // Cluster IPs are nowhere, but the packet needs a way out before it is translated.
          destination: Prefix.parse('0.0.0.0/0'),
          table: 254,
          priority: 0,
          protocol: 4,
          type: 'unicast',
          scope: 'link',
          hops: [{ link }],
        },
      },
    ]);
    applyAll(inside, [
      { kind: 'link-set', link: veth(link), was: { ...veth(link), up: false } },
      ...endpoints.map((address) => ({
        kind: 'address-add' as const,
        address: { link, prefix: new Prefix(address, podNetwork.length), scope: 'global' as const },
      })),
    ]);
  } finally {
    outside.close();
    inside.close();
  }
}

async function listen(netns: Netns): Promise<AsyncDisposable> {
  const server: Server = createServer((socket) => {
    socket.on('error', () => undefined);
    socket.resume();
    socket.on('end', () => socket.end());
  });
  await new Promise<void>((resolve, reject) => {
    server.once('error', reject);
    // Node opens and binds within the call, as long as there is no host to look up.
    netns.run(() => {
      server.listen(endpointPort, resolve);
    });
  });
  return {
    [Symbol.asyncDispose]: () => new Promise((resolve) => server.close(() => resolve())),
  };
}

/** Milliseconds from the call to the established connection. */
async function connectTime(
  from: Netns,
  { to, port }: { readonly to: IpAddress; readonly port: number },
): Promise<number> {
  // Giving the address through a lookup makes Node connect within the call, and so inside of the namespace.
  const lookup: LookupFunction = (_, __, done) => done(null, to.toString(), 4);
  const begun = performance.now();
  return await new Promise((resolve, reject) => {
    const socket = from.run(() => connect({ host: 'endpoint', port, family: 4, lookup, timeout: 5000 }));
    socket.on('connect', () => {
      const time = performance.now() - begun;
      // A reset leaves no connection to wait for.
      socket.resetAndDestroy();
      socket.on('close', () => resolve(time));
    });
    socket.on('timeout', () => socket.destroy(new Error(`no answer from ${to}`)));
    socket.on('error', reject);
  });
}
