// What `lab check` proves of services, check by check: who asks what, and what must be seen. Each throws an Error that says what was seen
// instead. The services and pods for it are there already (prove-services.ts).
import type { Family } from '../../../net/address.ts';
import { errorMessage } from '../../../runtime/error-text.ts';
import type { Endpoint } from '../check-plan.ts';
import type { Sighted } from '../probes.ts';
import { singleStackName } from './check-services.ts';
import { addressesOf, ofFamily } from './complete-service.ts';
import { isEvenSpread } from './even-spread.ts';
import { givenIps } from './service-families.ts';
import type { ServiceManifest } from './service-manifest.ts';
import type { UdpFlow } from './udp-flow.ts';

export interface ServiceCheck {
  readonly name: string;
  /** False: there is nothing to ask. Absent: there always is. */
  readonly applies?: (around: Pick<CheckSurroundings, 'family' | 'services'>) => boolean;
  /** Resolves with what was proven. */
  readonly run: (around: CheckSurroundings) => Promise<string>;
}

export interface CheckSurroundings {
  readonly pods: readonly Endpoint[];
  readonly nodes: readonly Endpoint[];
  /** Who plays the internet for a node: in a lab one for all. */
  readonly outsideOf: (node: string | undefined) => Endpoint;
  /** What all that is asked has an address of. */
  readonly family: Family;
  /** Addresses that outside is seen by. */
  readonly outsideAddresses: readonly string[];
  /** The pod that is alone behind some of the services. */
  readonly single: Endpoint;
  readonly services: ReadonlyMap<string, ServiceManifest>;
  /** So many times longer than usual may an answer take. */
  readonly patience: number;
  /** Asks over TCP or UDP. Rejects when there is no answer. */
  readonly ask: (asked: Required<Asked>) => Promise<Sighted>;
  readonly openFlow: (asked: Omit<Required<Asked>, 'udp'>) => UdpFlow;
  readonly signal: AbortSignal;
  /** Puts the pod for "replaced" or "moving" on another node, the old one out of service and away. Returns the new one's name. */
  readonly replacePod: (check: 'replaced' | 'moving') => Promise<string>;
}

/** Milliseconds for an answer, and until silence counts. */
const answerTime = 2000;
const silenceTime = 400;
const spreadSample = 240;
const affinitySample = 8;

export interface Asked {
  readonly from: Endpoint;
  readonly to: string;
  readonly port: number;
  readonly udp?: boolean;
  /** Milliseconds. */
  readonly timeout?: number;
}

function ask(
  around: CheckSurroundings,
  { from, to, port, udp = false, timeout = answerTime * around.patience }: Asked,
): Promise<Sighted> {
  around.signal.throwIfAborted();
  return around.ask({ from, to, port, udp, timeout });
}

/** The same, with who asked whom in the error. */
async function mustAnswer(around: CheckSurroundings, asked: Asked): Promise<Sighted> {
  try {
    return await ask(around, asked);
  } catch (error) {
    throw new Error(`${asked.from.name} → ${asked.to}:${asked.port}: ${errorMessage(error)}`);
  }
}

async function mustNotAnswer(around: CheckSurroundings, asked: Asked): Promise<void> {
  const seen = await ask(around, { ...asked, timeout: silenceTime }).catch(() => undefined);
  if (seen !== undefined)
    throw new Error(
      `${asked.from.name} → ${asked.to}:${asked.port}: "${seen.name}" answered, expected nobody`,
    );
}

function service(around: CheckSurroundings, name: string): ServiceManifest {
  const found = around.services.get(name);
  if (found === undefined) throw new RangeError(`Cannot find service "${name}"`);
  return found;
}

function clusterIp(around: CheckSurroundings, name: string): { readonly to: string; readonly port: number } {
  return { to: ofFamily(givenIps(service(around, name).spec), around.family) ?? '', port: 80 };
}

function nodePort(around: CheckSurroundings, name: string): number {
  return service(around, name).spec.ports[0]?.nodePort ?? 0;
}

function must(holds: boolean, what: string): void {
  if (!holds) throw new Error(what);
}

/** A pod's address stays, but for what it sends to itself. */
function mustKeepSource(from: Endpoint, seen: Sighted): void {
  const self = seen.name === from.name;
  must(
    self || seen.saw === from.address.toString(),
    `${from.name}: "${seen.name}" saw ${seen.saw}, expected ${from.address}`,
  );
}

async function fromPodsAndNodes(
  around: CheckSurroundings,
  { name, udp }: { readonly name: string; readonly udp: boolean },
): Promise<string> {
  const { pods, nodes } = around;
  await Promise.all([
    ...pods.map(async (from) =>
      mustKeepSource(from, await mustAnswer(around, { from, ...clusterIp(around, name), udp })),
    ),
    ...nodes.map((from) => mustAnswer(around, { from, ...clusterIp(around, name), udp })),
  ]);
  return `${pods.length} pods, ${nodes.length} nodes; pods seen by their own addresses`;
}

async function spread(around: CheckSurroundings): Promise<string> {
  const counts = new Map(around.pods.map(({ name }) => [name, 0]));
  const froms = [...around.pods, ...around.nodes];
  await Promise.all(
    froms.map(async (from) => {
      for (let i = 0; i < Math.ceil(spreadSample / froms.length); i++) {
        const { name } = await mustAnswer(around, { from, ...clusterIp(around, 'tcp') });
        counts.set(name, (counts.get(name) ?? 0) + 1);
      }
    }),
  );
  const text = [...counts].map(([name, count]) => `${name} ${count}`).join(', ');
  must(isEvenSpread([...counts.values()]), `not even: ${text}`);
  return text;
}

async function affinity(around: CheckSurroundings): Promise<string> {
  await Promise.all(
    around.pods.map(async (from) => {
      const names = new Set<string>();
      for (let i = 0; i < affinitySample; i++)
        names.add((await mustAnswer(around, { from, ...clusterIp(around, 'affinity') })).name);
      must(names.size === 1, `${from.name} came to ${[...names].join(', ')}`);
    }),
  );
  return `${around.pods.length} pods, ${affinitySample} connections each`;
}

async function nodePortCluster(around: CheckSurroundings): Promise<string> {
  const port = nodePort(around, 'node-port');
  await Promise.all(
    around.nodes.map(async ({ name, address }) => {
      const from = around.outsideOf(name);
      const seen = await mustAnswer(around, { from, to: address.toString(), port });
      must(
        !around.outsideAddresses.includes(seen.saw),
        `"${seen.name}" saw ${seen.saw}, expected an address of the node`,
      );
    }),
  );
  return `${around.nodes.length} nodes, source masqueraded`;
}

async function nodePortLocal(around: CheckSurroundings): Promise<string> {
  const port = nodePort(around, 'node-port-local');
  const { single } = around;
  await Promise.all(
    around.nodes.map(async ({ address, name }) => {
      const asked = { from: around.outsideOf(name), to: address.toString(), port };
      if (name !== single.node) return await mustNotAnswer(around, asked);
      const { saw } = await mustAnswer(around, asked);
      must(
        around.outsideAddresses.includes(saw),
        `${single.name} saw ${saw}, expected ${around.outsideAddresses.join(' or ')}`,
      );
    }),
  );
  return `source kept on ${single.node}, ${around.nodes.length - 1} nodes without endpoint drop`;
}

async function hairpin(around: CheckSurroundings): Promise<string> {
  const { single } = around;
  const seen = await mustAnswer(around, { from: single, ...clusterIp(around, 'hairpin') });
  must(seen.name === single.name, `"${seen.name}" answered`);
  must(seen.saw !== single.address.toString(), `${single.name} saw itself without masquerading`);
  return `${single.name} reaches itself, seen as ${seen.saw}`;
}

async function loadBalancer(around: CheckSurroundings): Promise<string> {
  const addressOf = (name: string) => ofFamily(addressesOf(service(around, name)), around.family) ?? '';
  // What is for load balancers goes to the first node.
  const from = around.outsideOf(around.nodes[0]?.name);
  await Promise.all([
    mustAnswer(around, { from, to: addressOf('allowed'), port: 80 }),
    mustNotAnswer(around, { from, to: addressOf('forbidden'), port: 80 }),
  ]);
  return `${addressOf('allowed')} lets outside in, ${addressOf('forbidden')} does not`;
}

async function refused(around: CheckSurroundings): Promise<string> {
  const froms = [...around.pods, ...around.nodes];
  await Promise.all(
    froms.map(async (from) => {
      const seen = await ask(around, { from, ...clusterIp(around, 'empty') }).then(
        ({ name }) => `"${name}" answered`,
        errorMessage,
      );
      must(seen.includes('ECONNREFUSED'), `${from.name}: ${seen}, expected ECONNREFUSED`);
    }),
  );
  return `${froms.length} times ECONNREFUSED`;
}

/** Connections one after the other from everywhere, all the while. */
async function replaced(around: CheckSurroundings): Promise<string> {
  const froms = [...around.pods, ...around.nodes];
  const seen = new Map<string, number>();
  let over = false;
  const traffic = froms.map(async (from) => {
    while (!over) {
      const { name } = await mustAnswer(around, { from, ...clusterIp(around, 'replaced') });
      seen.set(name, (seen.get(name) ?? 0) + 1);
    }
  });
  const replacing = (async () => {
    try {
      const name = await around.replacePod('replaced');
      const deadline = performance.now() + answerTime * around.patience;
      while (!seen.has(name) && performance.now() < deadline)
        await new Promise((resolve) => setTimeout(resolve, 5));
      must(seen.has(name), `nothing came to ${name}`);
    } finally {
      over = true;
    }
  })();
  await Promise.all([replacing, ...traffic]);
  const total = [...seen.values()].reduce((sum, count) => sum + count, 0);
  return `${total} connections, none failed: ${[...seen].map(([name, count]) => `${name} ${count}`).join(', ')}`;
}

async function moving(around: CheckSurroundings): Promise<string> {
  const [from] = around.pods;
  if (from === undefined) throw new RangeError('Cannot check without a pod');
  // One socket: the flow stays the same as long as nobody ends it.
  const sender = openFlow(around, from);
  try {
    // A datagram may be lost on its way; three in a row are not.
    const before = await sender
      .ask()
      .catch(() => sender.ask())
      .catch(() => sender.ask());
    const name = await around.replacePod('moving');
    const deadline = performance.now() + answerTime * around.patience;
    for (;;) {
      const after = await sender.ask().catch(() => undefined);
      if (after === name) return `${before}, then ${after}, from one port`;
      must(performance.now() < deadline, `${after ?? 'nobody'} answers, expected ${name}`);
    }
  } finally {
    sender.close();
  }
}

function openFlow(around: CheckSurroundings, from: Endpoint) {
  const { to, port } = clusterIp(around, 'moving');
  return around.openFlow({ from, to, port, timeout: silenceTime * around.patience });
}

/** In the order in which they are shown. */
export const serviceChecks: readonly ServiceCheck[] = [
  {
    name: 'service: cluster IP, TCP',
    run: (around) => fromPodsAndNodes(around, { name: 'tcp', udp: false }),
  },
  { name: 'service: cluster IP, UDP', run: (around) => fromPodsAndNodes(around, { name: 'udp', udp: true }) },
  {
    name: 'service: single-stack',
    applies: ({ family, services }) => services.has(singleStackName(family)),
    run: (around) => fromPodsAndNodes(around, { name: singleStackName(around.family), udp: false }),
  },
  { name: 'service: spread over endpoints', run: spread },
  { name: 'service: session affinity', run: affinity },
  { name: 'service: node port from outside', run: nodePortCluster },
  { name: 'service: node port, policy Local', run: nodePortLocal },
  { name: 'service: hairpin', run: hairpin },
  { name: 'service: load balancer with source ranges', run: loadBalancer },
  { name: 'service: no endpoints, refused at once', run: refused },
  { name: 'service: endpoint replaced under traffic', run: replaced },
  { name: 'service: UDP flow moves on', run: moving },
];
