// The agent's answer to POST /cni: the plugin's work, done in a process that is there already and knows the node.
import { CniError, cniCodes } from '../agent/wiring/cni-error.ts';
import type { NodeNetwork } from '../agent/wiring/node-network.ts';
import type { PodFirewall } from '../agent/wiring/pod-firewall.ts';
import { createWiring, type Wiring } from '../agent/wiring/wiring.ts';
import type { Netns } from '../kernel/netns.ts';
import { errorMessage } from '../runtime/error-text.ts';
import { decodeCall } from './call-body.ts';
import { replayDelQueue } from './del-queue.ts';
import { failedOutput, type PluginOutput, runPlugin } from './plugin.ts';
import { runCall } from './run-call.ts';

export interface CniHandlerOptions {
  /** The node's network as the agent has it now; undefined while it has no lease. */
  readonly node: () => NodeNetwork | undefined;
  /** The agent's: holds the queue of DELs. */
  readonly stateDirectory: string;
  /** The node's namespace; the process's own if absent. */
  readonly netns?: Netns | undefined;
  /** Carries the pods' rules; opened if absent. */
  readonly firewall?: PodFirewall | undefined;
  /** Done once, before the first ADD: what dead pods have of addresses and ports is free then. Must not reject. */
  readonly prepare?: (wiring: Wiring) => Promise<void>;
  /** Gets what no answer says: queued DELs that fail, ADDs that could not be undone. */
  readonly report?: (problem: string) => void;
}

export interface CniCallOptions {
  /** Aborted when whoever asked is gone. */
  readonly signal?: AbortSignal;
}

export interface CniHandler {
  /** `body` is that of call-body.ts; anything else is answered with an error too. Never rejects. */
  (body: Buffer, options?: CniCallOptions): Promise<PluginOutput>;
  /** Does what comes before the first ADD, unless it is done. Never rejects. */
  prepare(): Promise<void>;
  /** Runs the queued DELs, as far as they can be done within a few seconds. Never rejects. */
  replay(): Promise<void>;
  close(): Promise<void>;
}

/** Milliseconds; the first ADD waits for the queue. */
const longestReplay = 5000;

/** Opens a netlink socket, which `close` closes. */
export function createCniHandler(options: CniHandlerOptions): CniHandler {
  const { node, stateDirectory, netns, firewall, report = () => undefined } = options;
  const doBefore = options.prepare ?? (async () => undefined);
  const wiring = createWiring({ netns, firewall });
  const closed = new AbortController();
  const context = {
    wiring,
    node() {
      const network = node();
      if (network === undefined)
        throw new CniError(cniCodes.tryAgainLater, 'The node has no pod subnet yet: the agent has no lease');
      return network;
    },
  };

  async function replay(): Promise<void> {
    try {
      const { kept, spoilt } = await replayDelQueue({
        stateDirectory,
        run: (input) => runPlugin(input, context),
        timeLimit: longestReplay,
        signal: closed.signal,
      });
      for (const problem of spoilt) report(problem);
      for (const { containerId, ifname, why } of kept)
        report(`The queued DEL of interface "${ifname}" of container "${containerId}" fails: ${why}`);
    } catch (error) {
      report(`Cannot run the queued DELs in "${stateDirectory}": ${errorMessage(error)}`);
    }
  }

  let first: Promise<void> | undefined;
  function prepare(): Promise<void> {
    first ??= replay().then(() => doBefore(wiring));
    return first;
  }

  async function handle(body: Buffer, { signal }: CniCallOptions = {}): Promise<PluginOutput> {
    const input = decodeCall(body);
    if (input === undefined)
      return failedOutput(new CniError(cniCodes.decoding, 'Cannot read the request: it is no CNI call'), '');
    const prepared = prepare();
    if (input.env['CNI_COMMAND'] === 'ADD') await prepared;
    return await runCall(input, { context, signal, report });
  }

  return Object.assign(handle, {
    prepare,
    replay,
    async close() {
      closed.abort();
      await wiring.close();
    },
  });
}
