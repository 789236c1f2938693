// The plugin as a function of environment and standard input: the same code whether the agent runs it or the executable does.
// Whatever comes, it answers; errors become the specification's JSON.
import { CniError, cniCodes } from '../agent/wiring/cni-error.ts';
import { KernelError } from '../kernel/kernel-error.ts';
import { errorMessage } from '../runtime/error-text.ts';
import { decodeConfig, versionOf } from './network-config.ts';
import { type PluginInput, parseRequest } from './request.ts';
import type { VerbContext } from './verb-context.ts';
import { runVerb } from './verbs.ts';
import { aboutText, newestVersion } from './versions.ts';

export interface PluginOutput {
  readonly exitCode: 0 | 1;
  /** One JSON document, or nothing. */
  readonly stdout: string;
  readonly stderr?: string;
}

/** Never rejects. */
export async function runPlugin(input: PluginInput, context: VerbContext): Promise<PluginOutput> {
  try {
    const request = parseRequest(input);
    if (request.kind === 'about') return { exitCode: 0, stdout: '', stderr: aboutText() };
    return { exitCode: 0, stdout: await runVerb(request, context) };
  } catch (error) {
    return failedOutput(error, input.stdin);
  }
}

/** Exit code 1 and the error as JSON, in the version of the configuration when it can be told. */
export function failedOutput(error: unknown, stdin: string): PluginOutput {
  const { code, message, details } = asCniError(error);
  const cniVersion = configVersion(stdin);
  return {
    exitCode: 1,
    stdout: JSON.stringify({ cniVersion, code, msg: message, ...(details === '' ? {} : { details }) }),
  };
}

function asCniError(error: unknown): CniError {
  if (error instanceof CniError) return error;
  const code = error instanceof KernelError ? cniCodes.kernelRefused : cniCodes.internal;
  return new CniError(code, errorMessage(error), { cause: error });
}

function configVersion(stdin: string): string {
  try {
    return versionOf(decodeConfig(stdin)) ?? newestVersion;
  } catch {
    return newestVersion;
  }
}
