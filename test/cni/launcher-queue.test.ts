// DELs that nobody answers, on real pods: queued by the launcher, run before the next ADD; and ADDs whose caller is gone.
import { spawn, spawnSync } from 'node:child_process';
import { once } from 'node:events';
import {
  linkSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  statSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test } from '@jest/globals';
import { addCniRoute } from '../../agent/cni-route.ts';
import { nodeSubnet } from '../../agent/wiring/node-network.ts';
import { executePlugin } from '../../cli/libcni/execute-plugin.ts';
import { encodeCall } from '../../cni/call-body.ts';
import { createCniHandler } from '../../cni/cni-handler.ts';
import { queueDel } from '../../cni/del-queue-entry.ts';
import { agentFailed } from '../../cni/in-process.ts';
import { Netns } from '../../kernel/netns.ts';
import { Prefix } from '../../net/prefix.ts';
import { createHttpServer } from '../../runtime/http.ts';
import { refuseRoot } from '../sandbox.ts';
import { answerOf } from './answer-of.ts';
import { type CniNode, makeCniNode } from './cni-node.ts';
import { fakeAgent } from './fake-agent.ts';
import { buildLauncher, hasCompiler } from './launcher-build.ts';

const describeLauncher = hasCompiler ? describe : describe.skip;
const plugin = new URL('../../scripts/netloom-cni', import.meta.url).pathname;
const silent = { debug: () => undefined, error: () => undefined };

let root: string;
/** A launcher that gives up soon. */
let hasty: string;
let node: CniNode;
beforeAll(() => {
  refuseRoot();
  root = mkdtempSync(join(tmpdir(), 'netloom-launcher-'));
  if (hasCompiler) hasty = buildLauncher({ path: join(root, 'hasty'), plugin, deadlineMs: 400 });
});
afterAll(() => rmSync(root, { recursive: true, force: true }));
beforeEach(async () => {
  node = await makeCniNode({ agent: false });
});
afterEach(async () => await node[Symbol.asyncDispose]());

const socketPath = () => join(node.directory, 'run', 'netloom.sock');
const state = () => join(node.directory, 'state');
const queue = () => join(state(), 'del-queue');
const config = (more: object = {}) =>
  JSON.stringify({
    cniVersion: '1.0.0',
    name: 'cbr0',
    type: 'netloom-cni',
    bridge: 'cni0',
    runDirectory: join(node.directory, 'run'),
    stateDirectory: state(),
    subnetFile: join(node.directory, 'subnet.env'),
    ipam: { type: 'host-local', dataDir: join(node.directory, 'networks') },
    ...more,
  });
const variables = (command: string, containerId: string, netns = '') => ({
  CNI_COMMAND: command,
  CNI_CONTAINERID: containerId,
  CNI_NETNS: netns,
  CNI_IFNAME: 'eth0',
});
const clean = { veths: [], addresses: [] };
const found = () => ({ veths: node.veths(), addresses: node.addresses() });

const hastyDel = (containerId: string, more: Readonly<Record<string, string>> = {}) =>
  answerOf(
    executePlugin({ path: hasty, stdin: config(), env: { ...variables('DEL', containerId), ...more } }),
  );

function openHandler(
  more: { readonly onNode?: () => void; readonly report?: (problem: string) => void } = {},
) {
  const { onNode = () => undefined, report = () => undefined } = more;
  const netns = Netns.open(node.hostNetns);
  const handler = createCniHandler({
    node() {
      onNode();
      return { bridge: 'cni0', mtu: 1450, subnets: [nodeSubnet(Prefix.parse('10.244.1.1/24'))] };
    },
    netns,
    stateDirectory: state(),
    report,
  });
  return Object.assign(handler, {
    async [Symbol.asyncDispose]() {
      await handler.close();
      netns.close();
    },
  });
}
const call = (command: string, containerId: string, netns = '', more: object = {}) =>
  encodeCall(variables(command, containerId, netns), Buffer.from(config(more)));

describeLauncher('a DEL that a silent agent does not do', () => {
  beforeEach(async () => {
    await node.runtime().add({ containerId: 'one', netns: node.pod() });
  });

  async function queueOne(): Promise<void> {
    await using _ = await fakeAgent(socketPath(), {});
    expect(await hastyDel('one')).toEqual({ exitCode: 0, stdout: '', stderr: '' });
  }

  test('is queued as it was sent, for root only, and nothing else is left', async () => {
    const bodies: Buffer[] = [];
    await using _ = await fakeAgent(socketPath(), { serve: (_socket, { body }) => bodies.push(body) });
    expect(await hastyDel('one')).toMatchObject({ exitCode: 0, stdout: '' });
    const [name = ''] = readdirSync(queue());
    expect(readdirSync(queue())).toEqual([expect.stringMatching(/^\d{10}\.\d{9}-\d+-one$/)]);
    expect(readFileSync(join(queue(), name))).toEqual(bodies[0]);
    expect([queue(), join(queue(), name)].map((path) => statSync(path).mode & 0o777)).toEqual([0o700, 0o600]);
    expect(found()).toEqual({ veths: [expect.any(String)], addresses: ['10.244.1.2'] });
  });

  test('is run by the plugin before its next ADD', async () => {
    await queueOne();
    const again = { containerId: 'one', netns: node.pod() };
    expect(await node.runtime().add(again)).toMatchObject({ ips: [{ address: '10.244.1.3/24' }] });
    await node.runtime().check(again);
    expect(readdirSync(queue())).toEqual([]);
    expect(node.veths()).toHaveLength(1);
  });

  test("is run by the agent before its first ADD, also another pod's", async () => {
    await queueOne();
    await using handler = openHandler();
    expect(await handler(call('ADD', 'two', node.pod()))).toMatchObject({ exitCode: 0 });
    expect(node.addresses()).toEqual(['10.244.1.3']);
    expect(readdirSync(queue())).toEqual([]);
  });

  test('is run by an agent that served long before, on its own and before an ADD of the pod', async () => {
    await using handler = openHandler();
    await handler.replay();
    await queueOne();
    await handler.replay();
    expect(found()).toEqual(clean);
    expect(await handler(call('ADD', 'one', node.pod()))).toMatchObject({ exitCode: 0 });
    await queueOne();
    expect(await handler(call('ADD', 'one', node.pod()))).toMatchObject({ exitCode: 0 });
    expect(node.veths()).toHaveLength(1);
    await handler.replay();
    expect(node.veths()).toHaveLength(1);
  });

  test('is not done by the agent when that awakes: the queue has it', async () => {
    const reports: string[] = [];
    await using handler = openHandler({ report: (problem) => reports.push(problem) });
    const server = createHttpServer({ log: silent, routes: (app) => addCniRoute(app, handler) });
    await server.listenUnix(socketPath());
    // While this waits, the server in this process stands still.
    const env = variables('DEL', 'one');
    expect(spawnSync(hasty, { env, input: config(), encoding: 'utf8' })).toMatchObject({
      status: 0,
      stdout: '',
    });
    await server.close();
    expect(node.veths()).toHaveLength(1);
    expect(readdirSync(queue())).toHaveLength(1);
    await handler.replay();
    expect(found()).toEqual(clean);
    expect(reports).toEqual([]);
  });

  test('is refused when its container cannot be a name, or the queue is full or cannot be written', async () => {
    await using _ = await fakeAgent(socketPath(), {});
    for (const id of ['../../etc/x', '.x', 'a b', 'ü', '']) {
      const { exitCode, stdout } = await hastyDel('one', { CNI_CONTAINERID: id });
      expect(exitCode).toBe(1);
      expect(JSON.parse(stdout)).toMatchObject({ code: 4, msg: expect.stringContaining('CNI_CONTAINERID') });
    }
    mkdirSync(queue(), { recursive: true });
    writeFileSync(join(queue(), 'x0'), '');
    for (let i = 1; i < 4096; i++) linkSync(join(queue(), 'x0'), join(queue(), `x${i}`));
    expect(JSON.parse((await hastyDel('one')).stdout)).toMatchObject({
      code: 11,
      details: expect.stringContaining('the DEL was not queued: the queue is full'),
    });
    rmSync(state(), { recursive: true });
    writeFileSync(state(), '');
    expect(JSON.parse((await hastyDel('one')).stdout)).toMatchObject({
      code: 11,
      details: expect.stringContaining('the DEL was not queued: Not a directory'),
    });
  });

  test('of a very long id', async () => {
    await using _ = await fakeAgent(socketPath(), {});
    expect(await hastyDel('x'.repeat(1000))).toMatchObject({ exitCode: 0 });
    expect(readdirSync(queue())).toEqual([expect.stringMatching(/-x{128}$/)]);
  });
});

test('an ADD whose own DEL fails is refused; others are not', async () => {
  const reports: string[] = [];
  await using handler = openHandler({ report: (problem) => reports.push(problem) });
  writeFileSync(join(node.directory, 'file'), '');
  const broken = { runDirectory: join(node.directory, 'file') };
  queueDel({ env: variables('DEL', 'one'), stdin: Buffer.from(config(broken)) }, state());
  const [pod, other] = [node.pod(), node.pod()];
  const { exitCode, stdout } = await handler(call('ADD', 'one', pod));
  expect(exitCode).toBe(1);
  expect(JSON.parse(stdout)).toMatchObject({
    code: 11,
    msg: 'An earlier DEL of interface "eth0" of container "one" is queued and fails',
  });
  await expect(node.runtime().add({ containerId: 'one', netns: pod })).rejects.toMatchObject({ code: 11 });
  expect(await handler(call('ADD', 'two', other))).toMatchObject({ exitCode: 0 });
  // The first look at the whole queue told it; the pod's own ADD says it in its answer.
  expect(reports).toEqual([
    expect.stringMatching(/^The queued DEL of interface "eth0" of container "one" fails/),
  ]);
  expect(readdirSync(queue())).toHaveLength(1);
});

test('the script without a launcher queues a DEL in the same way', async () => {
  await node.runtime().add({ containerId: 'one', netns: node.pod() });
  const env = variables('DEL', 'one');
  expect(agentFailed('no answer', { env, stdin: Buffer.from(config()) })).toEqual({
    exitCode: 0,
    stdout: '',
  });
  expect(readFileSync(join(queue(), readdirSync(queue())[0] ?? ''))).toEqual(call('DEL', 'one'));
  const refused = agentFailed('no answer', { env: variables('ADD', 'one'), stdin: Buffer.from(config()) });
  expect({ ...refused, stdout: JSON.parse(refused.stdout) }).toMatchObject({
    exitCode: 1,
    stdout: { code: 11 },
  });
  await using handler = openHandler();
  await handler.replay();
  expect(found()).toEqual(clean);
});

describe('an ADD whose caller is gone', () => {
  test('is undone when it is finished', async () => {
    const gone = new AbortController();
    await using handler = openHandler({ onNode: () => gone.abort() });
    const pod = node.pod();
    await handler(call('ADD', 'one', pod), { signal: gone.signal });
    expect(found()).toEqual(clean);
    expect(await handler(call('ADD', 'one', pod))).toMatchObject({ exitCode: 0 });
    expect(node.veths()).toHaveLength(1);
  });

  test('is not begun when it is gone already', async () => {
    await using handler = openHandler();
    const { exitCode } = await handler(call('ADD', 'one', node.pod()), { signal: AbortSignal.abort() });
    expect({ exitCode, ...found() }).toEqual({ exitCode: 1, ...clean });
  });

  test('one that failed for a pod that is there is not undone', async () => {
    await using handler = openHandler();
    const pod = node.pod();
    await handler(call('ADD', 'one', pod));
    const gone = new AbortController();
    await using second = openHandler({ onNode: () => gone.abort() });
    const { exitCode, stdout } = await second(call('ADD', 'one', pod), { signal: gone.signal });
    expect({ exitCode, code: JSON.parse(stdout).code }).toEqual({ exitCode: 1, code: 101 });
    expect(node.veths()).toHaveLength(1);
  });

  (hasCompiler ? test : test.skip)('the agent hears it when the launcher gives up or is killed', async () => {
    let calls = 0;
    let heard = 0;
    const answer = Object.assign(
      async (_body: Buffer, { signal }: { readonly signal: AbortSignal }) => {
        calls += 1;
        while (!signal.aborted) await sleep(5);
        heard += 1;
        return { exitCode: 0, stdout: '{}' } as const;
      },
      { close: async () => undefined },
    );
    const server = createHttpServer({ log: silent, routes: (app) => addCniRoute(app, answer) });
    await server.listenUnix(socketPath());
    const { stdout } = await executePlugin({ path: hasty, stdin: config(), env: variables('ADD', 'one') })
      .done;
    expect(JSON.parse(stdout)).toMatchObject({ code: 11 });
    const killed = spawn(hasty, { env: variables('ADD', 'two') });
    killed.stdin.end(config());
    while (calls < 2) await sleep(5);
    killed.kill('SIGKILL');
    await once(killed, 'close');
    while (heard < 2) await sleep(5);
    await server.close();
  });
});

test('the route takes bytes and nothing else', async () => {
  await using handler = openHandler();
  const server = createHttpServer({ log: silent, routes: (app) => addCniRoute(app, handler) });
  const post = async (type: string, payload: Buffer | string) => {
    const { statusCode, body } = await server.inject({
      method: 'POST',
      url: '/cni',
      headers: { 'content-type': type },
      payload,
    });
    return { statusCode, body };
  };
  const bytes = 'application/octet-stream';
  expect(await post(bytes, call('STATUS', ''))).toEqual({
    statusCode: 422,
    body: expect.stringContaining('1.1.0'),
  });
  expect(await post(bytes, call('DEL', 'one'))).toEqual({ statusCode: 200, body: '' });
  for (const payload of ['', '{}', 'CNI_COMMAND=ADD\0', 'CNI_COMMAND=ADD\0\0'])
    expect(await post(bytes, payload)).toMatchObject({ statusCode: 422 });
  expect(await post(bytes, Buffer.alloc((8 << 20) + 1))).toMatchObject({ statusCode: 413 });
  expect(await post('application/json', '{}')).toMatchObject({ statusCode: 415 });
  await server.close();
});
