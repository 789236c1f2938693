// Hands a call to the agent's unix socket. It decides nothing about the call, and loads little: it is on the way of every pod.
import { withCanonicalKeys } from './canonical-keys.ts';
import type { PluginInput } from './request.ts';
import { postToSocket } from './socket-post.ts';

export interface AgentAnswer {
  readonly exitCode: 0 | 1;
  readonly stdout: string;
}

/** What became of a call: without the agent, whoever called does the work; a slow one may still be doing it. */
export type AgentOutcome =
  | { readonly kind: 'answered'; readonly answer: AgentAnswer }
  | { readonly kind: 'absent' }
  | { readonly kind: 'failed'; readonly detail: string };

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

/** Never rejects. */
export async function askAgent(input: PluginInput, timeoutMs = agentDeadline): Promise<AgentOutcome> {
  const outcome = await postToSocket({
    socketPath: agentSocketPath(input.stdin),
    path: '/cni',
    body: JSON.stringify({ env: cniVariables(input.env), stdin: input.stdin }),
    timeoutMs,
  });
  switch (outcome.kind) {
    case 'answered': {
      const answer = outcome.status === 200 ? readAnswer(outcome.body) : undefined;
      return answer === undefined ? { kind: 'absent' } : { kind: 'answered', answer };
    }
    case 'absent':
      return { kind: 'absent' };
    case 'denied':
    case 'timeout':
      return { kind: 'failed', detail: outcome.detail };
    default:
      return outcome satisfies never;
  }
}

function readAnswer(text: string): AgentAnswer | undefined {
  try {
    const body: unknown = JSON.parse(text);
    return isAnswer(body) ? body : undefined;
  } catch {
    return undefined;
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
