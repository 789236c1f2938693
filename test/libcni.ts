// Calls plugins as libcni does (containernetworking/cni, libcni/api.go): environment and standard input, the result of one plugin
// handed to the next, DEL in reverse, a cache of results. For tests, the lab and benchmarks; it knows no plugin.
import { spawn } from 'node:child_process';
import { mkdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';

/** A configuration list as it is in /etc/cni/net.d. */
export interface ConfigList {
  readonly name: string;
  readonly cniVersion: string;
  readonly plugins: readonly Readonly<Record<string, unknown>>[];
}

export interface PodCall {
  readonly containerId: string;
  /** Path; DEL takes an empty one. */
  readonly netns: string;
  readonly ifname?: string;
  /** CNI_ARGS. */
  readonly args?: string;
  /** By capability: what goes into runtimeConfig of the plugins that declare it. */
  readonly capabilityArgs?: Readonly<Record<string, unknown>>;
}

export interface LibCniOptions {
  readonly list: ConfigList;
  /** Directories with plugins, searched in order. */
  readonly pluginDirectories: readonly string[];
  /** Where results are kept; /var/lib/cni/results in earnest. */
  readonly cacheDirectory: string;
  /** Path of the namespace that plugins run in; that of this process if absent. */
  readonly hostNetns?: string;
}

export interface ExecResult {
  /** Undefined: killed. */
  readonly exitCode: number | undefined;
  readonly stdout: string;
  readonly stderr: string;
}

export interface Execution {
  readonly done: Promise<ExecResult>;
  kill(): void;
}

/** What a plugin that failed said on standard output; code 0 when it said nothing that could be understood. */
export class PluginError extends Error {
  override readonly name = 'PluginError';
  readonly code: number;
  readonly details: string;

  constructor(message: string, options: { readonly code: number; readonly details: string }) {
    super(message);
    this.code = options.code;
    this.details = options.details;
  }
}

type Verb = 'ADD' | 'DEL' | 'CHECK' | 'GC' | 'STATUS' | 'VERSION';

export class LibCni {
  readonly #options: LibCniOptions;

  constructor(options: LibCniOptions) {
    this.#options = options;
  }

  /** The last plugin's result, which is also put into the cache. */
  async add(call: PodCall): Promise<unknown> {
    let result: unknown;
    for (const plugin of this.#options.list.plugins) {
      const stdout = await this.#run('ADD', {
        plugin,
        call,
        more: result === undefined ? {} : { prevResult: result },
      });
      result = JSON.parse(stdout);
    }
    mkdirSync(this.#options.cacheDirectory, { recursive: true });
    writeFileSync(this.#cachePath(call), JSON.stringify({ kind: 'cniCacheV1', result }));
    return result;
  }

  async check(call: PodCall): Promise<void> {
    for (const plugin of this.#options.list.plugins)
      await this.#run('CHECK', { plugin, call, more: this.#cached(call) });
  }

  async del(call: PodCall): Promise<void> {
    const { list } = this.#options;
    const hasPrevResult = !['0.3.0', '0.3.1'].includes(list.cniVersion);
    const more = hasPrevResult ? this.#cached(call) : {};
    for (const plugin of list.plugins.toReversed()) await this.#run('DEL', { plugin, call, more });
    rmSync(this.#cachePath(call), { force: true });
  }

  /** `valid` undefined: the key is left out, as cnitool does it. */
  async gc(
    valid: readonly { readonly containerID: string; readonly ifname: string }[] | null | undefined,
  ): Promise<void> {
    const more = valid === undefined ? {} : { 'cni.dev/valid-attachments': valid };
    for (const plugin of this.#options.list.plugins) await this.#run('GC', { plugin, more });
  }

  async status(): Promise<void> {
    for (const plugin of this.#options.list.plugins) await this.#run('STATUS', { plugin, more: {} });
  }

  /** Starts one plugin's verb without waiting for it: what may be killed. */
  start(verb: Verb, call: PodCall, place = 0): Execution {
    const plugin = this.#options.list.plugins[place];
    if (plugin === undefined)
      throw new RangeError(`There is no plugin ${place} in "${this.#options.list.name}"`);
    return this.#start(verb, { plugin, call, more: {} });
  }

  #cachePath({ containerId, ifname = 'eth0' }: PodCall): string {
    const { cacheDirectory, list } = this.#options;
    return join(cacheDirectory, `${list.name}-${containerId}-${ifname}`);
  }

  #cached(call: PodCall): { readonly prevResult?: unknown } {
    try {
      return { prevResult: JSON.parse(readFileSync(this.#cachePath(call), 'utf8')).result };
    } catch {
      return {};
    }
  }

  async #run(verb: Verb, what: PluginCall): Promise<string> {
    const { exitCode, stdout, stderr } = await this.#start(verb, what).done;
    if (exitCode === 0) return stdout;
    throw pluginError(stdout, stderr);
  }

  #start(verb: Verb, { plugin, call, more }: PluginCall): Execution {
    const { list, hostNetns, pluginDirectories } = this.#options;
    const runtimeConfig = runtimeConfigOf(plugin, call?.capabilityArgs ?? {});
    const config = {
      ...plugin,
      name: list.name,
      cniVersion: list.cniVersion,
      ...(Object.keys(runtimeConfig).length === 0 ? {} : { runtimeConfig }),
      ...more,
    };
    return executePlugin({
      path: findPlugin(String(plugin['type']), pluginDirectories),
      hostNetns,
      stdin: JSON.stringify(config),
      env: {
        CNI_COMMAND: verb,
        CNI_CONTAINERID: call?.containerId ?? '',
        CNI_NETNS: call?.netns ?? '',
        CNI_IFNAME: call === undefined ? '' : (call.ifname ?? 'eth0'),
        CNI_ARGS: call?.args ?? '',
        CNI_PATH: pluginDirectories.join(':'),
      },
    });
  }
}

interface PluginCall {
  readonly plugin: Readonly<Record<string, unknown>>;
  readonly call?: PodCall;
  readonly more: Readonly<Record<string, unknown>>;
}

/** What the plugin declares under "capabilities" and the runtime has. */
function runtimeConfigOf(
  plugin: Readonly<Record<string, unknown>>,
  args: Readonly<Record<string, unknown>>,
): Readonly<Record<string, unknown>> {
  const declared = plugin['capabilities'];
  if (typeof declared !== 'object' || declared === null) return {};
  return Object.fromEntries(
    Object.entries(declared).flatMap(([name, wanted]) =>
      wanted === true && name in args ? [[name, args[name]]] : [],
    ),
  );
}

function findPlugin(type: string, directories: readonly string[]): string {
  if (type.includes('/')) throw new SyntaxError(`Cannot run plugin "${type}": a type has no "/"`);
  const [first] = directories;
  if (first === undefined) throw new RangeError(`Cannot find plugin "${type}": no directories given`);
  return join(first, type);
}

function pluginError(stdout: string, stderr: string): PluginError {
  try {
    const { code, msg, details = '' } = JSON.parse(stdout);
    return new PluginError(String(msg), { code: Number(code), details: String(details) });
  } catch {
    return new PluginError(`netplugin failed: ${stdout || stderr || 'no error message'}`, {
      code: 0,
      details: '',
    });
  }
}

/** Runs one executable as a plugin, with nothing in its environment but `env` and PATH. */
export function executePlugin(options: {
  readonly path: string;
  readonly env: Readonly<Record<string, string>>;
  readonly stdin: string;
  readonly hostNetns?: string | undefined;
}): Execution {
  const { path, env, stdin, hostNetns } = options;
  const [program, ...args] = hostNetns === undefined ? [path] : ['nsenter', `--net=${hostNetns}`, '--', path];
  // nsenter becomes the plugin, so that a signal reaches it.
  const child = spawn(program ?? path, args, {
    env: { PATH: process.env['PATH'], ...env },
    stdio: ['pipe', 'pipe', 'pipe'],
  });
  const out: Buffer[] = [];
  const err: Buffer[] = [];
  child.stdout.on('data', (chunk: Buffer) => out.push(chunk));
  child.stderr.on('data', (chunk: Buffer) => err.push(chunk));
  // It may end without reading: VERSION does not need its input.
  child.stdin.on('error', () => undefined);
  child.stdin.end(stdin);
  const done = new Promise<ExecResult>((resolve, reject) => {
    child.on('error', reject);
    child.on('close', (code) =>
      resolve({
        exitCode: code ?? undefined,
        stdout: Buffer.concat(out).toString(),
        stderr: Buffer.concat(err).toString(),
      }),
    );
  });
  return { done, kill: () => child.kill('SIGKILL') };
}
