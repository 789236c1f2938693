// The plugin behind a real client: podman runs containers through a list with ours in it, and through the reference's own, which
// shows that the tests ask for nothing but what everybody does.
import { existsSync, mkdirSync, readdirSync, symlinkSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, afterEach, beforeAll, describe, expect, test } from '@jest/globals';
import { referenceDirectory } from '../cni/reference-plugins.ts';
import {
  machineAddress,
  outsideAddress,
  type PodmanMachine,
  startPodmanMachine,
  waitUntil,
  whyNoPodman,
} from './podman-machine.ts';

const network = 'test';
const gateway = '10.99.0.1';
const executable = new URL('../../scripts/netloom-cni', import.meta.url).pathname;
const launcher = new URL('../../build/netloom-cni', import.meta.url).pathname;
const netloom = new URL('../../scripts/netloom', import.meta.url).pathname;

/** What podman writes for a network of its own: bridge, portmap, firewall, tuning. */
const bridgeOptions = (directory: string) => ({
  bridge: 'cni-podman9',
  isGateway: true,
  ipMasq: true,
  hairpinMode: true,
  ipam: {
    type: 'host-local',
    dataDir: join(directory, 'networks'),
    routes: [{ dst: '0.0.0.0/0' }],
    ranges: [[{ subnet: '10.99.0.0/24', gateway }]],
  },
});
const behind = [{ type: 'firewall', backend: '' }, { type: 'tuning' }];

const referenceList = (directory: string) => ({
  cniVersion: '0.4.0',
  name: network,
  plugins: [
    { type: 'bridge', ...bridgeOptions(directory) },
    { type: 'portmap', capabilities: { portMappings: true } },
    ...behind,
  ],
});

const ourList = (directory: string) => ({
  cniVersion: '0.4.0',
  name: network,
  plugins: [
    {
      type: 'netloom-cni',
      ...bridgeOptions(directory),
      capabilities: { portMappings: true, ips: true, mac: true },
      runDirectory: join(directory, 'run-netloom'),
      stateDirectory: join(directory, 'state'),
      subnetFile: join(directory, 'subnet.env'),
    },
    ...behind,
  ],
});

const clients = [
  { name: 'the reference plugins', list: referenceList, ours: false, agent: false },
  { name: 'netloom-cni without the agent', list: ourList, ours: true, agent: false },
  { name: 'netloom-cni through the agent', list: ourList, ours: true, agent: true },
];

const why =
  whyNoPodman() ?? (referenceDirectory === undefined ? 'there are no reference plugins' : undefined);

describe.each(why === undefined ? clients : [])('podman with $name', ({ list, ours, agent }) => {
  let machine: PodmanMachine;
  beforeAll(async () => {
    machine = await startPodmanMachine({
      list,
      pluginDirectories: (directory) => [
        ...(ours ? [ownDirectory(directory)] : []),
        referenceDirectory ?? '',
      ],
    });
    if (agent) await startAgent(machine);
    await machine.serveOutside('hello from outside\n');
  });
  afterAll(async () => {
    await machine?.[Symbol.asyncDispose]();
  });
  afterEach(async () => {
    await machine.podman('rm', '--force', '--all', '--time=0');
  });

  // Its own -T makes Debian's busybox crash.
  const fetch = (url: string) =>
    ['busybox', 'timeout', '5', 'busybox', 'wget', '-q', '-O', '-', url] as const;
  /** Started, and answering inside: podman says so when the process runs, not when it listens. */
  const web = async (...options: readonly string[]) => {
    const id = (
      await machine.container(['--detach', ...options], 'httpd', '-f', '-p', '80', '-h', '/www')
    ).trim();
    await waitUntil(
      () =>
        machine.podman('exec', id, ...fetch('http://127.0.0.1/')).then(
          () => true,
          () => false,
        ),
      `the server in container ${id} answers`,
    );
  };
  const addressOf = async (name: string) =>
    (
      await machine.podman(
        'inspect',
        '--format',
        `{{(index .NetworkSettings.Networks "${network}").IPAddress}}`,
        name,
      )
    ).trim();
  /** All that is left of containers, wherever it may be. */
  const remains = async () => ({
    links: (await machine.run('ip', '-o', 'link')).split('\n').filter((line) => line.includes('master cni')),
    addresses: filesIn(join(machine.directory, 'networks', network)).filter((name) => /^10\./.test(name)),
    results: (await machine.run('find', '/var/lib/cni', '-path', '*results*', '-type', 'f')).trim(),
    records: filesIn(join(machine.directory, 'run-netloom', 'attachments')),
    queue: filesIn(join(machine.directory, 'state', 'del-queue')),
    // Of iptables a rule, of nftables an element: our tables stay, without a word of anybody.
    rules: (await rules()).filter((line) =>
      /10\.99\.0\.([2-9]|\d\d)|--dports? |comment "[0-9a-f]{32}"/.test(line),
    ),
  });
  const rules = async () =>
    [await machine.run('iptables-save'), await machine.run('nft', 'list', 'ruleset')].join('\n').split('\n');
  const nothing = { links: [], addresses: [], results: '', records: [], queue: [], rules: [] };

  test('a container has the address that podman shows, and reaches the outside as the machine', async () => {
    await web('--name=one');
    const address = await addressOf('one');
    expect(address).toMatch(/^10\.99\.0\.\d+$/);
    expect(await machine.podman('exec', 'one', 'ip', '-4', 'addr', 'show', 'eth0')).toContain(
      `${address}/24`,
    );
    expect(await machine.podman('exec', 'one', 'ip', 'route')).toContain(`default via ${gateway}`);
    // The outside has no route back: what comes to it must have the machine's address.
    expect(await machine.podman('exec', 'one', ...fetch(`http://${outsideAddress}/`))).toBe(
      'hello from outside\n',
    );
  });

  test('a published port is reached from the machine, the outside and a container', async () => {
    await web('--name=one', '--publish=18080:80', `--publish=${machineAddress}:18081:80/tcp`);
    const expected = 'hello from a container\n';
    for (const url of [
      `http://127.0.0.1:18080/`,
      `http://${machineAddress}:18080/`,
      `http://${machineAddress}:18081/`,
    ])
      expect(await machine.run(...fetch(url))).toBe(expected);
    for (const port of [18080, 18081])
      expect(await machine.outside(...fetch(`http://${machineAddress}:${port}/`))).toBe(expected);
    expect(await machine.podman('exec', 'one', ...fetch(`http://${machineAddress}:18080/`))).toBe(expected);
    await expect(machine.outside(...fetch(`http://${machineAddress}:18082/`))).rejects.toThrow();
  });

  test('two containers reach each other', async () => {
    await web('--name=one');
    await web('--name=two');
    for (const [from, to] of [
      ['one', 'two'],
      ['two', 'one'],
    ] as const)
      expect(await machine.podman('exec', from, ...fetch(`http://${await addressOf(to)}/`))).toBe(
        'hello from a container\n',
      );
  });

  test('a static address and a MAC address', async () => {
    await web('--name=one', '--ip=10.99.0.77', '--mac-address=02:11:22:33:44:55');
    expect(await addressOf('one')).toBe('10.99.0.77');
    const link = await machine.podman('exec', 'one', 'ip', 'addr', 'show', 'eth0');
    expect(link).toContain('10.99.0.77/24');
    expect(link).toContain('02:11:22:33:44:55');
    await expect(web('--name=two', '--ip=10.99.0.77')).rejects.toThrow();
  });

  test('a reload puts back what somebody flushed', async () => {
    await web('--name=one', '--publish=18080:80');
    const address = await addressOf('one');
    await machine.run('nft', 'flush', 'ruleset');
    const asked = () => machine.outside(...fetch(`http://${machineAddress}:18080/`));
    // The agent waits for no reload, and may be quicker than the question.
    if (!agent) await expect(asked()).rejects.toThrow();
    await machine.podman('network', 'reload', 'one');
    expect(await addressOf('one')).toBe(address);
    expect(await asked()).toBe('hello from a container\n');
  });

  test('a container that is removed leaves nothing', async () => {
    await web('--name=one', '--publish=18080:80');
    const before = await remains();
    expect(before.links).toHaveLength(1);
    expect(before.addresses).toHaveLength(1);
    expect(before.rules).not.toEqual([]);
    expect(before.records).toHaveLength(ours ? 1 : 0);
    await machine.podman('rm', '--force', '--time=0', 'one');
    expect(await remains()).toEqual(nothing);
  });

  // Few for the reference's own, which are here to show that the test asks for nothing unusual.
  const many = ours ? 25 : 10;
  test(`${many} containers that come and go, five at a time, leave nothing`, async () => {
    let left = many;
    const worker = async () => {
      while (left-- > 0) await machine.container(['--rm', `--publish=${20000 + left}:80`], 'true');
    };
    await Promise.all(Array.from({ length: 5 }, worker));
    expect(await remains()).toEqual(nothing);
    // A second and more for each, on a machine that also emulates others meanwhile.
  }, 400_000);

  test('the network is listed and inspected, which asks all plugins for VERSION', async () => {
    expect(await machine.podman('network', 'ls', '--format', '{{.Name}}')).toContain(`${network}\n`);
    const [inspected] = JSON.parse(await machine.podman('network', 'inspect', network));
    expect(inspected.name).toBe(network);
  });
});

if (why !== undefined) test.skip(`podman as a client: ${why}`, () => undefined);

/** Ours under its type, as an administrator would install it. */
function ownDirectory(directory: string): string {
  const own = join(directory, 'plugins');
  mkdirSync(own, { recursive: true });
  symlinkSync(existsSync(launcher) ? launcher : executable, join(own, 'netloom-cni'));
  return own;
}

async function startAgent(machine: PodmanMachine): Promise<void> {
  const { directory } = machine;
  machine.writeFile(
    'leases/config',
    JSON.stringify({ Network: '10.244.0.0/16', Backend: { Type: 'host-gw' } }),
  );
  await machine.start(
    netloom,
    'agent',
    '--node-name=machine',
    `--store-directory=${directory}/leases`,
    `--run-directory=${directory}/run-netloom`,
    `--state-directory=${directory}/state`,
    `--subnet-file=${directory}/subnet.env`,
    `--ipam-directory=${directory}/networks`,
    '--cni-conf-directory=',
    '--iface=under0',
  );
  await machine.waitFor(join(directory, 'run-netloom', 'netloom.sock'));
}

function filesIn(directory: string): readonly string[] {
  return existsSync(directory) ? readdirSync(directory) : [];
}
