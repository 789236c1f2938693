// One call of the plugin, validated: command, target and configuration, or the reason why there is nothing to do.
import type { AddressOwner } from '../agent/ipam/reservation.ts';
import { CniError, cniCodes } from '../agent/wiring/cni-error.ts';
import {
  type CallTarget,
  type Environment,
  readCommand,
  readTarget,
  requireVariables,
} from './environment.ts';
import { type DecodedConfig, decodeConfig, nameOf, readConfig, versionOf } from './network-config.ts';
import type { NetworkConfig } from './pod-network.ts';
import { readValidAttachments } from './valid-attachments.ts';
import { type CniVersion, isAtLeast } from './versions.ts';

/** What a runtime gives: environment and standard input. */
export interface PluginInput {
  readonly env: Environment;
  readonly stdin: string;
}

export type CniRequest =
  | { readonly kind: 'about' }
  | { readonly kind: 'version' }
  | { readonly kind: 'status'; readonly config: NetworkConfig }
  | {
      readonly kind: 'gc';
      readonly config: NetworkConfig;
      /** Undefined: the list is missing. */
      readonly valid: readonly AddressOwner[] | undefined;
    }
  | { readonly kind: 'add' | 'del' | 'check'; readonly config: NetworkConfig; readonly target: CallTarget };

const since = { CHECK: '0.4.0', GC: '1.1.0', STATUS: '1.1.0' } as const satisfies Readonly<
  Record<string, CniVersion>
>;

/** Throws CniError. In the order of libcni's skeleton, so that a call that is wrong twice gets the answer that runtimes know. */
export function parseRequest({ env, stdin }: PluginInput): CniRequest {
  const command = readCommand(env);
  if (command === undefined) return { kind: 'about' };
  // Asked with made-up variables (libcni: CNI_NETNS=dummy): none is looked at.
  if (command === 'VERSION') return { kind: 'version' };
  requireVariables(env, command);
  const decoded = decodeConfig(stdin);
  nameOf(decoded);
  switch (command) {
    case 'STATUS':
      requireVersion(decoded, command);
      return { kind: 'status', config: readConfig(decoded, env) };
    case 'GC':
      requireVersion(decoded, command);
      return { kind: 'gc', config: readConfig(decoded, env), valid: readValidAttachments(JSON.parse(stdin)) };
    case 'ADD':
    case 'CHECK':
    case 'DEL': {
      const target = readTarget(env, command);
      if (command === 'CHECK') requireVersion(decoded, command);
      return { kind: kinds[command], config: readConfig(decoded, env), target };
    }
    default:
      return command satisfies never;
  }
}

const kinds = { ADD: 'add', CHECK: 'check', DEL: 'del' } as const;

/** Of a version that we do not speak, readConfig says so. */
function requireVersion(decoded: DecodedConfig, command: keyof typeof since): void {
  const version = versionOf(decoded);
  if (version === undefined || isAtLeast(version, since[command])) return;
  throw new CniError(cniCodes.incompatibleVersion, `config version does not allow ${command}`, {
    details: `config is "${version}", ${command} came with "${since[command]}"`,
  });
}
