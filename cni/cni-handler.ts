// The agent's answer to POST /cni: the plugin's work, done in a process that is there already and knows the node.
import { z } from 'zod';
import { CniError, cniCodes } from '../agent/wiring/cni-error.ts';
import type { NodeNetwork } from '../agent/wiring/node-network.ts';
import { createWiring } from '../agent/wiring/wiring.ts';
import type { Netns } from '../kernel/netns.ts';
import { failedOutput, runPlugin } from './plugin.ts';

export interface CniHandlerOptions {
  /** The node's network as the agent has it now; undefined while it has no lease. */
  readonly node: () => NodeNetwork | undefined;
  /** The node's namespace; the process's own if absent. */
  readonly netns?: Netns | undefined;
}

/** The answer's body. */
export interface CniAnswer {
  readonly exitCode: number;
  readonly stdout: string;
}

export interface CniHandler {
  /** `body` is {env, stdin}; anything else is answered with an error too. Never rejects. */
  (body: unknown): Promise<CniAnswer>;
  close(): void;
}

const bodyShape = z.object({ env: z.record(z.string(), z.string()), stdin: z.string() });

/** Opens a netlink socket, which `close` closes. */
export function createCniHandler({ node, netns }: CniHandlerOptions): CniHandler {
  const wiring = createWiring({ netns });
  const context = {
    wiring,
    node() {
      const network = node();
      if (network === undefined)
        throw new CniError(cniCodes.tryAgainLater, 'The node has no pod subnet yet: the agent has no lease');
      return network;
    },
  };
  const handle = async (body: unknown): Promise<CniAnswer> => {
    const parsed = bodyShape.safeParse(body);
    if (!parsed.success)
      return failedOutput(new CniError(cniCodes.decoding, 'Cannot read the request: want {env, stdin}'), '');
    const { exitCode, stdout } = await runPlugin(parsed.data, context);
    return { exitCode, stdout };
  };
  return Object.assign(handle, { close: () => wiring.close() });
}
