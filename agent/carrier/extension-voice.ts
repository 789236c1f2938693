// What the extension's program wants the other nodes to know: asked once, and again when what it is asked about changes.
import type { NetworkConfig } from '../../store/network-config.ts';
import { extensionInput } from '../backend/extension.ts';
import type { Underlay } from '../underlay.ts';
import type { ExtensionProgram } from './extension-program.ts';

export interface ExtensionVoice {
  /** Undefined with any other backend. Rejects when no program is named, and with the program's error. */
  printed(config: NetworkConfig, underlay: Underlay, signal: AbortSignal): Promise<string | undefined>;
}

/** `program` throws when none is named. */
export function createExtensionVoice(program: () => ExtensionProgram): ExtensionVoice {
  let known: { readonly input: string; readonly printed: string } | undefined;
  return {
    async printed(config, underlay, signal) {
      const { backend } = config;
      if (backend.kind !== 'extension') return undefined;
      const input = extensionInput(config, backend, underlay);
      const text = JSON.stringify(input);
      if (known?.input !== text) {
        const caller = withHint(program, backend.commands);
        known = { input: text, printed: await caller.call('advertise', input, signal) };
      }
      return known.printed;
    },
  };
}

/** Who comes from flannel has commands in the network's configuration, which whoever writes to the store could choose for all nodes. */
function withHint(program: () => ExtensionProgram, commands: readonly string[]): ExtensionProgram {
  try {
    return program();
  } catch (error) {
    if (commands.length === 0 || !(error instanceof Error)) throw error;
    const names = commands.map((name) => JSON.stringify(name)).join(', ');
    throw new Error(`${error.message}; commands of the network's configuration (${names}) are not run`, {
      cause: error,
    });
  }
}
