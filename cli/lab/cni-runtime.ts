// Calls CNI plugins as a container runtime does (libcni's convention): the first conflist of a directory, each plugin in turn
// with its part of it, the environment and the result so far; in reverse for DEL. It knows no plugin.
import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { z } from 'zod';
import { execute } from '../../kernel/exec.ts';
import type { Netns } from '../../kernel/netns.ts';

const pluginShape = z.looseObject({ type: z.string().regex(/^[A-Za-z0-9._-]+$/) });
const conflistShape = z.looseObject({
  name: z.string(),
  cniVersion: z.string(),
  plugins: z.array(pluginShape).min(1),
});
const resultShape = z.looseObject({
  interfaces: z
    .array(z.looseObject({ name: z.string(), sandbox: z.string().optional(), mtu: z.number().optional() }))
    .optional(),
  ips: z.array(z.looseObject({ address: z.string(), gateway: z.string().optional() })).optional(),
});
const errorShape = z.looseObject({ code: z.number(), msg: z.string(), details: z.string().optional() });

export type Conflist = z.infer<typeof conflistShape>;
export type CniResult = z.infer<typeof resultShape>;

export interface CniCall {
  readonly conflist: Conflist;
  /** Where the plugins' executables are. */
  readonly pluginDirectory: string;
  /** The node's namespace: the plugins run in it. */
  readonly node: Netns;
  readonly containerId: string;
  /** Path of the pod's namespace. */
  readonly podNetns: string;
  /** What else the plugins find in their environment. */
  readonly env?: Readonly<Record<string, string>>;
  readonly signal?: AbortSignal | undefined;
}

/** Milliseconds that one plugin may take. */
const longestCall = 20_000;
/** A refusal is said on standard output, so that no code is an error to `execute`. */
const everyCode = Array.from({ length: 256 }, (_, code) => code);

/** The lexically first `*.conflist`, as containerd takes it. Throws Error when there is none. */
export function readConflist(directory: string): Conflist {
  const [name] = readdirSync(directory)
    .filter((file) => file.endsWith('.conflist'))
    .sort();
  if (name === undefined)
    throw new Error(`There is no conflist in "${directory}": the agent has not installed it`);
  return conflistShape.parse(JSON.parse(readFileSync(join(directory, name), 'utf8')));
}

/** Runs ADD through the list. Throws Error with the words of the plugin that refused; the runtime calls `cniDel` then. */
export async function cniAdd(call: CniCall): Promise<CniResult> {
  let previous: unknown;
  for (const plugin of call.conflist.plugins) {
    previous = JSON.parse(await callPlugin('ADD', { ...call, plugin, previous }));
  }
  return resultShape.parse(previous);
}

export async function cniDel(call: CniCall): Promise<void> {
  for (const plugin of call.conflist.plugins.toReversed()) await callPlugin('DEL', { ...call, plugin });
}

async function callPlugin(
  verb: 'ADD' | 'DEL',
  call: CniCall & { readonly plugin: z.infer<typeof pluginShape>; readonly previous?: unknown },
): Promise<string> {
  const { conflist, plugin, previous } = call;
  const config = {
    ...plugin,
    name: conflist.name,
    cniVersion: conflist.cniVersion,
    ...(previous === undefined ? {} : { prevResult: previous }),
  };
  const { exitCode, stdout, stderr } = await execute([join(call.pluginDirectory, plugin.type)], {
    netns: call.node,
    input: JSON.stringify(config),
    timeout: longestCall,
    okCodes: everyCode,
    env: {
      CNI_COMMAND: verb,
      CNI_CONTAINERID: call.containerId,
      CNI_NETNS: call.podNetns,
      CNI_IFNAME: 'eth0',
      CNI_PATH: call.pluginDirectory,
      ...call.env,
    },
    ...(call.signal === undefined ? {} : { signal: call.signal }),
  });
  if (exitCode === 0) return stdout;
  const said = words({ stdout, stderr }) ?? `exit code ${exitCode}`;
  throw new Error(`CNI plugin "${plugin.type}" failed to ${verb} "${call.containerId}": ${said}`);
}

/** A plugin says why on its standard output, as JSON; what crashed says it on standard error. */
function words(output: { readonly stdout: string; readonly stderr: string }): string | undefined {
  const said = errorShape.safeParse(parseJson(output.stdout));
  if (!said.success) {
    const lines = output.stderr.trim().split('\n');
    return lines.find((line) => line.includes('Error')) ?? (lines.at(-1) || undefined);
  }
  const { code, msg, details } = said.data;
  return `${msg}${details === undefined || details === '' ? '' : ` (${details})`}, code ${code}`;
}

function parseJson(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}
