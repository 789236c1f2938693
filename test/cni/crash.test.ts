// Kills the plugin or the agent at random points of ADD and DEL, 116 times a run, always others (200: NETLOOM_KILLS=200), alone and ten at
// once, and looks what is left after the DEL or GC that a runtime sends then: nothing. What the times of the kills were is printed when something is left.
import { mkdirSync, readdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { afterAll, beforeAll, describe, expect, test } from '@jest/globals';
import { attachmentFileName } from '../../agent/wiring/attachment.ts';
import { pluginDirectory } from '../../cli/lab/plugin-directory.ts';
import { readConfigList } from '../../cli/libcni/config-list.ts';
import { LibCni } from '../../cli/libcni/libcni.ts';
import type { PodCall } from '../../cli/libcni/plugin-request.ts';
import type { StartedProgram } from '../../kernel/start-program.ts';
import { run, TestCluster, type TestNode, until } from '../agent/cluster.ts';
import { type TestNetns, testNetns } from '../sandbox.ts';

const atOnce = 10;

let cluster: TestCluster;
let pods: readonly TestNetns[];
let counter = 0;

beforeAll(async () => {
  cluster = new TestCluster({ nodes: 1, settings: { 'cni-conf-directory': '' } });
  const conf = join(cluster.directory, 'net.d');
  mkdirSync(conf);
  cluster.start(node(), [`--cni-conf-directory=${conf}`]);
  await cluster.ready(node(), 0);
  pods = Array.from({ length: atOnce }, testNetns);
});
afterAll(async () => {
  for (const pod of pods ?? []) pod[Symbol.dispose]();
  await cluster?.close();
});

function node(): TestNode {
  const [first] = cluster.nodes;
  if (first === undefined) throw new Error('Cannot find the node');
  return first;
}

/** All that a pod can have: addresses, two ports, limits of both directions. */
function runtime(): LibCni {
  const list = readConfigList(join(cluster.directory, 'net.d'));
  return new LibCni({
    list: {
      ...list,
      cniVersion: '1.1.0',
      plugins: list.plugins.map((plugin) => ({
        ...plugin,
        capabilities: { portMappings: true, bandwidth: true },
      })),
    },
    pluginDirectories: [pluginDirectory()],
    cacheDirectory: join(cluster.directory, 'results'),
    hostNetns: node().place.netns.path,
  });
}

function calls(count: number): readonly PodCall[] {
  return Array.from({ length: count }, (_, i) => {
    counter += 1;
    return {
      containerId: `crash${counter}`,
      netns: pods[i]?.netns.path ?? '',
      capabilityArgs: {
        portMappings: [
          { hostPort: 8000 + i, containerPort: 80, protocol: 'tcp' },
          { hostPort: 9000 + i, containerPort: 53, protocol: 'udp' },
        ],
        bandwidth: { ingressRate: 8e6, ingressBurst: 8e6, egressRate: 8e6, egressBurst: 8e6 },
      },
    };
  });
}

/** What is on the node that belongs to a pod; empty when nothing is. */
function leftovers(): readonly string[] {
  const { place, directory } = node();
  const links = run(`ip -n ${place.name} -o link show`)
    .split('\n')
    .map((line) => /^\d+: ([^:@]+)/.exec(line)?.[1] ?? '')
    .filter((name) => /^(veth|ifb)/.test(name));
  const files = ['ipam/cbr0', 'run/attachments', 'run/locks', 'state/del-queue'].flatMap((path) =>
    entries(join(directory, path)).map((name) => `${path}/${name}`),
  );
  const elements = run(`ip netns exec ${place.name} nft list table inet netloom-cni`, { quiet: true })
    .split('\n')
    .filter((line) => /comment "[0-9a-f]{32}"/.test(line));
  const inPods = pods.flatMap(({ name }) =>
    run(`ip -n ${name} -o link show`).includes('eth0') ? [`eth0 in ${name}`] : [],
  );
  return [
    ...links,
    ...files.filter((path) => !/\/(lock|last_reserved_ip\.\d|\.netloom.*)$/.test(path)),
    ...elements,
    ...inPods,
  ];
}

function entries(directory: string): readonly string[] {
  try {
    return readdirSync(directory);
  } catch {
    return [];
  }
}

/** What a runtime does after a failure: DEL of each, or GC with nothing valid. */
async function cleanUp(those: readonly PodCall[], way: 'DEL' | 'GC'): Promise<void> {
  const cni = runtime();
  if (way === 'GC') await cni.gc([]);
  else await Promise.all(those.map((call) => cni.del(call)));
}

/** Random kills fall mostly into the program's start; so for half of them the clock begins when the work does. */
async function untilWorking(programs: readonly StartedProgram[]): Promise<void> {
  let ended = false;
  void Promise.race(programs.map(({ done }) => done)).finally(() => {
    ended = true;
  });
  const locks = join(node().directory, 'run/locks');
  while (!ended && entries(locks).length === 0) await sleep(0);
}

interface Kill {
  readonly verb: 'ADD' | 'DEL';
  readonly count: number;
  readonly way: 'DEL' | 'GC';
  /** Milliseconds, from the start of the programs or of their work. */
  readonly longest: number;
  readonly from: 'start' | 'work';
}

/** Starts the verb for each, kills it (`victim`) at a random moment, waits for what is left to end. */
async function strike({ verb, count, longest, from }: Kill, victim: 'plugin' | 'agent') {
  const cni = runtime();
  const those = calls(count);
  if (verb === 'DEL') await Promise.all(those.map((call) => cni.add(call)));
  const started = those.map((call) => cni.start(verb, call));
  const after: number[] = [];
  const moment = (): number => {
    after.push(Math.random() * longest);
    return after.at(-1) ?? 0;
  };
  if (from === 'work') await untilWorking(started);
  if (victim === 'plugin') {
    await Promise.all(
      started.map(async (program) => {
        await sleep(moment());
        program.kill();
      }),
    );
  } else {
    await sleep(moment());
    node().agent?.kill('SIGKILL');
  }
  await Promise.all(started.map(({ done }) => done));
  return { those, after };
}

async function agentIsThere(): Promise<void> {
  const conf = join(cluster.directory, 'net.d');
  if (node().agent?.exitCode === null && node().agent?.signalCode === null) return;
  cluster.start(node(), [`--cni-conf-directory=${conf}`]);
  await cluster.ready(node(), 0);
}

async function stopAgent(): Promise<void> {
  if (node().agent?.signalCode !== null) return;
  await cluster.stop(node());
}

async function expectNothingLeft(after: readonly number[]): Promise<void> {
  // An agent that lost its caller undoes what it did for it: that takes a moment.
  await until(
    () => leftovers().length === 0,
    () => `killed after ${after} ms: ${leftovers().join(', ')}`,
  ).catch(() => undefined);
  expect({ after, left: leftovers() }).toEqual({ after, left: [] });
}

const fromStart = (longest: number) => ({ from: 'start', longest }) as const;
const fromWork = (longest: number) => ({ from: 'work', longest }) as const;

const ways = ['DEL', 'GC'] as const;
const verbs = ['ADD', 'DEL'] as const;
const kinds = verbs.flatMap((verb) => ways.map((way) => ({ verb, way })));

/** Of so many that 200 kills are made of. */
const share = Number(process.env['NETLOOM_KILLS'] ?? 120) / 200;
const times = (count: number): number => Math.max(1, Math.round(count * share));

// Of 200: 4 x 15 alone and 4 x 2 x 10 at once, 140 kills.
describe('the plugin, while the agent is away', () => {
  beforeAll(stopAgent);

  // A kill seldom falls into the microseconds between the two steps of the first record.
  test.each(ways)('killed while it wrote its first record, then %s', async (way) => {
    const those = calls(1);
    const [call] = those;
    const name = attachmentFileName({
      network: 'cbr0',
      containerId: call?.containerId ?? '',
      ifname: 'eth0',
    });
    const records = join(node().directory, 'run/attachments');
    mkdirSync(records, { recursive: true, mode: 0o700 });
    writeFileSync(join(records, `${name}.json.tmp`), '{"attachment"');
    await cleanUp(those, way);
    expect(leftovers()).toEqual([]);
  });

  test.each(kinds)(`killed in $verb, then $way: ${times(15)} times alone`, async ({ verb, way }) => {
    for (let i = 0; i < times(15); i++) {
      const { those, after } = await strike(
        { verb, way, count: 1, ...(i % 2 === 0 ? fromStart(160) : fromWork(25)) },
        'plugin',
      );
      await cleanUp(those, way);
      await expectNothingLeft(after);
    }
  });

  test.each(kinds)(`ten at once killed in $verb, then $way: ${times(2)} times`, async ({ verb, way }) => {
    for (let i = 0; i < times(2); i++) {
      const { those, after } = await strike(
        { verb, way, count: atOnce, ...(i % 2 === 0 ? fromStart(900) : fromWork(300)) },
        'plugin',
      );
      await cleanUp(those, way);
      await expectNothingLeft(after);
    }
  });
});

// Of 200: 4 x 6 alone and 4 x 3 with ten at work, 36 kills.
describe('the agent', () => {
  const [alone, withTen] = [times(6), times(3)];
  test.each(kinds)(
    `killed in $verb, then $way: ${alone} times with one at work, ${withTen} times with ten`,
    async (kind) => {
      for (let i = 0; i < alone + withTen; i++) {
        await agentIsThere();
        const count = i < alone ? 1 : atOnce;
        const { those, after } = await strike(
          { ...kind, count, ...fromStart(count === 1 ? 15 : 60) },
          'agent',
        );
        // The runtime does not wait for the agent's return.
        if (i % 2 === 0) await agentIsThere();
        await cleanUp(those, kind.way);
        await expectNothingLeft(after);
      }
    },
  );
});

// Of 200: 4 x 6, 24 kills.
describe('the launcher, while the agent works', () => {
  beforeAll(agentIsThere);

  test.each(kinds)(`killed in $verb, then $way: ${times(6)} times`, async ({ verb, way }) => {
    for (let i = 0; i < times(6); i++) {
      const { those, after } = await strike({ verb, way, count: 1, ...fromStart(12) }, 'plugin');
      await cleanUp(those, way);
      await expectNothingLeft(after);
    }
  });
});
