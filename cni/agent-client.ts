// Hands a call to the agent's unix socket. It decides nothing about the call, and loads little: it is on the way of every pod.
import { type UnixRequestError, unixRequest } from '../runtime/unix-request.ts';
import { withCanonicalKeys } from './canonical-keys.ts';
import type { PluginInput } from './request.ts';

export interface AgentAnswer {
  readonly exitCode: 0 | 1;
  readonly stdout: string;
}

/** What became of a call: without the agent, whoever called does the work; a slow one may still be doing it. */
export type AgentOutcome =
  | { readonly kind: 'answered'; readonly answer: AgentAnswer }
  | { readonly kind: 'absent' }
  | { readonly kind: 'failed'; readonly error: Error };

/** Milliseconds; runtimes wait for minutes, but a pod's start is retried. */
export const agentDeadline = 20_000;

/** Where the agent listens, by the configuration as far as it can be read: its faults are found by whoever does the work. */
export function agentSocketPath(stdin: string): string {
  return `${runDirectoryOf(stdin) ?? '/run/netloom'}/netloom.sock`;
}

function runDirectoryOf(stdin: string): string | undefined {
  try {
    const config = withCanonicalKeys(JSON.parse(stdin), ['runDirectory']);
    const directory =
      typeof config === 'object' && config !== null && 'runDirectory' in config
        ? config.runDirectory
        : undefined;
    return typeof directory === 'string' && directory.startsWith('/') ? directory : undefined;
  } catch {
    return undefined;
  }
}

/** Only CNI_*: the rest of the environment is nobody's business. */
export function cniVariables(env: PluginInput['env']): Readonly<Record<string, string>> {
  return Object.fromEntries(
    Object.entries(env).flatMap(([name, value]) =>
      name.startsWith('CNI_') && value !== undefined ? [[name, value] as const] : [],
    ),
  );
}

export async function askAgent(input: PluginInput, deadline = agentDeadline): Promise<AgentOutcome> {
  try {
    const { body } = await unixRequest({
      socketPath: agentSocketPath(input.stdin),
      path: '/cni',
      body: { env: cniVariables(input.env), stdin: input.stdin },
      timeoutMs: deadline,
    });
    return isAnswer(body) ? { kind: 'answered', answer: body } : { kind: 'absent' };
  } catch (error) {
    // unixRequest rejects with nothing else unless it is given a signal.
    return outcomeOf(error as UnixRequestError);
  }
}

function outcomeOf(error: UnixRequestError): AgentOutcome {
  switch (error.kind) {
    case 'timeout':
    case 'denied':
      return { kind: 'failed', error };
    case 'not-running':
    case 'broken':
    case 'status':
      return { kind: 'absent' };
    default:
      return { kind: 'failed', error };
  }
}

function isAnswer(body: unknown): body is AgentAnswer {
  return (
    typeof body === 'object' &&
    body !== null &&
    'exitCode' in body &&
    (body.exitCode === 0 || body.exitCode === 1) &&
    'stdout' in body &&
    typeof body.stdout === 'string'
  );
}
