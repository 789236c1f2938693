// A release is installed below a root, its agents run, pods exchange packets; another version takes over and gives way again, and no packet is lost. Then
// all is taken away: node and root are as before. The releases are what scripts/release makes, with Node in them.
import { type ChildProcess, execFileSync, spawn } from 'node:child_process';
import {
  cpSync,
  lstatSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  readlinkSync,
  realpathSync,
  rmSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, test } from '@jest/globals';
import { LibCni } from '../../cli/libcni/libcni.ts';
import { conflistText } from '../../cni/conflist.ts';
import { run, TestCluster, type TestNode, until } from '../agent/cluster.ts';
import { refuseRoot, type TestNetns, testNetns } from '../sandbox.ts';

const checkout = new URL('../..', import.meta.url).pathname;
const versions = { old: '0.0.1~old', new: '0.0.2~new' };

let place: string;
let root: string;
beforeAll(() => {
  refuseRoot();
  place = mkdtempSync(join(tmpdir(), 'netloom-upgrade-'));
  root = join(place, 'node');
  mkdirSync(join(root, 'etc'), { recursive: true });
  const [first, second] = Object.values(versions).map((version) => join(place, version));
  if (first === undefined || second === undefined) throw new Error('Cannot make two releases');
  execFileSync(join(checkout, 'scripts/release'), [first, '--version', versions.old], {
    stdio: ['ignore', 'ignore', 'inherit'],
  });
  // Another build of the same sources: only its name and what it says of itself differ.
  cpSync(first, second, { recursive: true });
  writeFileSync(
    join(second, 'package.json'),
    readFileSync(join(first, 'package.json'), 'utf8').replace(versions.old, versions.new),
  );
  // The launcher looks there for the plugin. In this sandbox's own mount namespace, and nowhere else.
  run('mount -t tmpfs netloom-test /opt');
  mkdirSync('/opt/netloom');
  mkdirSync(join(root, 'opt/netloom'), { recursive: true });
  run(`mount --bind ${root}/opt/netloom /opt/netloom`);
});
afterAll(() => {
  run('umount /opt/netloom', { quiet: true });
  run('umount /opt', { quiet: true });
  rmSync(place, { recursive: true, force: true });
});

const netloom = (release: string, ...args: readonly string[]): string =>
  execFileSync(join(release, 'scripts/netloom'), args, { encoding: 'utf8' });

/** As an operator: the release's own command. */
const install = (version: string): string =>
  netloom(
    readdirSync(join(root, 'opt/netloom')).includes(version)
      ? join(root, 'opt/netloom', version)
      : join(place, version),
    'install',
    '--root',
    root,
  );

function look(directory: string, prefix = ''): readonly string[] {
  return readdirSync(directory)
    .sort()
    .flatMap((name) => {
      const path = join(directory, name);
      const stats = lstatSync(path);
      if (stats.isSymbolicLink()) return [`${prefix}/${name} -> ${readlinkSync(path)}`];
      return stats.isDirectory()
        ? [`${prefix}/${name}/`, ...look(path, `${prefix}/${name}`)]
        : [`${prefix}/${name} ${stats.size}`];
    });
}

/** All of a namespace that a daemon could have changed, without what differs from moment to moment. */
function everything({ place: { name } }: TestNode): string {
  const inside = (command: string): string => run(`ip netns exec ${name} ${command}`);
  return [
    run(`ip -n ${name} -o link show`),
    run(`ip -n ${name} -o address show`).replace(/valid_lft.*/g, ''),
    run(`ip -n ${name} route show table all`),
    run(`ip -n ${name} -6 route show table all`),
    run(`ip -n ${name} rule show`),
    inside('nft list ruleset').replace(/counter packets \d+ bytes \d+/g, 'counter'),
    inside('sysctl -a --pattern ^net[.](ipv4|ipv6|bridge)[.]').replace(
      /^.*(?:stable_secret|random_|\.entropy|conf\.all\.seg6).*$\n?/gm,
      '',
    ),
  ].join('\n');
}

function runtimeOf(node: TestNode): LibCni {
  const list = conflistText({
    bridge: 'cni0',
    runDirectory: join(node.directory, 'run'),
    stateDirectory: join(node.directory, 'state'),
    subnetFile: node.subnetFile,
    ipamDirectory: join(node.directory, 'ipam'),
  });
  return new LibCni({
    list: JSON.parse(list),
    pluginDirectories: [join(root, 'opt/cni/bin')],
    cacheDirectory: join(node.directory, 'results'),
    hostNetns: node.place.netns.path,
  });
}

interface Pod {
  readonly netns: TestNetns;
  readonly address: string;
}

async function addPod(node: TestNode, containerId: string): Promise<Pod> {
  const netns = testNetns();
  const result = await runtimeOf(node).add({ containerId, netns: netns.netns.path, ifname: 'eth0' });
  const address = /"address":\s*"([\d.]+)\//.exec(JSON.stringify(result))?.[1] ?? '';
  return { netns, address };
}

/** A hundred packets a second, until it is stopped; then what was sent and what came back. */
class Exchange {
  readonly #ping: ChildProcess;
  #printed = '';

  constructor(from: Pod, to: Pod) {
    const args = ['netns', 'exec', from.netns.name, 'ping', '-n', '-q', '-i', '0.01', '-W', '5', to.address];
    this.#ping = spawn('ip', args, { stdio: ['ignore', 'pipe', 'inherit'] });
    this.#ping.stdout?.on('data', (data: Buffer) => {
      this.#printed += data.toString();
    });
  }

  async stop(): Promise<{ readonly sent: number; readonly received: number }> {
    const ended = new Promise((resolve) => this.#ping.once('close', resolve));
    this.#ping.kill('SIGINT');
    await ended;
    const [, sent, received] = /(\d+) packets transmitted, (\d+) received/.exec(this.#printed) ?? [];
    return { sent: Number(sent), received: Number(received) };
  }
}

/** The version that the node's daemon runs, as its command line tells. */
const runningVersion = (node: TestNode): string =>
  /\/opt\/netloom\/([^/]+)\/build\/program\/cli\/main\.cjs/.exec(
    readFileSync(`/proc/${node.agent?.pid}/cmdline`, 'utf8'),
  )?.[1] ?? '';

test('upgrade and rollback lose no packet, and what was installed can be taken away', async () => {
  const rootBefore = look(root);
  const cluster = new TestCluster({ nodes: 2, program: join(root, 'opt/netloom/current/scripts/netloom') });
  const [first, second] = cluster.nodes;
  if (first === undefined || second === undefined) throw new Error('Cannot find two nodes');
  const pods: Pod[] = [];
  try {
    // The kernel looks for a while whether somebody else has the link's own address.
    await until(
      () => run(`ip -n ${first.place.name} -o address show tentative`) === '',
      () => 'an address is tentative',
    );
    const before = everything(first);
    install(versions.old);
    expect(install(versions.old)).toContain('nothing to change');
    await cluster.up();
    expect(runningVersion(first)).toBe(versions.old);
    const here = await addPod(first, 'here');
    const beside = await addPod(first, 'beside');
    const there = await addPod(second, 'there');
    pods.push(here, beside, there);
    const exchanges = [new Exchange(here, there), new Exchange(here, beside), new Exchange(there, beside)];
    const restart = async (version: string, away: () => Promise<void>) => {
      for (const node of [first, second]) {
        expect(await cluster.stop(node)).toBe(0);
        if (node === first) await away();
        cluster.start(node);
        await cluster.ready(node, 1);
        // A shell, first, that becomes Node.
        await until(
          () => runningVersion(node) === version,
          () => `"${runningVersion(node)}" runs, not "${version}"`,
        );
      }
    };
    const nothing = () => Promise.resolve();
    // Beside the old one, which goes on.
    install(versions.new);
    expect(runningVersion(first)).toBe(versions.old);
    expect(realpathSync(join(root, 'opt/netloom/current'))).toBe(join(root, 'opt/netloom', versions.new));
    // A pod comes while no agent is there: the launcher finds the new version's plugin.
    await restart(versions.new, async () => void pods.push(await addPod(first, 'meanwhile')));
    install(versions.old);
    await restart(versions.old, nothing);
    const results = await Promise.all(exchanges.map((exchange) => exchange.stop()));
    for (const { sent, received } of results) {
      expect(sent).toBeGreaterThan(100);
      expect({ sent, received }).toEqual({ sent, received: sent });
    }
    process.stderr.write(`    packets sent and answered: ${results.map(({ sent }) => sent).join(', ')}\n`);
    await runtimeOf(first).del({ containerId: 'beside', netns: beside.netns.netns.path, ifname: 'eth0' });

    for (const node of [first, second]) expect(await cluster.stop(node)).toBe(0);
    const cleanup = [
      'ip',
      'netns',
      'exec',
      first.place.name,
      join(root, 'opt/netloom/current/scripts/netloom'),
      'cleanup',
    ];
    const known =
      /^--(?:node-name|store-directory|run-directory|state-directory|subnet-file|ipam-directory)=/;
    const [program = '', ...args] = [...cleanup, ...first.flags.filter((flag) => known.test(flag))];
    const said = execFileSync(program, args, { encoding: 'utf8' });
    expect(said).not.toMatch(/^(?:left|failed)/m);
    expect(everything(first)).toBe(before);
    netloom(join(root, 'opt/netloom/current'), 'uninstall', '--root', root);
    // What was a mount point in this test stays.
    expect(look(root)).toEqual(rootBefore);
  } finally {
    await cluster.close();
    for (const pod of pods) pod.netns[Symbol.dispose]();
  }
});
