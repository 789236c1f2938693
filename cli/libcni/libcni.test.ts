import { mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, test } from '@jest/globals';
import { parseConfigList } from './config-list.ts';
import { LibCni, type LibCniOptions } from './libcni.ts';
import { readCacheEntry } from './result-cache.ts';

let directory: string;
beforeEach(() => {
  directory = mkdtempSync(join(tmpdir(), 'netloom-libcni-'));
});
afterEach(() => rmSync(directory, { recursive: true, force: true }));

/** A plugin that writes down how it was called. `answer` is shell: $CNI_COMMAND and the like are there. */
function plugin(
  type: string,
  answer = `echo '{"cniVersion":"1.0.0","from":"${type}"}'`,
  place = 'bin',
): void {
  mkdirSync(join(directory, place), { recursive: true });
  const text = `#!/bin/sh
input=$(cat)
printf '%s\\n' "$CNI_COMMAND ${type} $CNI_CONTAINERID $CNI_NETNS $CNI_IFNAME $CNI_ARGS" >>"${directory}/calls"
printf '%s' "$input" >"${directory}/$CNI_COMMAND.${type}"
${answer}
`;
  writeFileSync(join(directory, place, type), text, { mode: 0o755 });
}

function runtime(cniVersion: string, plugins: readonly object[], more: Partial<LibCniOptions> = {}): LibCni {
  return new LibCni({
    list: parseConfigList(JSON.stringify({ name: 'net', cniVersion, plugins }), 'a test'),
    pluginDirectories: [join(directory, 'bin')],
    cacheDirectory: join(directory, 'results'),
    ...more,
  });
}

const calls = () => readFileSync(join(directory, 'calls'), 'utf8').trim().split('\n');
const input = (verb: string, type: string) =>
  JSON.parse(readFileSync(join(directory, `${verb}.${type}`), 'utf8'));

const two = [
  { type: 'first', capabilities: { portMappings: true, mac: false, bandwidth: true } },
  { type: 'second' },
];
const call = {
  containerId: 'one',
  netns: '/run/netns/one',
  args: 'IgnoreUnknown=1;K8S_POD_NAME=web',
  capabilityArgs: { portMappings: [{ hostPort: 80 }], mac: '02:00:00:00:00:01' },
};

test('ADD, CHECK and DEL go through the list, and DEL comes back', async () => {
  plugin('first');
  plugin('second');
  const libcni = runtime('1.0.0', two);
  expect(await libcni.add(call)).toEqual({ cniVersion: '1.0.0', from: 'second' });
  expect(input('ADD', 'first')).toEqual({
    ...two[0],
    name: 'net',
    cniVersion: '1.0.0',
    runtimeConfig: { portMappings: [{ hostPort: 80 }] },
  });
  expect(input('ADD', 'second')).toEqual({
    type: 'second',
    name: 'net',
    cniVersion: '1.0.0',
    prevResult: { cniVersion: '1.0.0', from: 'first' },
  });
  await libcni.check(call);
  await libcni.del(call);
  for (const [verb, type] of [
    ['CHECK', 'first'],
    ['CHECK', 'second'],
    ['DEL', 'second'],
    ['DEL', 'first'],
  ])
    expect(input(verb ?? '', type ?? '').prevResult).toEqual({ cniVersion: '1.0.0', from: 'second' });
  expect(calls().map((line) => line.split(' ').slice(0, 2).join(' '))).toEqual([
    'ADD first',
    'ADD second',
    'CHECK first',
    'CHECK second',
    'DEL second',
    'DEL first',
  ]);
  expect(calls()[0]).toBe('ADD first one /run/netns/one eth0 IgnoreUnknown=1;K8S_POD_NAME=web');
  // A second DEL has no cache left.
  await libcni.del(call);
  expect(input('DEL', 'first')).not.toHaveProperty('prevResult');
});

test("the cache is libcni's", async () => {
  plugin('first');
  const list = { name: 'net', cniVersion: '1.0.0', plugins: [{ type: 'first' }] };
  await runtime('1.0.0', [{ type: 'first' }]).add(call);
  const entry = JSON.parse(readFileSync(join(directory, 'results', 'net-one-eth0'), 'utf8'));
  expect(JSON.parse(Buffer.from(entry.config, 'base64').toString())).toEqual(list);
  expect(entry).toEqual({
    kind: 'cniCacheV1',
    containerId: 'one',
    config: entry.config,
    ifName: 'eth0',
    networkName: 'net',
    netns: '/run/netns/one',
    cniArgs: [
      ['IgnoreUnknown', '1'],
      ['K8S_POD_NAME', 'web'],
    ],
    capabilityArgs: call.capabilityArgs,
    result: { cniVersion: '1.0.0', from: 'first' },
  });
});

test('version 0.3.1 has no prevResult on DEL; a spoilt cache entry is none', async () => {
  plugin('first');
  const old = runtime('0.3.1', [{ type: 'first' }]);
  await old.add(call);
  await old.del(call);
  expect(input('DEL', 'first')).not.toHaveProperty('prevResult');
  const libcni = runtime('1.0.0', [{ type: 'first' }]);
  await libcni.add(call);
  writeFileSync(join(directory, 'results', 'net-one-eth0'), '');
  await libcni.del(call);
  expect(input('DEL', 'first')).not.toHaveProperty('prevResult');
});

test('DEL ends at the first plugin that fails, and keeps the cache', async () => {
  plugin('first');
  plugin(
    'second',
    `[ $CNI_COMMAND = ADD ] || { echo '{"code":7,"msg":"no","details":"way"}'; exit 1; }; echo '{}'`,
  );
  const libcni = runtime('1.0.0', two);
  await libcni.add(call);
  await expect(libcni.del(call)).rejects.toMatchObject({ code: 7, msg: 'no', details: 'way' });
  await expect(libcni.del(call)).rejects.toThrow('CNI plugin "second" failed to DEL "one": no (way), code 7');
  expect(calls().some((line) => line.startsWith('DEL first'))).toBe(false);
  expect(
    readCacheEntry(join(directory, 'results'), { networkName: 'net', containerId: 'one', ifName: 'eth0' }),
  ).toBeDefined();
});

test.each([
  ['echo words >&2; exit 1', 'CNI plugin "first" failed to ADD "one": words'],
  ['exit 3', 'CNI plugin "first" failed to ADD "one": exit code 3'],
  ['kill -9 $$', 'CNI plugin "first" failed to ADD "one": no error message: signal: killed'],
  ['kill -SEGV $$', 'CNI plugin "first" failed to ADD "one": no error message: signal: SIGSEGV'],
  ['exit 0', 'Cannot read the answer of plugin "first": ""'],
  ['echo "{}"; echo noise', 'Cannot read the answer of plugin "first": "{}\\nnoise\\n"'],
])('what a plugin that does "%s" is taken to say', async (answer, message) => {
  plugin('first', answer);
  await expect(runtime('1.0.0', two).add(call)).rejects.toThrow(message);
});

test('a plugin that takes too long, and one that is not wanted any more, are killed', async () => {
  plugin('first', 'exec sleep 60');
  const hasty = runtime('1.0.0', two, { timeout: 300 });
  await expect(hasty.add(call)).rejects.toThrow('failed to ADD "one": it took longer than 300 ms');
  const stop = new AbortController();
  const adding = runtime('1.0.0', two).add({ ...call, signal: stop.signal });
  setTimeout(() => stop.abort(), 200);
  await expect(adding).rejects.toThrow('failed to ADD "one": it was stopped');
});

test('GC: DEL of what is not valid, then the verb; failures do not end it', async () => {
  plugin(
    'first',
    `[ $CNI_COMMAND-$CNI_CONTAINERID != DEL-two ] || { echo '{"code":5,"msg":"disk"}'; exit 1; }; echo '{}'`,
  );
  const libcni = runtime('1.1.0', [{ type: 'first', capabilities: { portMappings: true } }]);
  for (const containerId of ['one', 'two', 'three']) await libcni.add({ ...call, containerId });
  await libcni.gc(undefined);
  expect(input('GC', 'first')).not.toHaveProperty(['cni.dev/valid-attachments']);
  expect(calls().some((line) => line.startsWith('DEL'))).toBe(false);
  const valid = [{ containerID: 'one', ifname: 'eth0' }];
  await expect(libcni.gc(valid)).rejects.toThrow(
    'Cannot clean up network "net": CNI plugin "first" failed to DEL "two": disk, code 5',
  );
  expect(input('DEL', 'first').runtimeConfig).toEqual({ portMappings: [{ hostPort: 80 }] });
  expect(input('GC', 'first')).toEqual({
    type: 'first',
    capabilities: { portMappings: true },
    name: 'net',
    cniVersion: '1.1.0',
    'cni.dev/valid-attachments': valid,
    'cni.dev/attachments': valid,
  });
  expect(
    calls()
      .filter((line) => line.startsWith('DEL'))
      .map((line) => line.split(' ')[2]),
  ).toEqual(['three', 'two']);
});

test('GC before version 1.1.0 is DEL alone, STATUS nothing at all', async () => {
  plugin('first');
  const libcni = runtime('1.0.0', [{ type: 'first' }]);
  await libcni.add(call);
  await libcni.gc(null);
  await libcni.status();
  expect(calls().map((line) => line.split(' ')[0])).toEqual(['ADD', 'DEL']);
});

test('VERSION, as libcni asks for it, and a plugin too old for the list', async () => {
  plugin('first', `echo '{"cniVersion":"1.0.0","supportedVersions":["0.4.0","1.0.0"]}'`);
  expect(await runtime('1.0.0', [{ type: 'first' }]).validate()).toEqual([['0.4.0', '1.0.0']]);
  expect(calls()).toEqual(['VERSION first  dummy dummy']);
  expect(input('VERSION', 'first')).toEqual({ cniVersion: '1.1.0' });
  await expect(runtime('1.1.0', [{ type: 'first' }]).validate()).rejects.toThrow(
    'Plugin "first" does not support config version "1.1.0"',
  );
});

test('directories are searched in order', async () => {
  plugin('first', `echo '{"place":"other"}'`, 'other');
  plugin('first', `echo '{"place":"bin"}'`);
  const pluginDirectories = ['nothing', 'other', 'bin'].map((name) => join(directory, name));
  const libcni = runtime('1.0.0', [{ type: 'first' }], { pluginDirectories });
  expect(await libcni.add(call)).toEqual({ place: 'other' });
  await expect(runtime('1.0.0', [{ type: 'second' }], { pluginDirectories }).add(call)).rejects.toThrow(
    'Cannot find plugin "second" in',
  );
});
