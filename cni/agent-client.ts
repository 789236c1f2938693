// Hands a call to the agent's unix socket. It decides nothing about the call, and loads little: it is on the way of every pod
// where there is no launcher (cni/launcher.c does the same in C).
import { type CallVariables, encodeCall } from './call-body.ts';
import { withCanonicalKeys } from './canonical-keys.ts';
import type { PluginInput } from './request.ts';
import { type PostOutcome, postToSocket } from './socket-post.ts';

export interface AgentAnswer {
  readonly exitCode: 0 | 1;
  readonly stdout: string;
}

/** What became of a call: without the agent, whoever called does the work; a slow one may still be doing it. */
export type AgentOutcome =
  | { readonly kind: 'answered'; readonly answer: AgentAnswer }
  | { readonly kind: 'absent' }
  | { readonly kind: 'failed'; readonly detail: string };

export interface AgentCall {
  readonly env: CallVariables;
  /** As it came. */
  readonly stdin: Buffer;
}

/** Milliseconds; runtimes wait for minutes, but a pod's start is retried. */
export const agentDeadline = 20_000;

/** Where the agent listens, by the configuration as far as it can be read: its faults are found by whoever does the work. */
export function agentSocketPath(stdin: string): string {
  return `${configPath(stdin, 'runDirectory') ?? '/run/netloom'}/netloom.sock`;
}

/** Where DELs are queued, by the configuration as far as it can be read. */
export function stateDirectoryOf(stdin: string): string {
  return configPath(stdin, 'stateDirectory') ?? '/var/lib/netloom';
}

function configPath(stdin: string, key: string): string | undefined {
  try {
    const config = withCanonicalKeys(JSON.parse(stdin), [key]);
    if (typeof config !== 'object' || config === null) return undefined;
    const path: unknown = new Map(Object.entries(config)).get(key);
    return typeof path === 'string' && path.startsWith('/') ? path : undefined;
  } catch {
    return undefined;
  }
}

/** Only CNI_*: the rest of the environment is nobody's business. */
export function cniVariables(env: PluginInput['env']): CallVariables {
  return Object.fromEntries(
    Object.entries(env).flatMap(([name, value]) =>
      name.startsWith('CNI_') && value !== undefined ? [[name, value] as const] : [],
    ),
  );
}

/** Never rejects. */
export async function askAgent({ env, stdin }: AgentCall, timeoutMs = agentDeadline): Promise<AgentOutcome> {
  const outcome = await postToSocket({
    socketPath: agentSocketPath(stdin.toString('utf8')),
    path: '/cni',
    body: encodeCall(env, stdin),
    timeoutMs,
  });
  switch (outcome.kind) {
    case 'answered': {
      const answer = readAnswer(outcome, env['CNI_COMMAND']);
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

/** Other statuses are those of a server that could not make sense of the request. What failed says why, and an ADD has a result. */
function readAnswer(
  { status, body }: Extract<PostOutcome, { kind: 'answered' }>,
  command: string | undefined,
): AgentAnswer | undefined {
  if (status === 422 && body !== '') return { exitCode: 1, stdout: body };
  if (status === 200 && (body !== '' || command !== 'ADD')) return { exitCode: 0, stdout: body };
  return undefined;
}
