// The agent's settings for the commands that take them: `agent` itself and `cleanup`.
import type { Command } from 'commander';
import { agentSettings } from '../agent/settings.ts';
import { proxySettings } from '../proxy/settings.ts';
import { loadSettings } from '../runtime/settings/load-settings.ts';
import { SettingsError } from '../runtime/settings/settings-error.ts';
import { leaseStoreChoice } from '../store/store-settings.ts';
import type { CommandContext } from './context.ts';
import { UsageError } from './usage-error.ts';

/** Throws UsageError that tells all that is wrong with them. */
export function loadAgentSettings(command: Command, context: Pick<CommandContext, 'env'>) {
  try {
    const loaded = loadSettings(command, agentSettings, {
      environment: context.env,
      otherNames: Object.keys(proxySettings),
    });
    // Settings of a store that do not fit together are a wrong usage too.
    leaseStoreChoice(loaded.settings);
    return loaded;
  } catch (error) {
    if (error instanceof SettingsError) throw new UsageError(error.message, { cause: error });
    throw error;
  }
}
