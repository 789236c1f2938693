// Runs the netloom executable for tests, and looks for what a lab left behind with other means than its own.
import { spawn } from 'node:child_process';
import { existsSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { type Executed, execute } from '../../kernel/exec.ts';

export const executable = fileURLToPath(new URL('../../scripts/netloom', import.meta.url));
const anyCode = [0, 1, 2];

export function netloom(...args: readonly string[]): Promise<Executed> {
  return execute([executable, ...args], { okCodes: anyCode, timeout: 60_000 });
}

/** Throws Error with all that was said when it did not end with 0. */
export async function netloomOk(...args: readonly string[]): Promise<string> {
  const { exitCode, stdout, stderr } = await netloom(...args);
  if (exitCode !== 0)
    throw new Error(`netloom ${args.join(' ')} ended with ${exitCode}:\n${stdout}${stderr}`);
  return stdout;
}

/** What the shape of `lab check --json` promises. */
export interface Checks {
  readonly checks: readonly {
    readonly name: string;
    readonly ok: boolean;
    readonly ms: number;
    readonly detail: string;
  }[];
}

export async function checkLab(lab: string): Promise<Checks> {
  const { stdout } = await netloom('lab', 'check', '--name', lab, '--json');
  return JSON.parse(stdout);
}

/** Sends `signal` to `netloom lab up` after so many milliseconds (unless it is done) and waits for its end. */
export async function interruptedUp(
  lab: string,
  { after, signal }: { readonly after: number; readonly signal: 'SIGKILL' | 'SIGINT' },
): Promise<number | null> {
  // Its own process is the one to hit: the script replaces itself by Node.
  const child = spawn(executable, ['lab', 'up', '--name', lab], { stdio: 'ignore' });
  const timer = setTimeout(() => child.kill(signal), after);
  const code = await new Promise<number | null>((resolve) => child.once('exit', resolve));
  clearTimeout(timer);
  return code;
}

/** Namespaces, processes and files that carry the lab's name, one line each. */
export async function leftovers(lab: string): Promise<readonly string[]> {
  const [namespaces, processes] = await Promise.all([
    execute(['ip', 'netns', 'list']),
    execute(['ps', '-ww', '-eo', 'pid,args']),
  ]);
  const lines = (text: string): readonly string[] => text.split('\n').filter((line) => line.trim() !== '');
  return [
    ...lines(namespaces.stdout).filter((line) => line.startsWith(`netloom-${lab}-`)),
    ...lines(processes.stdout).filter(
      (line) => line.includes(`/run/netloom-lab/${lab}`) || line.includes(`netloom-${lab}-`),
    ),
    ...['', '.lock'].map((end) => `/run/netloom-lab/${lab}${end}`).filter((path) => existsSync(path)),
  ];
}

/** All that a lab could change in a network namespace, as text. */
export async function networkSnapshot(netnsPath: string): Promise<string> {
  const inside = async (...command: readonly string[]): Promise<string> => {
    const { stdout } = await execute(['nsenter', `--net=${netnsPath}`, '--', ...command], {
      okCodes: [0, 1, 3],
    });
    return `# ${command.join(' ')}\n${stdout}`;
  };
  const parts = [
    await inside('ip', '-details', 'link', 'show'),
    await inside('ip', 'address', 'show'),
    await inside('ip', '-4', 'route', 'show', 'table', 'all'),
    await inside('ip', '-6', 'route', 'show', 'table', 'all'),
    await inside('ip', 'neigh', 'show', 'nud', 'permanent'),
    await inside('bridge', 'fdb', 'show'),
    await inside('ip', '-4', 'rule', 'show'),
    await inside('ip', '-6', 'rule', 'show'),
    await inside('nft', 'list', 'ruleset'),
    await inside('sysctl', '-a', '--pattern', '^net\\.ipv[46]\\.(ip_forward|conf)'),
  ];
  return withoutLifetimes(parts.join(''));
}

/** Addresses and routes of DHCP and router advertisements count down. */
function withoutLifetimes(text: string): string {
  return text.replace(/ (valid_lft|preferred_lft|expires) \d+sec/g, '');
}
