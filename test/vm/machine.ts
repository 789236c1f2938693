// Virtual machines for tests, driven from this machine through scripts/vm: started, told to run commands, rebooted, cut from power.
// What runs in them is not known here.
import { mkdirSync, mkdtempSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { test } from '@jest/globals';
import { type Executed, execute } from '../../kernel/exec.ts';
import { type TestNetns, testNetns } from '../sandbox.ts';

const script = fileURLToPath(new URL('../../scripts/vm', import.meta.url));
const usualKernel = '6.1';
const anyCode = Array.from({ length: 256 }, (_, code) => code);

/** Emulated, and on a busy machine: what takes a second elsewhere may take this many. */
const minutes = 60_000;

/** Why no machine can be had here, as scripts/test found out: of each kernel that cannot, a line "6.1 REASON". */
const lacking = new Map(
  (process.env['NETLOOM_NO_VM'] ?? '')
    .split('\n')
    .filter((line) => line !== '')
    .map((line) => [line.slice(0, line.indexOf(' ')), line.slice(line.indexOf(' ') + 1)] as const),
);

/** A test that needs machines: skipped, with the reason in its name, where there are none. */
export function machineTest(
  name: string,
  body: () => Promise<void>,
  {
    kernel = usualKernel,
    timeout = 15 * minutes,
  }: { readonly kernel?: string; readonly timeout?: number } = {},
): void {
  const reason = lacking.get(kernel);
  if (reason === undefined) test(name, body, timeout);
  else test.skip(`${name}: ${reason}`, body);
}

export interface MachineOptions {
  readonly name: string;
  readonly kernel?: string;
  /** MiB. */
  readonly memory?: number;
  readonly cpus?: number;
  /** On the network's bridge, with its length; absent: no interface. */
  readonly address?: string;
  /** A directory of this machine that is at the same place in the other. */
  readonly share?: string;
  /** MiB of a disk that all it writes is on; absent: memory. */
  readonly disk?: number;
}

export interface Machine {
  readonly name: string;
  /** Starts it, the first time or again. */
  up(): Promise<void>;
  /** Powers it off as an administrator would. */
  down(): Promise<void>;
  /** Takes its power away: what is not on its disk is lost. */
  cut(): Promise<void>;
  /** Runs a command there and says how it ended. */
  exec(command: readonly [string, ...string[]], options?: { readonly seconds?: number }): Promise<Executed>;
  /** Runs lines of shell there; throws Error with all that was said when they do not end with 0. */
  shell(lines: string, options?: { readonly seconds?: number }): Promise<string>;
}

/** A private network of machines that has no way out, with a directory for what they share. All of it goes with `close`. */
export interface MachineNetwork extends AsyncDisposable {
  /** On this machine, below /run of the sandbox. */
  readonly directory: string;
  machine(options: MachineOptions): Machine;
}

const bridge = 'vm0';

export async function machineNetwork(): Promise<MachineNetwork> {
  const place: TestNetns = testNetns();
  mkdirSync('/run/vm', { recursive: true });
  const directory = mkdtempSync('/run/vm/');
  const machines: Machine[] = [];
  await execute(['ip', '-n', place.name, 'link', 'add', bridge, 'type', 'bridge']);
  await execute(['ip', '-n', place.name, 'link', 'set', bridge, 'up']);
  return {
    directory,
    machine(options) {
      const made = makeMachine(join(directory, options.name), { ...options, place });
      machines.push(made);
      return made;
    },
    async [Symbol.asyncDispose]() {
      for (const machine of machines) await machine.cut();
      place[Symbol.dispose]();
      rmSync(directory, { recursive: true, force: true });
    },
  };
}

function makeMachine(directory: string, options: MachineOptions & { readonly place: TestNetns }): Machine {
  const { name, place } = options;
  const vm = (words: readonly string[], timeout: number): Promise<Executed> =>
    execute([script, ...words], { netns: place.netns, okCodes: anyCode, timeout });
  const must = async (words: readonly string[]): Promise<void> => {
    const { exitCode, stderr } = await vm(words, 5 * minutes);
    if (exitCode !== 0) throw new Error(`Cannot ${words[0]} machine "${name}": ${stderr}`);
  };
  const machine: Machine = {
    name,
    up: () => must(['up', directory, ...optionWords(options)]),
    down: () => must(['down', directory]),
    cut: () => must(['cut', directory]),
    exec: (command, { seconds = 300 } = {}) =>
      vm(['exec', '--time', String(seconds), directory, '--', ...command], (seconds + 60) * 1000),
    async shell(lines, more) {
      const { exitCode, stdout, stderr } = await machine.exec(['sh', '-euc', lines], more);
      if (exitCode !== 0)
        throw new Error(`"${lines}" on "${name}" ended with ${exitCode}:\n${stdout}${stderr}`);
      return stdout;
    },
  };
  return machine;
}

function optionWords({
  name,
  kernel = usualKernel,
  memory = 512,
  cpus = 1,
  address,
  share,
  disk,
}: MachineOptions): readonly string[] {
  return [
    '--name',
    name,
    '--kernel',
    kernel,
    '--memory',
    String(memory),
    '--cpus',
    String(cpus),
    ...(address === undefined ? [] : ['--nic', `${bridge},${address}`]),
    ...(share === undefined ? [] : ['--share', share]),
    ...(disk === undefined ? [] : ['--disk', String(disk)]),
  ];
}
