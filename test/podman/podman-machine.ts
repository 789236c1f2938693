// A machine for podman, the real client of CNI plugins: namespaces of its own (network, mounts, processes), storage and
// configuration in a directory, an image made of busybox, and an outside behind a cable. All of it ends with its first process.
import { type ChildProcess, execFileSync, spawn } from 'node:child_process';
import { once } from 'node:events';
import {
  cpSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  realpathSync,
  rmdirSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { execute } from '../../kernel/exec.ts';
import { isRunning, readProcess, startDaemon } from '../../kernel/process.ts';
import { refuseRoot } from '../sandbox.ts';

/** The machine's address on the cable, and that of the outside. */
export const machineAddress = '172.16.0.1';
export const outsideAddress = '172.16.0.2';
const image = 'localhost/box';

export interface PodmanMachineOptions {
  /** Directories with plugins, searched in order; they may be made in the machine's directory. */
  readonly pluginDirectories: (directory: string) => readonly string[];
  /** The only network's list. */
  readonly list: (directory: string) => { readonly name: string };
}

export interface PodmanMachine extends AsyncDisposable {
  readonly directory: string;
  /** What podman prints. Rejects with its words. */
  podman(...args: readonly string[]): Promise<string>;
  /** `podman run` with these options; returns what the container prints, or its ID. */
  container(options: readonly string[], ...command: readonly string[]): Promise<string>;
  /** Runs a program in the machine. */
  run(...command: readonly string[]): Promise<string>;
  /** Starts a program in the machine that runs as long as it does; its output goes to a file. */
  start(program: string, ...args: readonly string[]): Promise<void>;
  /** Resolves when the file is there; rejects after 20 s. */
  waitFor(file: string): Promise<void>;
  /** In the machine's directory. */
  writeFile(name: string, text: string): void;
  /** Serves a page on the other end of the cable, port 80. */
  serveOutside(page: string): Promise<void>;
  /** Runs a program on the other end of the cable. */
  outside(...command: readonly string[]): Promise<string>;
}

/** Why podman cannot be tested on this machine; undefined: it can. */
export function whyNoPodman(): string | undefined {
  const lacking = ['podman', 'runc', 'busybox'].find((program) => findProgram(program) === undefined);
  if (lacking !== undefined) return `there is no ${lacking}`;
  if (readFileSync(busybox()).includes('/ld-linux')) return 'busybox is not linked statically';
  const major = Number(
    /version (\d+)/.exec(execFileSync('podman', ['--version'], { encoding: 'utf8' }))?.[1],
  );
  return major >= 5 ? `podman ${major} has no CNI backend` : undefined;
}

function findProgram(name: string): string | undefined {
  return path
    .split(':')
    .map((directory) => join(directory, name))
    .find(existsSync);
}

function busybox(): string {
  return findProgram('busybox') ?? 'busybox';
}

/** A tmpfs over /var/lib: podman's libcni keeps its results there, wherever the rest is. */
const setup = `
mount -t tmpfs -o mode=0755 machine /run
mount -t tmpfs -o mode=0755 machine /var/lib
mkdir -p /run/netns /run/lock
ip link set lo up
ip netns add outside
ip link add under0 type veth peer name eth0 netns outside
ip addr add ${machineAddress}/24 dev under0
ip link set under0 up
ip -n outside link set lo up
ip -n outside addr add ${outsideAddress}/24 dev eth0
ip -n outside link set eth0 up
echo ready
exec sleep infinity`;

export async function startPodmanMachine({
  pluginDirectories,
  list,
}: PodmanMachineOptions): Promise<PodmanMachine> {
  refuseRoot();
  const directory = mkdtempSync(join(tmpdir(), 'netloom-podman-'));
  const cgroup = `netloom-podman-${process.pid}-${Date.now()}`;
  const shell = spawn(
    'unshare',
    [
      '--mount',
      '--propagation=private',
      '--net',
      '--pid',
      '--fork',
      '--kill-child',
      '--mount-proc',
      'sh',
      '-euc',
      setup,
    ],
    { stdio: ['ignore', 'pipe', 'inherit'] },
  );
  const dispose = async (): Promise<void> => {
    await end(shell);
    removeCgroups(cgroup);
    rmSync(directory, { recursive: true, force: true });
  };
  try {
    const pid = await firstProcess(shell);
    const enter = ['nsenter', `--target=${pid}`, '--mount', '--net', '--pid', '--'] as const;
    const run = async (...command: readonly string[]): Promise<string> =>
      (await execute([...enter, ...command] as const, { timeout: 60_000 })).stdout;
    const start = async (...command: readonly string[]): Promise<void> => {
      await startDaemon([...enter, ...command], { logFile: join(directory, 'daemons.log') });
    };
    const writeFile = (name: string, text: string): void => {
      mkdirSync(dirname(join(directory, name)), { recursive: true });
      writeFileSync(join(directory, name), text);
    };
    const waitFor = (file: string) => waitUntil(async () => existsSync(file), `${file} is there`);
    const configuration = writeConfiguration(directory, {
      pluginDirectories: pluginDirectories(directory),
      list: list(directory),
    });
    const podman = (...args: readonly string[]): Promise<string> =>
      run(
        'env',
        '-i',
        `PATH=${path}`,
        `HOME=${directory}`,
        `CONTAINERS_CONF=${configuration}`,
        'podman',
        `--root=${directory}/root`,
        `--runroot=${directory}/runroot`,
        `--tmpdir=${directory}/tmp`,
        '--storage-driver=vfs',
        ...args,
      );
    await podman('import', writeImage(directory), image);
    return {
      directory,
      podman,
      container: (options, ...command) =>
        podman('run', `--cgroup-parent=/${cgroup}`, ...options, image, ...command),
      run,
      start,
      waitFor,
      writeFile,
      async serveOutside(page) {
        writeFile('outside/index.html', page);
        await start(...toOutside, 'busybox', 'httpd', '-f', '-p', '80', '-h', join(directory, 'outside'));
        await waitUntil(
          async () => (await run(...toOutside, 'ss', '-ltnH')).includes(':80'),
          'the outside serves',
        );
      },
      outside: (...command) => run(...toOutside, ...command),
      [Symbol.asyncDispose]: dispose,
    };
  } catch (error) {
    await dispose();
    throw error;
  }
}

const toOutside = ['nsenter', '--net=/run/netns/outside', '--'] as const;

const path = '/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin';

export async function waitUntil(condition: () => Promise<boolean>, what: string): Promise<void> {
  const deadline = performance.now() + 20_000;
  while (!(await condition())) {
    if (performance.now() > deadline) throw new Error(`Waited in vain until ${what}`);
    await sleep(50);
  }
}

/** The process that all others of the machine descend from. */
async function firstProcess(shell: ChildProcess): Promise<number> {
  const [line] = shell.stdout === null ? [''] : await once(shell.stdout, 'data');
  if (!String(line).startsWith('ready')) throw new Error(`The machine for podman did not start: ${line}`);
  return Number(readFileSync(`/proc/${shell.pid}/task/${shell.pid}/children`, 'utf8').trim());
}

async function end(shell: ChildProcess): Promise<void> {
  const children = shell.pid === undefined ? [] : childrenOf(shell.pid);
  if (shell.exitCode === null && shell.signalCode === null) {
    shell.kill('SIGKILL');
    await once(shell, 'exit');
  }
  // With its first process gone, the kernel kills all that the namespace holds before it lets that process go.
  while (children.some((child) => isRunning(child))) await sleep(20);
}

function childrenOf(pid: number) {
  const pids = readFileSync(`/proc/${pid}/task/${pid}/children`, 'utf8').trim().split(' ');
  return pids.map((child) => readProcess(Number(child))).filter((entry) => entry !== undefined);
}

function writeConfiguration(
  directory: string,
  options: { readonly pluginDirectories: readonly string[]; readonly list: { readonly name: string } },
): string {
  const networks = join(directory, 'net.d');
  mkdirSync(networks);
  writeFileSync(join(networks, `${options.list.name}.conflist`), JSON.stringify(options.list));
  const file = join(directory, 'containers.conf');
  writeFileSync(
    file,
    `[containers]
default_ulimits = ["nofile=1024:1024", "nproc=1024:1024"]
[engine]
cgroup_manager = "cgroupfs"
events_logger = "file"
runtime = "runc"
[network]
network_backend = "cni"
cni_plugin_dirs = ${JSON.stringify(options.pluginDirectories)}
network_config_dir = "${networks}"
default_network = "${options.list.name}"
`,
  );
  return file;
}

/** A tarball of busybox and its names. */
function writeImage(directory: string): string {
  const root = join(directory, 'image');
  mkdirSync(join(root, 'bin'), { recursive: true });
  mkdirSync(join(root, 'www'));
  writeFileSync(join(root, 'www', 'index.html'), 'hello from a container\n');
  cpSync(realpathSync(busybox()), join(root, 'bin', 'busybox'));
  for (const name of ['sh', 'ip', 'cat', 'httpd', 'wget', 'true', 'sleep'])
    symlinkSync('busybox', join(root, 'bin', name));
  const tarball = join(directory, 'image.tar');
  execFileSync('tar', ['-C', root, '-cf', tarball, '.']);
  return tarball;
}

/** In every hierarchy, the children first. */
function removeCgroups(name: string): void {
  const remove = (directory: string): void => {
    for (const entry of readdirSync(directory, { withFileTypes: true }))
      if (entry.isDirectory()) remove(join(directory, entry.name));
    rmdirSync(directory);
  };
  const root = '/sys/fs/cgroup';
  for (const hierarchy of ['.', ...readdirSync(root)]) {
    try {
      remove(join(root, hierarchy, name));
    } catch {
      // Not a hierarchy, or one that podman did not use.
    }
  }
}
