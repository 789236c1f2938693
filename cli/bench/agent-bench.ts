// `netloom bench agent`: what the agent of a node in a large cluster takes for a start, a restart, one lease that comes, changes or
// goes, and one route that somebody deletes. Its own figures: the leases come from memory, the kernel is the real one.
import { isReady } from '../../agent/status.ts';
import { applyAll } from '../../kernel/route/apply-all.ts';
import { openRouteDriver, type RouteAccess } from '../../kernel/route/driver.ts';
import { Mac } from '../../net/mac.ts';
import { Prefix } from '../../net/prefix.ts';
import type { Lease } from '../../store/lease.ts';
import { decodeNetworkConfig } from '../../store/network-config.ts';
import type { Bench, BenchOptions, BenchRow } from './bench.ts';
import { type BenchAgent, openAgentDirectory, startBenchAgent } from './bench-agent.ts';
import { type BenchLeaseStore, createBenchLeaseStore } from './bench-lease-store.ts';
import { isInstalled, openBenchNetns } from './bench-netns.ts';
import { comparePaired, type PairedCase } from './paired.ts';
import {
  addFiles,
  addSteps,
  deleteFiles,
  deleteSteps,
  makeUnderlay,
  makeVxlanDevice,
  runFiles,
  type VxlanPeer,
  vxlanDevice,
  vxlanDeviceLines,
  vxlanPeer,
} from './vxlan-peers.ts';

/** So many /24 fit into the network, with room for one more and the node's own. */
const most = 60_000;
const peerName = 'ip -batch';

const config = decodeNetworkConfig(
  JSON.stringify({ Network: '10.0.0.0/8', SubnetLen: 24, Backend: { Type: 'vxlan' } }),
);
const ownSubnet = Prefix.parse('10.0.0.0/24');

/** The lease that makes the agent want this peer. */
function leaseOf({ entry, route }: VxlanPeer): Lease {
  return {
    node: `node-${route.destination.address}`,
    subnet: route.destination,
    subnet6: undefined,
    publicIp: entry.remote,
    backendType: 'vxlan',
    backendData: { kind: 'vxlan', vni: 1, vtepMac: entry.mac },
  };
}

/** The same node after its device was made anew. */
function withOtherMac({ neighbour, entry, route }: VxlanPeer): VxlanPeer {
  const mac = Mac.local(Uint8Array.from([...entry.mac.bytes.subarray(0, 5), 0xff]).with(1, 1));
  return { neighbour: { ...neighbour, mac }, entry: { ...entry, mac }, route };
}

/** A namespace as a node's machine comes up. Closes its driver with it. */
function openMachine() {
  const home = openBenchNetns();
  const driver = openRouteDriver({ netns: home.netns });
  makeUnderlay(driver);
  return {
    netns: home.netns,
    driver,
    async [Symbol.asyncDispose]() {
      driver.close();
      await home[Symbol.asyncDispose]();
    },
  };
}

/** Takes away what an agent, or the peer, made: with its device goes all that is on it. */
function wipe(driver: RouteAccess): void {
  applyAll(
    driver,
    [vxlanDevice, 'cni0']
      .map((name) => driver.link(name))
      .filter((link) => link !== undefined)
      .map((link) => ({ kind: 'link-delete', link })),
  );
}

const isProgrammed =
  (peers: number) =>
  (state: BenchAgent['agent']['state']): boolean =>
    isReady(state) && state.pass?.desired?.peers.length === peers;

const isLeaseEvent = (state: BenchAgent['agent']['state']): boolean =>
  isReady(state) && (state.pass?.steps.size ?? 0) > 0;

interface Measuring extends BenchOptions {
  readonly measure: (item: PairedCase) => Promise<void>;
  readonly withPeer: boolean;
}

async function startCases({ size, measure, withPeer }: Measuring): Promise<void> {
  await using mine = openMachine();
  await using theirs = openMachine();
  using directory = openAgentDirectory();
  const peers = Array.from({ length: size }, (_, i) => vxlanPeer(i));
  const files = addFiles(peers);
  const leases = peers.map(leaseOf);
  let running: BenchAgent | undefined;
  const start = async (): Promise<void> => {
    const store = createBenchLeaseStore({ config, subnet: ownSubnet, leases });
    running = startBenchAgent({ netns: mine.netns, store, directory: directory.path });
    await running.passed(isProgrammed(size));
  };
  const stop = async (): Promise<void> => {
    await running?.rest();
    await running?.stop();
  };
  await measure({
    case: `cold start with ${size} peers`,
    ours: {
      run: start,
      async after() {
        await stop();
        wipe(mine.driver);
      },
    },
    peer: withPeer
      ? {
          name: peerName,
          run: () => runFiles(theirs.netns, { ...files, ip: `${vxlanDeviceLines}\n${files.ip}` }),
          after: () => wipe(theirs.driver),
        }
      : undefined,
  });
  await start();
  await stop();
  await measure({
    case: 'restart with everything in place',
    ours: {
      run: start,
      async after() {
        await stop();
        const [step] = running?.agent.state.steps.keys() ?? [];
        if (step !== undefined) throw new RangeError(`A restart is no restart: it made a step "${step}"`);
      },
    },
  });
}

async function eventCases({ size, measure, withPeer }: Measuring): Promise<void> {
  await using mine = openMachine();
  await using theirs = openMachine();
  using directory = openAgentDirectory();
  const peers = Array.from({ length: size }, (_, i) => vxlanPeer(i));
  const leases = peers.map(leaseOf);
  const one = vxlanPeer(size);
  const other = withOtherMac(one);
  makeVxlanDevice(theirs.driver);
  applyAll(theirs.driver, addSteps(peers));
  const store = createBenchLeaseStore({ config, subnet: ownSubnet, leases });
  const running = startBenchAgent({ netns: mine.netns, store, directory: directory.path });
  const { agent } = running;
  try {
    await running.passed(isProgrammed(size));
    await running.rest();
    const without = store.snapshotOf(leases);
    const withOne = store.snapshotOf([...leases, leaseOf(one)]);
    const withOther = store.snapshotOf([...leases, leaseOf(other)]);
    const event = (to: Parameters<BenchLeaseStore['publish']>[0]) => async () => {
      const done = running.passed(isLeaseEvent);
      store.publish(to);
      await done;
    };
    const restAfter = (action: () => Promise<void>) => async () => {
      await running.rest();
      await action();
      await running.rest();
    };
    const rest = { prepare: running.rest, after: running.rest };
    const byHand = (action: () => Promise<void>, after: () => void) =>
      withPeer ? { name: peerName, run: action, after } : undefined;
    const files = (item: VxlanPeer) => addFiles([item]);

    await measure({
      case: 'one lease comes',
      ours: { ...rest, run: event(withOne), after: restAfter(event(without)) },
      peer: byHand(
        () => runFiles(theirs.netns, files(one)),
        () => applyAll(theirs.driver, deleteSteps([one])),
      ),
    });
    await event(withOne)();
    applyAll(theirs.driver, addSteps([one]));
    await measure({
      case: 'one lease changes (VTEP MAC)',
      ours: { ...rest, run: event(withOther), after: restAfter(event(withOne)) },
      peer: byHand(
        async () => {
          const { ip, bridge } = files(other);
          const stale = deleteFiles([one]).bridge;
          await runFiles(theirs.netns, { ip, bridge: `${bridge}\n${stale}` });
        },
        () => {
          applyAll(theirs.driver, deleteSteps([other]));
          applyAll(theirs.driver, addSteps([one]));
        },
      ),
    });
    await measure({
      case: 'one lease goes',
      ours: { ...rest, run: event(without), after: restAfter(event(withOne)) },
      peer: byHand(
        () => runFiles(theirs.netns, deleteFiles([one])),
        () => applyAll(theirs.driver, addSteps([one])),
      ),
    });
    await measure({
      case: 'one route deleted by hand, put back',
      ours: {
        ...rest,
        async run() {
          const healed = running.passed(({ pass }) => pass?.repairs.get('route') === 1);
          applyAll(mine.driver, [{ kind: 'route-delete', route: one.route }]);
          await healed;
        },
      },
    });
    await measure({
      case: 'a thorough look that finds nothing',
      ours: {
        ...rest,
        async run() {
          await agent.runNow();
          const [step] = agent.state.pass?.steps.keys() ?? [];
          if (step !== undefined) throw new RangeError(`The node is not at rest: a step "${step}" was made`);
        },
      },
    });
  } finally {
    await running.stop();
  }
}

export const agentBench: Bench = {
  name: 'agent',
  summary: 'a node among thousands: start, restart, one lease, one lost route; beside ip -batch',
  async run(options) {
    if (options.size > most)
      throw new RangeError(`Cannot make ${options.size} peers: at most ${most} fit into the network`);
    const withPeer = (await isInstalled('ip')) && (await isInstalled('bridge'));
    const rows: BenchRow[] = [];
    const measure = async (item: PairedCase): Promise<void> => {
      options.progress(item.case);
      rows.push(await comparePaired(item, options));
    };
    await startCases({ ...options, measure, withPeer });
    await eventCases({ ...options, measure, withPeer });
    return rows;
  },
};
