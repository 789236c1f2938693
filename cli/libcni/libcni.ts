// Calls plugins as libcni does (containernetworking/cni, libcni/api.go): environment and standard input, the result of one plugin
// handed to the next, DEL in reverse, a cache of results. For the lab, benchmarks and tests; it knows no plugin.
// A result is handed on in the version in which it came: libcni would convert it.
import { z } from 'zod';
import type { StartedProgram } from '../../kernel/start-program.ts';
import { errorMessage } from '../../runtime/error-text.ts';
import { type ConfigList, isVersionAtLeast, type PluginConfig } from './config-list.ts';
import { executePlugin, findPlugin } from './execute-plugin.ts';
import { pluginError, type Verb } from './plugin-error.ts';
import {
  argumentPairs,
  type PluginRequest,
  type PodCall,
  requestConfig,
  requestEnvironment,
} from './plugin-request.ts';
import {
  type CacheKey,
  listCacheEntries,
  readCacheEntry,
  removeCacheEntry,
  writeCacheEntry,
} from './result-cache.ts';

export interface LibCniOptions {
  readonly list: ConfigList;
  /** Directories with plugins, searched in order. */
  readonly pluginDirectories: readonly string[];
  /** Where results are kept; /var/lib/cni/results in earnest. Absent: nowhere, so that DEL and CHECK have no prevResult. */
  readonly cacheDirectory?: string;
  /** Path of the namespace that plugins run in; that of this process if absent. */
  readonly hostNetns?: string;
  /** Milliseconds that one plugin may take before it is killed; 20 s if absent. */
  readonly timeout?: number;
}

/** What the runtime's list of attachments has. */
export interface ValidAttachment {
  readonly containerID: string;
  readonly ifname: string;
}

type PluginCall = Omit<PluginRequest, 'list'>;

const versionShape = z.looseObject({
  cniVersion: z.string().min(1),
  supportedVersions: z.array(z.string()).min(1),
});

/** Rejects with PluginError when a plugin fails, with RangeError when it is not there. */
export class LibCni {
  readonly #options: LibCniOptions;

  constructor(options: LibCniOptions) {
    this.#options = options;
  }

  /** The last plugin's result, which is also put into the cache. After a failure the caller owes a `del`. */
  async add(call: PodCall): Promise<unknown> {
    const { list, cacheDirectory } = this.#options;
    let result: unknown;
    for (const plugin of list.plugins) {
      const more = result === undefined ? {} : { prevResult: result };
      const stdout = await this.#run('ADD', { plugin, call, more });
      result = parseAnswer(stdout, plugin);
    }
    if (cacheDirectory !== undefined) {
      writeCacheEntry(cacheDirectory, {
        ...this.#key(call),
        config: Buffer.from(JSON.stringify(list)).toString('base64'),
        netns: call.netns,
        cniArgs: argumentPairs(call.args),
        capabilityArgs: call.capabilityArgs,
        result,
      });
    }
    return result;
  }

  async check(call: PodCall): Promise<void> {
    const { list } = this.#options;
    if (list.disableCheck) return;
    const more = this.#cached(call);
    for (const plugin of list.plugins) await this.#run('CHECK', { plugin, call, more });
  }

  /** In reverse, and not beyond the first plugin that fails: then the cache keeps its entry. */
  async del(call: PodCall): Promise<void> {
    const { list, cacheDirectory } = this.#options;
    const more = isVersionAtLeast(list.cniVersion, '0.4.0') ? this.#cached(call) : {};
    for (const plugin of list.plugins.toReversed()) await this.#run('DEL', { plugin, call, more });
    if (cacheDirectory !== undefined) removeCacheEntry(cacheDirectory, this.#key(call));
  }

  /**
   * DEL for all attachments in the cache that are not in the list, then GC of each plugin. Goes on after failures and rejects with
   * AggregateError of all. `valid` undefined: the key is left out and nothing deleted, as cnitool does it.
   */
  async gc(valid: readonly ValidAttachment[] | null | undefined): Promise<void> {
    const { list } = this.#options;
    if (list.disableGC) return;
    const failures: unknown[] = [];
    const attempt = async (action: () => Promise<unknown>): Promise<void> => {
      await action().catch((error: unknown) => failures.push(error));
    };
    for (const call of valid === undefined ? [] : this.#stale(valid ?? [])) {
      await attempt(() => this.del(call));
    }
    const more =
      valid === undefined ? {} : { 'cni.dev/valid-attachments': valid, 'cni.dev/attachments': valid };
    if (isVersionAtLeast(list.cniVersion, '1.1.0'))
      for (const plugin of list.plugins) await attempt(() => this.#run('GC', { plugin, more }));
    if (failures.length > 0)
      throw new AggregateError(
        failures,
        `Cannot clean up network "${list.name}": ${failures.map(errorMessage).join('; ')}`,
      );
  }

  /** Nothing is asked when the list's version has no STATUS. */
  async status(): Promise<void> {
    const { list } = this.#options;
    if (!isVersionAtLeast(list.cniVersion, '1.1.0')) return;
    for (const plugin of list.plugins) await this.#run('STATUS', { plugin, more: {} });
  }

  /** The versions that each plugin speaks, in the list's order. Rejects with RangeError when one does not speak the list's. */
  async validate(): Promise<readonly (readonly string[])[]> {
    const { list } = this.#options;
    const all: (readonly string[])[] = [];
    for (const plugin of list.plugins) {
      const stdout = await this.#run('VERSION', { plugin, more: {} });
      const { supportedVersions } = versionShape.parse(parseAnswer(stdout, plugin));
      if (!supportedVersions.includes(list.cniVersion))
        throw new RangeError(
          `Plugin "${plugin['type']}" does not support config version "${list.cniVersion}": it supports ${supportedVersions.join(', ')}`,
        );
      all.push(supportedVersions);
    }
    return all;
  }

  /** Starts one plugin's verb without waiting for it: what may be killed. */
  start(verb: Verb, call: PodCall, place = 0): StartedProgram {
    const plugin = this.#options.list.plugins[place];
    if (plugin === undefined)
      throw new RangeError(`There is no plugin ${place} in "${this.#options.list.name}"`);
    return this.#start(verb, { plugin, call, more: {} }, call.signal);
  }

  #key({ containerId, ifname = 'eth0' }: PodCall): CacheKey {
    return { networkName: this.#options.list.name, containerId, ifName: ifname };
  }

  #cached(call: PodCall): PluginConfig {
    const { cacheDirectory } = this.#options;
    const entry = cacheDirectory === undefined ? undefined : readCacheEntry(cacheDirectory, this.#key(call));
    return entry === undefined ? {} : { prevResult: entry.result };
  }

  #stale(valid: readonly ValidAttachment[]): readonly PodCall[] {
    const { cacheDirectory, list } = this.#options;
    if (cacheDirectory === undefined) return [];
    return listCacheEntries(cacheDirectory)
      .filter(
        ({ networkName, containerId, ifName }) =>
          networkName === list.name &&
          !valid.some(({ containerID, ifname }) => containerID === containerId && ifname === ifName),
      )
      .map(({ containerId, ifName, netns = '', capabilityArgs = {} }) => ({
        containerId,
        ifname: ifName,
        netns,
        capabilityArgs,
      }));
  }

  async #run(verb: Verb, what: PluginCall): Promise<string> {
    const { list, timeout = 20_000 } = this.#options;
    const deadline = AbortSignal.timeout(timeout);
    const given = what.call?.signal;
    const signal = given === undefined ? deadline : AbortSignal.any([given, deadline]);
    const end = await this.#start(verb, what, signal).done;
    if (end.exitCode === 0) return end.stdout;
    throw pluginError({
      type: String(what.plugin['type']),
      verb,
      object: what.call?.containerId ?? list.name,
      end,
      killed: killedBecause({ killed: end.exitCode === undefined, given, deadline, timeout }),
    });
  }

  #start(verb: Verb, { plugin, call, more }: PluginCall, signal: AbortSignal | undefined): StartedProgram {
    const { list, hostNetns, pluginDirectories } = this.#options;
    return executePlugin({
      path: findPlugin(String(plugin['type']), pluginDirectories),
      hostNetns,
      signal,
      stdin: JSON.stringify(requestConfig(verb, { list, plugin, call, more })),
      env: requestEnvironment(verb, { call, pluginDirectories }),
    });
  }
}

/** An empty answer to ADD, or two documents in one, is an error for libcni too. */
function parseAnswer(stdout: string, plugin: PluginConfig): unknown {
  try {
    return JSON.parse(stdout);
  } catch (cause) {
    throw new SyntaxError(
      `Cannot read the answer of plugin "${plugin['type']}": ${JSON.stringify(stdout.slice(0, 200))}`,
      { cause },
    );
  }
}

function killedBecause(options: {
  readonly killed: boolean;
  readonly given: AbortSignal | undefined;
  readonly deadline: AbortSignal;
  readonly timeout: number;
}): string | undefined {
  if (!options.killed) return undefined;
  if (options.given?.aborted) return 'it was stopped';
  return options.deadline.aborted ? `it took longer than ${options.timeout} ms` : undefined;
}
