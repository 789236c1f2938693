// The variables of a CNI call (specification, "Parameters"), read and validated: names of commands, containers, interfaces.

import { CniError, cniCodes } from '../agent/wiring/cni-error.ts';
import { isIdentifier, longestInterfaceName } from '../net/names.ts';
import { quote } from './config-error.ts';

export const cniCommands = ['ADD', 'DEL', 'CHECK', 'GC', 'STATUS', 'VERSION'] as const;
export type CniCommand = (typeof cniCommands)[number];

/** The process's environment, or what of it came over the agent's socket. */
export type Environment = Readonly<Record<string, string | undefined>>;

/** Whom a call is about. */
export interface CallTarget {
  readonly containerId: string;
  readonly ifname: string;
  /** Path; for DEL it may be empty. */
  readonly netns: string;
}

const required = {
  ADD: ['CNI_CONTAINERID', 'CNI_NETNS', 'CNI_IFNAME'],
  DEL: ['CNI_CONTAINERID', 'CNI_IFNAME'],
  CHECK: ['CNI_CONTAINERID', 'CNI_NETNS', 'CNI_IFNAME'],
  GC: [],
  STATUS: [],
  VERSION: [],
} as const satisfies Readonly<Record<CniCommand, readonly string[]>>;

/** Undefined when no command is given. Throws CniError for one that there is not, in words that libcni looks for. */
export function readCommand(environment: Environment): CniCommand | undefined {
  const text = environment['CNI_COMMAND'] ?? '';
  if (text === '') return undefined;
  const command = cniCommands.find((name) => name === text);
  if (command === undefined)
    throw new CniError(cniCodes.invalidEnvironment, `unknown CNI_COMMAND: ${text.slice(0, 100)}`);
  return command;
}

/** Throws CniError that names all variables that are missing. */
export function requireVariables(environment: Environment, command: CniCommand): void {
  const missing = required[command].filter((name) => (environment[name] ?? '') === '');
  if (missing.length > 0)
    throw new CniError(cniCodes.invalidEnvironment, `required env variables [${missing.join(',')}] missing`);
}

/**
 * Throws CniError that names the variable and quotes its value. DEL takes any namespace: one that cannot be is one that is gone.
 */
export function readTarget(environment: Environment, command: 'ADD' | 'CHECK' | 'DEL'): CallTarget {
  const containerId = environment['CNI_CONTAINERID'] ?? '';
  const ifname = environment['CNI_IFNAME'] ?? '';
  const netns = environment['CNI_NETNS'] ?? '';
  if (!isIdentifier(containerId))
    throw invalid('CNI_CONTAINERID', containerId, 'invalid characters or length');
  const why = interfaceNameFault(ifname);
  if (why !== undefined) throw invalid('CNI_IFNAME', ifname, why);
  // The agent's working directory is not the runtime's.
  if (netns.startsWith('/') && !netns.includes('\0')) return { containerId, ifname, netns };
  if (command === 'DEL') return { containerId, ifname, netns: '' };
  throw invalid('CNI_NETNS', netns, 'want an absolute path without a zero byte');
}

/**
 * Why a link may not have the name; undefined: it may. Narrower than the kernel's rule: printable ASCII without "/", ":", "%" and space, as every runtime uses it. The name becomes a
 * part of sysctl keys, file contents and messages.
 */
export function interfaceNameFault(name: string): string | undefined {
  if (Buffer.byteLength(name) > longestInterfaceName) return `more than ${longestInterfaceName} bytes`;
  if (name === '.' || name === '..') return 'not a name';
  return /^[a-zA-Z0-9_@.+-]+$/.test(name) ? undefined : 'invalid characters';
}

function invalid(variable: string, value: string, why: string): CniError {
  return new CniError(cniCodes.invalidEnvironment, `invalid ${variable} ${quote(value)}: ${why}`);
}
