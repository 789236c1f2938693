// The file that tells what a lab consists of (lab.json in its directory). It is written before anything is made, so that
// whoever comes after a crash knows; what is left on the machine is found by name (sweep.ts), never through this file alone.
import { mkdirSync, readdirSync, readFileSync, renameSync, writeFileSync } from 'node:fs';
import { z } from 'zod';
import { proxyModes } from '../../proxy/proxy-mode.ts';
import { isLabName, labBackends, labDirectory, labRoot } from './lab-plan.ts';
import { upgradedState } from './upgraded-state.ts';

const processShape = z.object({
  /** "agent n1", "responder". */
  name: z.string(),
  pid: z.number().int().positive(),
  startTime: z.number().int().nonnegative(),
});

const podShape = z.object({
  name: z.string(),
  node: z.string(),
  netns: z.string(),
  /** None until the plugin has wired it; then one for each of the lab's networks, in their order. */
  addresses: z.array(z.string()),
  labels: z.record(z.string(), z.string()),
  /** On its way out: still answers, takes nothing new. */
  terminating: z.boolean().optional(),
  mtu: z.number().int().optional(),
});

/** One family of the lab. All are text: `gateway` and `internet` addresses of outside, the others networks. */
const networkShape = z.object({
  family: z.union([z.literal(4), z.literal(6)]),
  gateway: z.string(),
  internet: z.string(),
  pods: z.string(),
  services: z.string(),
  loadBalancers: z.string(),
});

const stateShape = z.object({
  version: z.literal(2),
  name: z.string(),
  backend: z.enum(labBackends),
  proxyMode: z.enum(proxyModes),
  /** ISO 8601. */
  created: z.string(),
  /** `starting` for good: whoever made it was killed. */
  phase: z.enum(['starting', 'running']),
  /** The first is the one that is meant where only one can be. */
  networks: z.array(networkShape).min(1),
  outside: z.object({ netns: z.string() }),
  fabric: z.object({ netns: z.string() }),
  nodes: z.array(
    z.object({
      name: z.string(),
      netns: z.string(),
      /** One for each of the lab's networks, in their order. */
      addresses: z.array(z.string()),
      directory: z.string(),
    }),
  ),
  pods: z.array(podShape),
  /** What every node is told beside its node's own flags. */
  agentFlags: z.array(z.string()),
  /** So many times longer than usual may everything take: an emulated machine is slow. */
  patience: z.number().positive().default(1),
  processes: z.array(processShape),
});

export type LabState = Readonly<z.infer<typeof stateShape>>;
export type LabStateNetwork = LabState['networks'][number];
export type LabNode = LabState['nodes'][number];
export type LabPod = LabState['pods'][number];
export type LabProcess = LabState['processes'][number];

export function stateFile(lab: string): string {
  return `${labDirectory(lab)}/lab.json`;
}

/** Written beside and renamed: a reader sees the old state or the new one. */
export function writeLabState(state: LabState): void {
  const path = stateFile(state.name);
  mkdirSync(labDirectory(state.name), { recursive: true, mode: 0o700 });
  writeFileSync(`${path}.new`, encodeLabState(state), { mode: 0o600 });
  renameSync(`${path}.new`, path);
}

export function encodeLabState(state: LabState): string {
  return `${JSON.stringify(state, undefined, 2)}\n`;
}

/** Throws SyntaxError that names the file and what is wrong with it. */
export function decodeLabState(text: string, path: string): LabState {
  try {
    return stateShape.parse(upgradedState(JSON.parse(text)));
  } catch (cause) {
    const reason = cause instanceof z.ZodError ? z.prettifyError(cause).replaceAll('\n', ' ') : 'not JSON';
    throw new SyntaxError(`Cannot read the lab's state "${path}": ${reason}`, { cause });
  }
}

/** Undefined when there is no such lab. Throws SyntaxError when its file makes no sense. */
export function readLabState(lab: string): LabState | undefined {
  const path = stateFile(lab);
  let text: string;
  try {
    text = readFileSync(path, 'utf8');
  } catch {
    return undefined;
  }
  return decodeLabState(text, path);
}

/** Throws Error that says how to make one, or that it is not complete. */
export function requireLab(lab: string, options: { readonly complete?: boolean } = {}): LabState {
  const state = readLabState(lab);
  const flag = lab === 'default' ? '' : ` --name ${lab}`;
  if (state?.phase === 'starting' && options.complete !== false) {
    throw new Error(
      `Lab "${lab}" is not complete: "netloom lab up" is still at it or was killed ("netloom lab down${flag}" removes it)`,
    );
  }
  if (state !== undefined) return state;
  throw new Error(`There is no lab "${lab}": make one with "netloom lab up${flag}"`);
}

/** Names of the labs that have a directory, or whose lock a command left behind when it was killed. */
export function labDirectories(): readonly string[] {
  try {
    return readdirSync(labRoot)
      .map((name) => name.replace(/\.lock$/, ''))
      .filter((name) => isLabName(name));
  } catch {
    return [];
  }
}
