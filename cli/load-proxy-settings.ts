// The proxy's settings for the commands that take them (`proxy`, `node`, `cleanup`), with kube-proxy's flags and files understood.
import { type Command, Option } from 'commander';
import { agentSettings } from '../agent/settings.ts';
import {
  convertKubeProxyConfiguration,
  isKubeProxyConfiguration,
  kubeProxyConfiguration,
  logLevelOf,
} from '../proxy/kube-proxy-configuration.ts';
import { proxyOptions } from '../proxy/options-from-settings.ts';
import type { ProxyOptions } from '../proxy/proxy-options.ts';
import { type ProxySettings, proxySettings } from '../proxy/settings.ts';
import { loadSettings } from '../runtime/settings/load-settings.ts';
import { SettingsError } from '../runtime/settings/settings-error.ts';
import type { CommandContext } from './context.ts';
import { UsageError } from './usage-error.ts';

/** kube-proxy's flags that change nothing here, and why; those with a value, and those without. */
const passedOver: Readonly<Record<string, string>> = {
  '--kube-api-qps <number>': 'the proxy asks for a list and a watch of each kind, and no more',
  '--kube-api-burst <number>': 'the proxy asks for a list and a watch of each kind, and no more',
  '--kube-api-content-type <type>': 'JSON is spoken',
  '--config-sync-period <duration>': 'what changes is seen at once',
  '--feature-gates <list>': 'what they would turn on is there, or is not',
  '--profiling [boolean]': 'there are no profiles to serve',
  '--show-hidden-metrics-for-version <version>': 'no metric is hidden',
  '--proxy-port-range <range>': 'kube-proxy does not use it either',
  '--logging-format <format>': '--log-format is used',
  '--vmodule <list>': '--log-level is used',
};

const passedOverOptions = Object.entries(passedOver).map(([flags, why]) => ({
  option: () => new Option(flags, `Passed over: ${why}`).hideHelp(),
  flag: flags.split(' ')[0] ?? '',
  why,
}));

/** What kube-proxy takes beside the settings: verbosity, and what is passed over. Hidden in the help but for `-v`. */
export function addKubeProxyFlags(command: Command): Command {
  command.addOption(new Option('-v, --v <level>', 'Verbosity as kube-proxy’s: 4 logs debug, 6 trace'));
  for (const { option } of passedOverOptions) command.addOption(option());
  return command;
}

export interface LoadedProxySettings {
  readonly settings: ProxySettings;
  readonly options: ProxyOptions;
  /** Lines for the log: what was passed over, what looks misspelt. */
  readonly warnings: readonly string[];
}

/** Throws UsageError that tells all that is wrong with them. `path`: a file in place of the one that --config names. */
export function loadProxySettings(
  command: Command,
  context: Pick<CommandContext, 'env'>,
  {
    path,
    adjust = (settings) => settings,
  }: {
    readonly path?: string | undefined;
    /** Sees the settings before they become options. */
    readonly adjust?: (settings: ProxySettings) => ProxySettings;
  } = {},
): LoadedProxySettings {
  const notes: string[] = [];
  try {
    const { settings: loaded, warnings } = loadSettings(command, proxySettings, {
      environment: context.env,
      otherNames: Object.keys(agentSettings),
      path,
      convert(file) {
        if (!isKubeProxyConfiguration(file)) return file;
        const converted = convertKubeProxyConfiguration(file);
        notes.push(...converted.notes);
        return converted.file;
      },
    });
    const settings = adjust(withVerbosity(command, loaded));
    const options = proxyOptions(settings, { configuration: kubeProxyConfiguration(settings) });
    return { settings, options, warnings: [...notes, ...passedOverNotes(command), ...warnings] };
  } catch (error) {
    if (error instanceof SettingsError) throw new UsageError(error.message, { cause: error });
    throw error;
  }
}

function passedOverNotes(command: Command): readonly string[] {
  return passedOverOptions.flatMap(({ option, flag, why }) =>
    command.getOptionValueSource(option().attributeName()) === 'cli'
      ? [`${flag} is passed over: ${why}`]
      : [],
  );
}

function withVerbosity(command: Command, settings: ProxySettings): ProxySettings {
  const given: unknown = command.getOptionValue('v');
  if (given === undefined) return settings;
  const level = logLevelOf(given);
  if (level !== 'info' && level !== 'debug' && level !== 'trace')
    throw new UsageError(`-v ${JSON.stringify(given)}: expected a whole number of at least 0`);
  return { ...settings, logLevel: level };
}
