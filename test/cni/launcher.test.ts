// The launcher and an agent, above all one that does not keep to the protocol.
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test } from '@jest/globals';
import { executePlugin } from '../../cli/libcni/execute-plugin.ts';
import { aboutText, versionAnswer } from '../../cni/versions.ts';
import { refuseRoot } from '../sandbox.ts';
import { answerOf } from './answer-of.ts';
import { answer, type FakeRequest, fakeAgent } from './fake-agent.ts';
import { buildLauncher, hasCompiler } from './launcher-build.ts';

/** Without a C compiler there is no launcher, and the script is tested in its place (executable.test.ts). */
const describeLauncher = hasCompiler ? describe : describe.skip;

describeLauncher('the launcher', () => {
  let root: string;
  let launcher: string;
  /** As `launcher`, but it gives up soon. */
  let hasty: string;
  let run: string;
  let stdin: string;
  beforeAll(() => {
    refuseRoot();
    root = mkdtempSync(join(tmpdir(), 'netloom-launcher-'));
    const plugin = join(root, 'plugin');
    writeFileSync(plugin, '#!/bin/sh\necho \'{"by":"plugin"}\'\n', { mode: 0o755 });
    launcher = buildLauncher({ path: join(root, 'launcher'), plugin });
    hasty = buildLauncher({ path: join(root, 'hasty'), plugin, deadlineMs: 400 });
  });
  afterAll(() => rmSync(root, { recursive: true, force: true }));
  beforeEach(() => {
    run = mkdtempSync(join(root, 'run-'));
    stdin = JSON.stringify({ name: 'net', runDirectory: run, stateDirectory: join(run, 'state') });
  });
  afterEach(() => rmSync(run, { recursive: true, force: true }));

  const socketPath = () => join(run, 'netloom.sock');
  const call = (
    command: string,
    {
      input = stdin,
      path = launcher,
      env = {},
    }: { input?: string; path?: string; env?: Record<string, string> } = {},
  ) => answerOf(executePlugin({ path, stdin: input, env: { CNI_COMMAND: command, ...env } }));

  test.each([
    ['VERSION', { stdout: versionAnswer(), stderr: '' }],
    ['', { stdout: '', stderr: aboutText() }],
  ])('CNI_COMMAND "%s" is answered while standard input stays open', async (command, expected) => {
    const child = spawn(launcher, { env: { CNI_COMMAND: command, CNI_NETNS: 'dummy' } });
    const output = { stdout: '', stderr: '' };
    child.stdout.on('data', (chunk) => {
      output.stdout += String(chunk);
    });
    child.stderr.on('data', (chunk) => {
      output.stderr += String(chunk);
    });
    expect(await once(child, 'close')).toEqual([0, null]);
    expect(output).toEqual(expected);
  });

  test('the request: CNI_* in their order, standard input, and nothing else', async () => {
    const requests: FakeRequest[] = [];
    await using _ = await fakeAgent(socketPath(), {
      serve(socket, request) {
        requests.push(request);
        socket.end(answer(200, '{}'));
      },
    });
    const env = {
      CNI_ARGS: 'a\r\nContent-Length: 1\r\n\r\n=',
      CNI_: '',
      CNIX: '1',
      HOME: '/root',
      CNI_PATH: 'ü',
    };
    expect(await call('CHECK', { env })).toEqual({ exitCode: 0, stdout: '{}', stderr: '' });
    expect(requests).toHaveLength(1);
    const body = `CNI_COMMAND=CHECK\0CNI_ARGS=${env.CNI_ARGS}\0CNI_=\0CNI_PATH=ü\0\0${stdin}`;
    expect(requests[0]?.body.toString()).toBe(body);
    expect(requests[0]?.head).toBe(
      `POST /cni HTTP/1.1\r\nHost: netloom\r\nConnection: close\r\nContent-Type: application/octet-stream\r\nContent-Length: ${Buffer.byteLength(body)}`,
    );
  });

  test.each([
    [200, 'ADD', '{"ips":[]}', 0],
    [200, 'DEL', '', 0],
    [422, 'ADD', '{"code":7}', 1],
    [200, 'ADD', 'x'.repeat(3_000_000), 0],
  ])('status %d to %s: standard output and exit code', async (status, command, text, exitCode) => {
    await using _ = await fakeAgent(socketPath(), { serve: (socket) => socket.end(answer(status, text)) });
    expect(await call(command)).toEqual({ exitCode, stdout: text, stderr: '' });
  });

  test('an answer that comes byte by byte', async () => {
    await using _ = await fakeAgent(socketPath(), {
      async serve(socket) {
        for (const byte of answer(200, '{"a":1}')) {
          socket.write(Buffer.of(byte));
          await new Promise(setImmediate);
        }
      },
    });
    expect(await call('ADD')).toMatchObject({ exitCode: 0, stdout: '{"a":1}' });
  });

  test.each([
    ['nothing', ''],
    ['a head that is cut off', 'HTTP/1.1 200 OK\r\nconte'],
    ['a body that is cut off', 'HTTP/1.1 200 OK\r\ncontent-length: 9\r\n\r\n{"ips'],
    ['more than was stated', 'HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\n{}{}'],
    ['no length', 'HTTP/1.1 200 OK\r\n\r\n{}'],
    ['chunks', 'HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n2\r\n{}\r\n0\r\n\r\n'],
    ['a negative length', 'HTTP/1.1 200 OK\r\ncontent-length: -2\r\n\r\n{}'],
    ['an enormous length', 'HTTP/1.1 200 OK\r\ncontent-length: 99999999999999999999999999\r\n\r\n{}'],
    ['a length with more behind it', 'HTTP/1.1 200 OK\r\ncontent-length: 2, 2\r\n\r\n{}'],
    ['the length in the body', 'HTTP/1.1 200 OK\r\n\r\ncontent-length: 2\r\n\r\n{}'],
    ['an endless head', `HTTP/1.1 200 OK\r\n${'a: b\r\n'.repeat(20_000)}`],
    ['another protocol', 'SSH-2.0-OpenSSH_9\r\n\r\n'],
    ['zero bytes', '\0'.repeat(1000)],
    ['an old protocol', 'HTTP/1.0 200 OK\r\ncontent-length: 2\r\n\r\n{}'],
    ['a longer status', 'HTTP/1.1 2000\r\ncontent-length: 2\r\n\r\n{}'],
    ['an error of the server', String(answer(500, '{"error":"x"}'))],
    ['another redirection', String(answer(404, '{}'))],
    ['a failure without words', String(answer(422, ''))],
    ['an ADD without a result', String(answer(200, ''))],
  ])('an agent that answers with %s is no agent', async (_, text) => {
    await using _agent = await fakeAgent(socketPath(), { serve: (socket) => socket.end(text) });
    expect(await call('ADD')).toEqual({ exitCode: 0, stdout: '{"by":"plugin"}\n', stderr: '' });
  });

  test('an agent that hangs up before it was asked, and one that died', async () => {
    {
      await using _ = await fakeAgent(socketPath(), { connected: (socket) => socket.destroy() });
      expect(await call('ADD')).toMatchObject({ stdout: '{"by":"plugin"}\n' });
    }
    writeFileSync(socketPath(), '');
    expect(await call('ADD')).toMatchObject({ stdout: '{"by":"plugin"}\n' });
  });

  test.each([
    ['nothing', ''],
    ['half an answer', 'HTTP/1.1 200 OK\r\ncontent-length: 9\r\n\r\n{"ips'],
  ])('an agent that says %s and then nothing more: try again later', async (_, text) => {
    await using _agent = await fakeAgent(socketPath(), { serve: (socket) => socket.write(text) });
    for (const command of ['ADD', 'CHECK', 'GC', 'STATUS']) {
      const { exitCode, stdout } = await call(command, { path: hasty });
      expect(exitCode).toBe(1);
      expect(JSON.parse(stdout)).toEqual({
        code: 11,
        msg: 'The agent did not answer',
        details: `${socketPath()}: no answer in time`,
      });
    }
  });

  test('an agent that accepts nobody, and reads nothing of much', async () => {
    await using _ = await fakeAgent(socketPath(), { connected: (socket) => socket.pause() });
    const input = stdin.padEnd(1 << 20);
    expect(JSON.parse((await call('ADD', { path: hasty, input })).stdout)).toMatchObject({ code: 11 });
  });

  describe('standard input', () => {
    test.each([
      ['empty', Buffer.alloc(0)],
      ['no UTF-8', Buffer.from([0xff, 0x00, 0xc3, 0x28, 0x0d, 0x0a])],
      ['as long as may be', Buffer.alloc(1 << 20, 0xfe)],
    ])('%s: arrives unchanged', async (_, input) => {
      const bodies: Buffer[] = [];
      await using _agent = await fakeAgent('/run/netloom/netloom.sock', {
        serve(socket, { body }) {
          bodies.push(body);
          socket.end(answer(200, '{}'));
        },
      });
      const child = spawn(launcher, { env: { CNI_COMMAND: 'ADD' } });
      child.stdin.end(input);
      expect(await once(child, 'close')).toEqual([0, null]);
      expect(bodies[0]?.subarray('CNI_COMMAND=ADD\0\0'.length).equals(input)).toBe(true);
    });

    test('longer than may be', async () => {
      const { exitCode, stdout } = await call('ADD', { input: ' '.repeat((1 << 20) + 1) });
      expect(exitCode).toBe(1);
      expect(JSON.parse(stdout)).toMatchObject({
        code: 6,
        msg: expect.stringContaining('longer than 1 MiB'),
      });
    });

    test('that does not end', async () => {
      const child = spawn(hasty, { env: { CNI_COMMAND: 'ADD' } });
      child.stdin.write('{');
      const [chunk] = await once(child.stdout, 'data');
      expect(JSON.parse(String(chunk))).toMatchObject({ code: 5 });
    });
  });

  test('variables beyond measure', async () => {
    const much = Object.fromEntries(Array.from({ length: 9 }, (_, i) => [`CNI_X${i}`, 'x'.repeat(120_000)]));
    expect(JSON.parse((await call('ADD', { env: much })).stdout)).toMatchObject({ code: 4 });
  });

  test.each([
    ['{"runDirectory": "HERE"}', 'own'],
    [' {\n"name" : "a\\"b\\\\", "RUNDIRECTORY"\t:\r\n"HERE"', 'own'],
    ['{"a": {"runDirectory": "/nowhere"}, "b": ["x", {"c": 1}], "runDirectory": "HERE"}', 'own'],
    ['{"args": {"runDirectory": "HERE"}}', 'default'],
    ['{"name": "runDirectory", "x": "HERE"}', 'default'],
    ['{"name": "\\"runDirectory\\": \\"HERE\\""}', 'default'],
    ['{"runDirectory": "../HERE"}', 'default'],
    ['{"runDirectory": "\\u002fHERE"}', 'default'],
    ['{"runDirectory": ["HERE"]}', 'default'],
    ['{"runDirectory": "HERE', 'default'],
    ['{"runDirectory"', 'default'],
    ['{"runDirectory\\', 'default'],
    ['{"notrunDirectory": "HERE", "runDirector": "HERE", "runDirectoryX": "HERE"}', 'default'],
    ['', 'default'],
  ])('the agent of %s: the %s one', async (text, expected) => {
    const other = '/run/netloom/netloom.sock';
    mkdirSync('/run/netloom', { recursive: true });
    await using _own = await fakeAgent(socketPath(), { serve: (socket) => socket.end(answer(200, 'own')) });
    await using _other = await fakeAgent(other, { serve: (socket) => socket.end(answer(200, 'default')) });
    expect((await call('ADD', { input: text.replaceAll('HERE', run) })).stdout).toBe(expected);
  });

  test('a directory whose socket nobody could listen on', async () => {
    const input = JSON.stringify({ runDirectory: `/${'long/'.repeat(1000)}` });
    expect(await call('ADD', { input })).toMatchObject({ stdout: '{"by":"plugin"}\n' });
  });
});
