// Asks a node's agent how it is, through its unix socket, and waits until it is of use.

import { setTimeout as sleep } from 'node:timers/promises';
import { z } from 'zod';
import { errorMessage } from '../../runtime/error-text.ts';
import { unixRequest } from '../../runtime/unix-request.ts';

/** What the lab reads of the agent's answer (agent/status.ts); there is more in it. */
const statusShape = z.looseObject({
  node: z.string(),
  ready: z.boolean(),
  blockers: z.array(z.string()),
  lease: z.looseObject({ subnet: z.string().optional(), subnet6: z.string().optional() }).nullable(),
  peers: z.array(z.looseObject({ node: z.string(), programmed: z.boolean() })),
});

export type AgentStatus = z.infer<typeof statusShape>;

/** Milliseconds for one answer. */
const answerTime = 2000;

/** Throws UnixRequestError when nobody answers. */
export async function agentStatus(socketPath: string, signal?: AbortSignal): Promise<AgentStatus> {
  const { body } = await unixRequest({
    socketPath,
    path: '/status',
    timeoutMs: answerTime,
    ...(signal === undefined ? {} : { signal }),
  });
  const status = statusShape.safeParse(body);
  if (!status.success) {
    throw new TypeError(
      `Cannot read the agent's answer: ${z.prettifyError(status.error).replaceAll('\n', ' ')}`,
    );
  }
  return status.data;
}

export function programmedPeers(status: AgentStatus): number {
  return status.peers.filter(({ programmed }) => programmed).length;
}

export interface AwaitAgent {
  readonly socketPath: string;
  /** How many other nodes it must have programmed. */
  readonly peers: number;
  /** Milliseconds. */
  readonly timeout: number;
  /** False when the agent's process has ended: there is nothing to wait for then. */
  readonly alive: () => boolean;
  readonly signal: AbortSignal;
}

/** Resolves when the agent is ready and knows all its peers. Throws Error that says what was missing at last. */
export async function awaitAgent(options: AwaitAgent): Promise<AgentStatus> {
  const deadline = performance.now() + options.timeout;
  let last = 'it did not answer';
  while (performance.now() < deadline) {
    if (!options.alive()) throw new Error('it ended');
    try {
      const status = await agentStatus(options.socketPath, options.signal);
      const peers = programmedPeers(status);
      if (status.ready && peers >= options.peers) return status;
      last = [`${peers} of ${options.peers} peers`, ...status.blockers].join('; ');
    } catch (error) {
      options.signal.throwIfAborted();
      last = errorMessage(error);
    }
    await sleep(20, undefined, { signal: options.signal });
  }
  throw new Error(`it is not ready after ${options.timeout / 1000} s: ${last}`);
}
