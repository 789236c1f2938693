// The agent as a program of its own: node agent/main.ts --help. `netloom agent` is the same with the other commands around it.
import { Command } from 'commander';
import { realClock } from '../runtime/clock.ts';
import { errorMessage } from '../runtime/error-text.ts';
import { createLog } from '../runtime/log.ts';
import { loadSettings } from '../runtime/settings/load-settings.ts';
import { addOptions } from '../runtime/settings/settings-flags.ts';
import { createShutdown } from '../runtime/shutdown.ts';
import { runAgent } from './run-agent.ts';
import { agentSettings } from './settings.ts';

const command = addOptions(new Command('netloom-agent'), agentSettings)
  .description('Keeps the pod network of this node')
  .action(main);

async function main(): Promise<void> {
  const { settings, warnings } = loadSettings(command, agentSettings);
  const log = createLog({
    level: settings.logLevel,
    format: settings.logFormat,
    fields: { node: settings.nodeName },
  });
  for (const warning of warnings) log.root.warn(warning);
  const shutdown = createShutdown({ process, log: log.component('shutdown'), clock: realClock });
  // SIGTERM exits when this is done; it rejects only before it has begun.
  const running = runAgent(settings, { log, signal: shutdown.signal });
  shutdown.add('agent', () => running);
  await running;
}

try {
  await command.parseAsync(process.argv);
} catch (error) {
  process.stderr.write(`netloom-agent: ${errorMessage(error)}\n`);
  process.exit(1);
}
