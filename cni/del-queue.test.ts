import {
  linkSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  rmSync,
  statSync,
  utimesSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, test } from '@jest/globals';
import { replayDelQueue } from './del-queue.ts';
import { queueDel } from './del-queue-entry.ts';
import type { PluginOutput } from './plugin.ts';
import type { PluginInput } from './request.ts';

const ok: PluginOutput = { exitCode: 0, stdout: '' };
const failed = (code: number): PluginOutput => ({ exitCode: 1, stdout: `{"code":${code},"msg":"no"}` });

let stateDirectory: string;
let ran: string[];
beforeEach(() => {
  stateDirectory = mkdtempSync(join(tmpdir(), 'netloom-queue-'));
  ran = [];
});
afterEach(() => rmSync(stateDirectory, { recursive: true, force: true }));

const queue = () => join(stateDirectory, 'del-queue');
const files = () => readdirSync(queue()).sort();
const add = (containerId: string, more: Readonly<Record<string, string>> = {}) =>
  queueDel(
    {
      env: { CNI_COMMAND: 'DEL', CNI_CONTAINERID: containerId, CNI_IFNAME: 'eth0', ...more },
      stdin: Buffer.from('{}'),
    },
    stateDirectory,
  );
const put = (name: string, text: string) => {
  mkdirSync(queue(), { recursive: true });
  writeFileSync(join(queue(), name), text);
};
const entry = (containerId: string) =>
  `CNI_COMMAND=DEL\0CNI_CONTAINERID=${containerId}\0CNI_IFNAME=eth0\0\0{}`;

/** What runs the DELs: notes whose, and answers as told. */
const runner =
  (answers: Readonly<Record<string, PluginOutput>> = {}) =>
  async ({ env }: PluginInput) => {
    const id = env['CNI_CONTAINERID'] ?? '';
    ran.push(id);
    return answers[id] ?? ok;
  };
const replay = (more: Partial<Parameters<typeof replayDelQueue>[0]> = {}) =>
  replayDelQueue({ stateDirectory, run: runner(), ...more });

test('a queue that never was', async () => {
  expect(await replay()).toEqual({ done: 0, kept: [], spoilt: [] });
  expect(readdirSync(stateDirectory)).toEqual([]);
});

test('what is queued is run once, oldest first, and then gone', async () => {
  add('c');
  put('0000000002.000000001-7-b', entry('b'));
  put('0000000002.000000000-9-a', entry('a'));
  expect(statSync(queue()).mode & 0o777).toBe(0o700);
  expect(statSync(join(queue(), files()[2] ?? '')).mode & 0o777).toBe(0o600);
  expect(await replay()).toEqual({ done: 3, kept: [], spoilt: [] });
  expect(ran).toEqual(['a', 'b', 'c']);
  expect(files()).toEqual([]);
});

test('it runs with the environment and the input that were queued', async () => {
  add('a', { CNI_NETNS: '/run/netns/ü' });
  const inputs: PluginInput[] = [];
  await replay({
    run: async (input) => {
      inputs.push(input);
      return ok;
    },
  });
  const env = { CNI_COMMAND: 'DEL', CNI_CONTAINERID: 'a', CNI_IFNAME: 'eth0', CNI_NETNS: '/run/netns/ü' };
  expect(inputs).toEqual([{ env, stdin: '{}' }]);
});

test('what fails stays, and does not hold up the others', async () => {
  add('a');
  add('b');
  const before = files();
  expect(await replay({ run: runner({ a: failed(11) }) })).toEqual({
    done: 1,
    kept: [{ containerId: 'a', ifname: 'eth0', why: '{"code":11,"msg":"no"}' }],
    spoilt: [],
  });
  expect(files()).toEqual([before[0]]);
  expect(await replay()).toMatchObject({ done: 1 });
});

describe('what can never be done is put aside and told once', () => {
  test.each([
    ['nothing', ''],
    ['half an entry', entry('a').slice(0, 20)],
    ['an ADD', entry('a').replace('DEL', 'ADD')],
    ['no container', entry('')],
    ['any bytes', '\xff\0\0\0\n'],
  ])('%s', async (_, text) => {
    put('0000000001.000000000-1-a', text);
    add('b');
    expect(await replay()).toMatchObject({
      done: 1,
      kept: [],
      spoilt: [expect.stringContaining('it is no DEL')],
    });
    expect({ ran, files: files() }).toEqual({ ran: ['b'], files: ['0000000001.000000000-1-a.bad'] });
    expect(await replay()).toEqual({ done: 0, kept: [], spoilt: [] });
  });

  test('a directory in the place of an entry', async () => {
    mkdirSync(join(queue(), 'x'), { recursive: true });
    expect((await replay()).spoilt).toHaveLength(1);
    expect(files()).toEqual(['x.bad']);
  });

  test.each([1, 2, 4, 6, 7])('the plugin says code %d: the call itself is wrong', async (code) => {
    add('a');
    const { spoilt } = await replay({ run: runner({ a: failed(code) }) });
    expect(spoilt[0]).toContain(`"code":${code}`);
    expect(files()).toEqual([expect.stringMatching(/-a\.bad$/)]);
  });
});

describe('one container only', () => {
  test('by its whole name', async () => {
    for (const id of ['a', 'b-a', 'a-b', 'a']) add(id);
    expect(await replay({ containerId: 'a' })).toMatchObject({ done: 2 });
    expect(ran).toEqual(['a', 'a']);
  });

  test('by its content where the name is too short for it', async () => {
    const [one, two] = [`${'x'.repeat(200)}1`, `${'x'.repeat(200)}2`];
    add(one);
    add(two);
    expect(await replay({ containerId: two })).toMatchObject({ done: 1 });
    expect(ran).toEqual([two]);
  });

  test('waits for whoever runs its DEL already; nobody runs it twice', async () => {
    add('a');
    let finish = (): void => undefined;
    const slow = replay({
      run: async (input) => {
        await new Promise<void>((resolve) => {
          finish = resolve;
        });
        return await runner()(input);
      },
    });
    await new Promise((resolve) => setTimeout(resolve, 5));
    const own = replay({ containerId: 'a' });
    expect(await replay()).toEqual({ done: 0, kept: [], spoilt: [] });
    finish();
    expect(await slow).toMatchObject({ done: 1 });
    expect(await own).toMatchObject({ done: 0, kept: [] });
    expect({ ran, files: files() }).toEqual({ ran: ['a'], files: [] });
  });
});

test('many at once: each entry is run once', async () => {
  const ids = Array.from({ length: 20 }, (_, i) => `c${i}`);
  for (const id of ids) add(id);
  await Promise.all([replay(), replay(), replay(), ...ids.map((containerId) => replay({ containerId }))]);
  expect(ran.toSorted()).toEqual(ids.toSorted());
  expect(files()).toEqual([]);
});

test('no further one is begun after the time limit, or when it was stopped', async () => {
  add('a');
  expect(await replay({ timeLimit: 0 })).toMatchObject({ done: 0 });
  expect(await replay({ signal: AbortSignal.abort() })).toMatchObject({ done: 0 });
  expect(ran).toEqual([]);
});

test('files of launchers that were killed are removed, those being written are not', async () => {
  put('.old.tmp', 'x');
  put('.new.tmp', 'x');
  utimesSync(join(queue(), '.old.tmp'), 0, 0);
  await replay();
  expect(files()).toEqual(['.new.tmp']);
});

test('a full queue takes no more', () => {
  put('x0', '');
  for (let i = 1; i < 4096; i++) linkSync(join(queue(), 'x0'), join(queue(), `x${i}`));
  expect(() => add('a')).toThrow(/is full/);
  expect(files()).toHaveLength(4096);
});
