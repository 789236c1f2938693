// The units' confinement, as far as it can be had without systemd: the daemons run as ExecStart says, with default settings, the unit's capabilities and no
// others, and a file system that is read-only but where the unit says. System calls are not filtered here.
import { type ChildProcess, execFileSync, spawn, spawnSync } from 'node:child_process';
import { existsSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { afterAll, afterEach, beforeAll, expect, test } from '@jest/globals';
import { unixRequest } from '../../runtime/unix-request.ts';
import { run, until } from '../agent/cluster.ts';
import { refuseRoot, type TestNetns, testNetns } from '../sandbox.ts';

const checkout = new URL('../..', import.meta.url).pathname;
let place: string;
let root: string;
let node: TestNetns;
let daemon: ChildProcess | undefined;

/** Values of a key in a unit, in the order in which they stand there. */
function valuesOf(unit: string, key: string): readonly string[] {
  const lines = readFileSync(join(checkout, 'deploy/systemd', `${unit}.service`), 'utf8').split('\n');
  return lines
    .filter((line) => line.startsWith(`${key}=`))
    .flatMap((line) => line.slice(key.length + 1).split(' '));
}

beforeAll(() => {
  refuseRoot();
  place = mkdtempSync(join(tmpdir(), 'netloom-units-'));
  execFileSync(join(checkout, 'scripts/release'), [join(place, 'release'), '--version', '0.0.1'], {
    stdio: ['ignore', 'ignore', 'inherit'],
  });
  root = join(place, 'root');
  for (const name of ['root', 'over', 'work']) mkdirSync(join(place, name));
  run(`mount -t overlay -o lowerdir=/,upperdir=${place}/over,workdir=${place}/work netloom-test ${root}`);
  run(`mount --bind /proc ${root}/proc`);
  run(`mount --bind /dev ${root}/dev`);
  run(`mount -t tmpfs netloom-test ${root}/run`);
  // Before it is mounted there: what comes later is seen there too.
  node = testNetns();
  mkdirSync(`${root}/run/netns`);
  run(`mount --bind /run/netns ${root}/run/netns`);
  for (const path of ['opt/netloom', 'etc/netloom', 'etc/cni', 'var/lib/netloom', 'var/lib/cni'])
    rmSync(join(root, path), { recursive: true, force: true });
  execFileSync(join(place, 'release/scripts/netloom'), ['install', '--root', root]);
  // What an operator would do: the network's configuration, and a line of settings.
  const settings = join(root, 'etc/netloom/netloom.yaml');
  writeFileSync(settings, `${readFileSync(settings, 'utf8')}\nnodeName: one\niface: [eth0]\n`);
  writeFileSync(
    join(root, 'var/lib/netloom/leases/config'),
    '{"Network": "10.244.0.0/16", "Backend": {"Type": "vxlan"}}',
  );
  run(`ip -n ${node.name} link set lo up`);
  run(`ip -n ${node.name} link add eth0 type dummy`, { quiet: true });
  // Kernels without dummy links have pairs.
  run(`ip -n ${node.name} link add eth0 type veth peer name other`, { quiet: true });
  run(`ip -n ${node.name} link set eth0 up`);
  run(`ip -n ${node.name} link set other up`, { quiet: true });
  run(`ip -n ${node.name} address add 192.0.2.1/24 dev eth0`);
});
afterEach(async () => {
  await stop();
});
afterAll(() => {
  node[Symbol.dispose]();
  for (const path of ['run/netns', 'run', 'proc', 'dev', ''])
    run(`umount ${join(root, path)}`, { quiet: true });
  rmSync(place, { recursive: true, force: true });
});

async function stop(): Promise<number | null | undefined> {
  if (daemon === undefined || daemon.exitCode !== null) return daemon?.exitCode;
  const process = daemon;
  daemon = undefined;
  const ended = new Promise<number | null>((resolve) => process.once('exit', (code) => resolve(code)));
  process.kill('SIGTERM');
  return await ended;
}

test.each(['netloom', 'netloom-agent', 'netloom-proxy'])(
  '%s starts where none of its paths is there yet',
  (unit) => {
    // systemd looks for them before the first ExecStartPre: seen by vagrant/package-check, where there is a systemd.
    for (const path of valuesOf(unit, 'ReadWritePaths')) expect(path).toMatch(/^-/);
  },
);

let said = '';

/** As systemd would, in the node's namespace. `more` are further flags. */
function start(unit: string, more: readonly string[] = []): void {
  const writable = [
    ...valuesOf(unit, 'RuntimeDirectory').map((name) => `/run/${name}`),
    ...valuesOf(unit, 'StateDirectory').map((name) => `/var/lib/${name}`),
    ...valuesOf(unit, 'CacheDirectory').map((name) => `/var/cache/${name}`),
    ...valuesOf(unit, 'ReadWritePaths').map((path) => path.replace(/^-/, '')),
  ];
  for (const path of writable.map((name) => join(root, name))) {
    mkdirSync(path.endsWith('.lock') ? dirname(path) : path, {
      recursive: true,
      mode: path.endsWith('/run/netloom') ? 0o700 : 0o755,
    });
    if (path.endsWith('.lock')) writeFileSync(path, '');
  }
  const capabilities = valuesOf(unit, 'CapabilityBoundingSet').map(
    (name) => `+${name.replace('CAP_', '').toLowerCase()}`,
  );
  const environment = valuesOf(unit, 'Environment');
  const script = [
    'set -eu; root=$1; shift',
    ...writable.map((path) => `mount --bind "$root${path}" "$root${path}"`),
    'mount -o remount,bind,ro "$root"; mount -o remount,bind,ro "$root/run"',
    `umask ${valuesOf(unit, 'UMask')[0]}`,
    `exec chroot "$root" setpriv --no-new-privs --bounding-set=-all,${capabilities.join(',')} env -i PATH=/usr/sbin:/usr/bin:/sbin:/bin ${environment.join(' ')} "$@"`,
  ].join('\n');
  // Of the whole machine, not of a namespace; and what the unit has set, with more rights than the daemon has.
  const limits =
    unit === 'netloom-agent' ? [] : ['--conntrack-max-per-core=0', '--conntrack-min=0', '--oom-score-adj=0'];
  const command = [...valuesOf(unit, 'ExecStart'), ...limits, ...more];
  said = '';
  daemon = spawn(
    'nsenter',
    [
      `--net=/run/netns/${node.name}`,
      'unshare',
      '--mount',
      '--propagation',
      'slave',
      'sh',
      '-c',
      script,
      'sh',
      root,
      ...command,
    ],
    {
      stdio: ['ignore', 'pipe', 'pipe'],
    },
  );
  for (const stream of [daemon.stdout, daemon.stderr])
    stream?.on('data', (data: Buffer) => {
      said += data.toString();
    });
}

async function untilReady(socket: string): Promise<void> {
  let last = '';
  await until(
    async () => {
      if (daemon?.exitCode !== null) throw new Error(`The daemon ended: ${said}`);
      try {
        const { body } = await unixRequest({
          socketPath: join(root, 'run/netloom', socket),
          path: '/status',
          timeoutMs: 2000,
        });
        last = JSON.stringify(body);
        return /"ready":\s*true/.test(last);
      } catch {
        return false;
      }
    },
    () => `not ready: ${last}\n${said}`,
  );
}

/** What the log complains of. */
const complaints = (): readonly string[] =>
  said.split('\n').filter((line) => /"level":(?:[4-6]0|"(?:warn|error|fatal)")/.test(line));

function plugin(command: string, pod: TestNetns): string {
  const list = JSON.parse(readFileSync(join(root, 'etc/cni/net.d/10-netloom.conflist'), 'utf8'));
  const input = JSON.stringify({ ...list.plugins[0], name: list.name, cniVersion: list.cniVersion });
  const env = {
    CNI_COMMAND: command,
    CNI_CONTAINERID: 'one',
    CNI_NETNS: `/run/netns/${pod.name}`,
    CNI_IFNAME: 'eth0',
    CNI_PATH: '/opt/cni/bin',
    PATH: '/usr/sbin:/usr/bin:/sbin:/bin',
  };
  const args = [`--net=/run/netns/${node.name}`, 'chroot', root, '/opt/cni/bin/netloom-cni'];
  const { status, stdout } = spawnSync('nsenter', args, { input, env, encoding: 'utf8' });
  expect({ command, status, stdout }).toMatchObject({ command, status: 0 });
  return stdout;
}

test.each([
  ['netloom', ['netloom.sock', 'proxy.sock'], ['--masquerade=nftables', '--proxy-mode=nftables']],
  ['netloom', ['netloom.sock', 'proxy.sock'], ['--masquerade=iptables', '--proxy-mode=iptables']],
  ['netloom-agent', ['netloom.sock'], []],
  ['netloom-proxy', ['proxy.sock'], []],
  ['netloom-proxy', ['proxy.sock'], ['--proxy-mode=iptables']],
])('%s works with what its unit leaves it: %j %j', async (unit, sockets, flags) => {
  start(unit, flags);
  for (const socket of sockets) await untilReady(socket);
  expect(complaints()).toEqual([]);
  // It is confined, indeed.
  const status = readFileSync(`/proc/${daemon?.pid}/status`, 'utf8');
  expect(status).toMatch(/^NoNewPrivs:\t1$/m);
  expect(
    Number.parseInt(/^CapEff:\t(\w+)/m.exec(status)?.[1] ?? '', 16)
      .toString(2)
      .replaceAll('0', ''),
  ).toHaveLength(valuesOf(unit, 'CapabilityBoundingSet').length);
  expect(
    execFileSync(
      'nsenter',
      ['--mount', `--target=${daemon?.pid}`, 'findmnt', '--noheadings', '--output', 'OPTIONS', root],
      { encoding: 'utf8' },
    ),
  ).toMatch(/^ro\b/);
  if (sockets.includes('netloom.sock')) {
    using pod = testNetns();
    expect(JSON.parse(plugin('ADD', pod))).toMatchObject({
      ips: [{ address: expect.stringMatching(/^10\.244\./) }],
    });
    plugin('DEL', pod);
    expect(existsSync(join(root, 'run/flannel/subnet.env'))).toBe(true);
  }
  expect(await stop()).toBe(0);
});

test('the plugin is installed without any capability: the init container of deploy/netloom.yml has none', () => {
  const host = join(place, 'host');
  mkdirSync(host);
  const none = [
    '--no-new-privs',
    '--bounding-set=-all',
    '--inh-caps=-all',
    join(place, 'release/scripts/netloom'),
  ];
  const install = (): string =>
    execFileSync('setpriv', [...none, 'install', '--root', host, '--plugin-only'], { encoding: 'utf8' });
  expect(install()).toContain('done  ln -s 0.0.1 /opt/netloom/current');
  expect(install()).toContain('nothing to change');
  const launcher = readFileSync(join(host, 'opt/cni/bin/netloom-cni'));
  expect(launcher.equals(readFileSync(join(place, 'release/build/netloom-cni')))).toBe(true);
});
