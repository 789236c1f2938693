// With a real program: a script that writes down how it is called.
import { chmodSync, existsSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, test } from '@jest/globals';
import { FakeTunnel } from '../../kernel/tun/fake-tunnel.ts';
import type { JsonValue } from '../../store/go-json.ts';
import { planExtensionPeer } from '../backend/extension.ts';
import { sampleConfig, sampleLease, sampleUnderlay } from '../sample-cluster.ts';
import { type Carrier, type CarrierPlan, carriedName } from './carrier.ts';
import { addedPeers, createExtensionCarrier } from './extension-carrier.ts';
import { openExtensionProgram } from './extension-program.ts';
import { openCarrier } from './open-carrier.ts';

let directory: string;
let program: string;
let opened: Carrier[];
beforeEach(() => {
  directory = mkdtempSync(join(tmpdir(), 'netloom-extension-'));
  program = join(directory, 'program');
  opened = [];
  // "ARGUMENTS < INPUT", a line a call; fails, or takes its time, when told to by a file.
  writeScript(`
read -r input
echo "$* < $input" >>'${directory}/calls'
env >'${directory}/environment'
[ ! -e '${directory}/slow' ] || sleep 3
if [ -e '${directory}/broken' ]; then echo 'no luck' >&2; exit 3; fi
echo 'what I say'`);
});
afterEach(async () => {
  for (const carrier of opened) await carrier.close();
  rmSync(directory, { recursive: true, force: true });
});

function writeScript(lines: string): void {
  writeFileSync(program, `#!/bin/sh\n${lines}\n`);
  chmodSync(program, 0o755);
}

function open(named = true) {
  const all = openCarrier({
    stateDirectory: join(directory, 'state'),
    kernel: {
      tunnel: new FakeTunnel(),
      openWireguard() {
        throw new TypeError('There is no WireGuard');
      },
    },
    now: Date.now,
    ...(named ? { extension: { path: program, args: ['--mesh'], timeout: 10_000 } } : {}),
  });
  opened.push(all.carrier);
  return all;
}

const own = { version: 1, network: '10.244.0.0/16' };
function planOf(numbers: readonly number[], input: Readonly<Record<string, JsonValue>> = own): CarrierPlan {
  const carried = numbers.flatMap(
    (number) => planExtensionPeer(sampleLease({ number, backend: 'extension' })).carried ?? [],
  );
  return {
    devices: [{ kind: 'extension', input }],
    peers: new Map(carried.map((each) => [carriedName(each), each])),
  };
}
const nothing: CarrierPlan = { devices: [], peers: new Map() };

const options = { signal: new AbortController().signal, thorough: false, touched: false };

/** What was called since the last time: the verb, and the peer's subnet. */
function calls(): readonly string[] {
  const path = join(directory, 'calls');
  if (!existsSync(path)) return [];
  const lines = readFileSync(path, 'utf8').trim().split('\n');
  rmSync(path);
  return lines.map((line) => {
    const [words = '', input = ''] = line.split(' < ');
    const { peer } = JSON.parse(input) as { peer?: { subnet: string } };
    return peer === undefined ? words : `${words} ${peer.subnet}`;
  });
}

test('hears of its own lease first, then of each peer once; of what is new and what is gone', async () => {
  const { carrier } = open();
  const report = await carrier.ensure(planOf([2, 3]), options);
  expect(report).toEqual({
    changes: [
      { kind: 'extension', object: 'extension' },
      { kind: 'extension', object: 'extension peer 10.244.2.0/24' },
      { kind: 'extension', object: 'extension peer 10.244.3.0/24' },
    ],
    failed: new Map(),
    pending: new Map(),
  });
  expect(calls()).toEqual(['--mesh start', '--mesh add 10.244.2.0/24', '--mesh add 10.244.3.0/24']);
  expect((await carrier.ensure(planOf([2, 3]), options)).changes).toEqual([]);
  expect(calls()).toEqual([]);
  await carrier.ensure(planOf([3, 4]), options);
  expect(calls()).toEqual(['--mesh remove 10.244.2.0/24', '--mesh add 10.244.4.0/24']);
  await carrier.ensure(planOf([3, 4], { ...own, version: 2 }), options);
  expect(calls()).toEqual(['--mesh start', '--mesh add 10.244.3.0/24', '--mesh add 10.244.4.0/24']);
  await carrier.ensure(nothing, options);
  expect(calls()).toEqual(['--mesh remove 10.244.3.0/24', '--mesh remove 10.244.4.0/24']);
});

test('finds nothing of the agent’s in its environment', async () => {
  process.env['NETLOOM_ETCD_PASSWORD'] = 'sesame';
  try {
    await open().carrier.ensure(planOf([]), options);
  } finally {
    delete process.env['NETLOOM_ETCD_PASSWORD'];
  }
  expect(readFileSync(join(directory, 'environment'), 'utf8')).not.toContain('NETLOOM');
});

test('a peer that went while the agent was away is removed; those that stay are added anew', async () => {
  await open().carrier.ensure(planOf([2, 3]), options);
  calls();
  await open().carrier.ensure(planOf([3]), options);
  expect(calls()).toEqual(['--mesh remove 10.244.2.0/24', '--mesh start', '--mesh add 10.244.3.0/24']);
  // Another backend was chosen meanwhile.
  await open().carrier.ensure(nothing, options);
  expect(calls()).toEqual(['--mesh remove 10.244.3.0/24']);
  await open().carrier.ensure(nothing, options);
  expect(calls()).toEqual([]);
});

test('what fails is told with the program’s last words, and tried again in the next pass', async () => {
  const { carrier } = open();
  await carrier.ensure(planOf([2]), options);
  writeFileSync(join(directory, 'broken'), '');
  const report = await carrier.ensure(planOf([2, 3]), options);
  const reason = `Cannot run "${program} --mesh add": exit code 3: no luck`;
  expect([...report.failed].map(([name, error]) => [name, String((error as Error).message)])).toEqual([
    ['extension peer 10.244.3.0/24', reason],
  ]);
  rmSync(join(directory, 'broken'));
  expect((await carrier.ensure(planOf([2, 3]), options)).failed.size).toBe(0);
});

test('a slow program does not hold up the pass: what is not done is pending, and told when it is', async () => {
  writeFileSync(join(directory, 'slow'), '');
  const { carrier } = open();
  const report = await carrier.ensure(planOf([2]), options);
  expect(report.pending).toEqual(
    new Map([['extension peer 10.244.2.0/24', 'the program has yet to add it']]),
  );
  rmSync(join(directory, 'slow'));
  while (!carrier.changed()) await new Promise((resolve) => setTimeout(resolve, 20));
  const next = await carrier.ensure(planOf([2]), options);
  expect(next.changes.map(({ object }) => object)).toEqual(['extension', 'extension peer 10.244.2.0/24']);
  expect(carrier.changed()).toBe(false);
});

test('what it prints is for the others: asked once, as long as the question is the same', async () => {
  const { extension } = open();
  const config = sampleConfig({ backend: { Type: 'extension', Colour: 'blue' } });
  const { signal } = options;
  expect(await extension.printed(config, sampleUnderlay(), signal)).toBe('what I say');
  const input = readFileSync(join(directory, 'calls'), 'utf8');
  expect(JSON.parse(input.replace('--mesh advertise < ', ''))).toEqual({
    version: 1,
    network: '10.244.0.0/16',
    network6: null,
    options: { Type: 'extension', Colour: 'blue' },
    interface: { name: 'eth0', mtu: 1500, address: '192.0.2.1', address6: null },
  });
  await extension.printed(config, sampleUnderlay(), signal);
  expect(calls()).toHaveLength(1);
  await extension.printed(config, { ...sampleUnderlay(), mtu: 9000 }, signal);
  expect(calls()).toHaveLength(1);
  expect(await extension.printed(sampleConfig({}), sampleUnderlay(), signal)).toBeUndefined();
});

test('says too much, or is not there', async () => {
  const { extension } = open();
  const config = sampleConfig({ backend: { Type: 'extension' } });
  writeScript('head -c 5000 /dev/zero | tr "\\\\0" x');
  await expect(extension.printed(config, sampleUnderlay(), options.signal)).rejects.toThrow(
    `Cannot use what "${program} advertise" prints: 5000 characters, at most 4096 are taken`,
  );
  rmSync(program);
  await expect(extension.printed(config, sampleUnderlay(), options.signal)).rejects.toThrow('ENOENT');
});

test('flannel’s commands in the network’s configuration are not run', async () => {
  const backend = { Type: 'extension', PreStartupCommand: `touch ${join(directory, 'owned')}` };
  await expect(
    open(false).extension.printed(sampleConfig({ backend }), sampleUnderlay(), options.signal),
  ).rejects.toThrow(
    'Cannot run backend "extension": no program is named (--extension-program); commands of the network\'s configuration ("PreStartupCommand") are not run',
  );
  expect(existsSync(join(directory, 'owned'))).toBe(false);
});

test('a cleanup has all peers removed', async () => {
  await open().carrier.ensure(planOf([2, 3]), options);
  calls();
  const path = join(directory, 'state', 'extension.json');
  expect(addedPeers(path)).toEqual(['extension peer 10.244.2.0/24', 'extension peer 10.244.3.0/24']);
  const carrier = createExtensionCarrier({
    program: () => openExtensionProgram({ path: program, args: [], timeout: 10_000 }),
    path,
  });
  expect(await carrier.finish(options.signal)).toEqual(new Map());
  expect(calls()).toEqual(['remove 10.244.2.0/24', 'remove 10.244.3.0/24']);
  expect(addedPeers(path)).toEqual([]);
});
