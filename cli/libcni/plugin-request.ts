// What a plugin is told on standard input and in its environment (libcni/api.go, buildOneConfig and args.go). Pure.
import { newestVersion } from '../../cni/versions.ts';
import type { ConfigList, PluginConfig } from './config-list.ts';
import type { Verb } from './plugin-error.ts';

export interface PodCall {
  readonly containerId: string;
  /** Path; DEL takes an empty one. */
  readonly netns: string;
  readonly ifname?: string;
  /** CNI_ARGS: "NAME=VALUE;NAME=VALUE". */
  readonly args?: string;
  /** By capability: what goes into runtimeConfig of the plugins that declare it. */
  readonly capabilityArgs?: Readonly<Record<string, unknown>>;
  readonly signal?: AbortSignal | undefined;
}

export interface PluginRequest {
  readonly list: ConfigList;
  readonly plugin: PluginConfig;
  /** Absent for what is about the network. */
  readonly call?: PodCall | undefined;
  /** prevResult, and what GC has. */
  readonly more: PluginConfig;
}

/** The plugin's part of the list with what libcni puts into it. "capabilities" stays, as it does there. */
export function requestConfig(verb: Verb, { list, plugin, call, more }: PluginRequest): PluginConfig {
  if (verb === 'VERSION') return { cniVersion: newestVersion };
  const runtimeConfig = runtimeConfigOf(plugin, call?.capabilityArgs ?? {});
  return {
    ...plugin,
    name: list.name,
    cniVersion: list.cniVersion,
    ...(Object.keys(runtimeConfig).length === 0 ? {} : { runtimeConfig }),
    ...more,
  };
}

/** For VERSION libcni makes up values for the variables that its own plugins demand of every verb. */
const madeUp: Readonly<Record<string, string>> = {
  CNI_NETNS: 'dummy',
  CNI_IFNAME: 'dummy',
  CNI_PATH: 'dummy',
};

export function requestEnvironment(
  verb: Verb,
  options: { readonly call?: PodCall | undefined; readonly pluginDirectories: readonly string[] },
): Readonly<Record<string, string>> {
  const { call, pluginDirectories } = options;
  return {
    CNI_COMMAND: verb,
    CNI_CONTAINERID: call?.containerId ?? '',
    CNI_NETNS: call?.netns ?? '',
    CNI_IFNAME: call === undefined ? '' : (call.ifname ?? 'eth0'),
    CNI_ARGS: call?.args ?? '',
    CNI_PATH: pluginDirectories.join(':'),
    ...(verb === 'VERSION' ? madeUp : {}),
  };
}

/** What the plugin declares under "capabilities" and the runtime has. */
function runtimeConfigOf(plugin: PluginConfig, args: PluginConfig): PluginConfig {
  const declared = plugin['capabilities'];
  if (typeof declared !== 'object' || declared === null) return {};
  return Object.fromEntries(
    Object.entries(declared).flatMap(([name, wanted]) =>
      wanted === true && name in args ? [[name, args[name]]] : [],
    ),
  );
}

/** CNI_ARGS as the cache has them. */
export function argumentPairs(args: string | undefined): [string, string][] | undefined {
  if (args === undefined || args === '') return undefined;
  return args.split(';').map((pair) => {
    const at = pair.indexOf('=');
    return at < 0 ? [pair, ''] : [pair.slice(0, at), pair.slice(at + 1)];
  });
}
