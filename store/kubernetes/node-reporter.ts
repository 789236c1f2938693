// Tells the cluster how this node's network does: condition NetworkUnavailable of its Node, and events. From reports that come after
// each pass; what has not changed costs nothing.
import type { NodeReport } from '../lease-store.ts';
import { type ApiError, isApiError } from './api/api-error.ts';
import type { KubeClient } from './api/kube-client.ts';
import type { EventRecorder } from './event-recorder.ts';
import { nodeObject } from './node-lease.ts';
import type { KubeNode } from './parse-node.ts';

/** Until then a node that is not ready may be one that is being mended: a taint on it would move its pods about. */
const patienceMs = 60_000;

/** From a patch that failed to the next one. */
const retryMs = 15_000;

/** Kubernetes allows 32 kB; a condition is to be read. */
const longestMessage = 1024;

export const reasons = { up: 'NetloomIsUp', down: 'NetloomIsNotReady' } as const;

export interface NodeReporterOptions {
  readonly client: KubeClient;
  readonly events: EventRecorder;
  /** flannel's --set-node-network-unavailable. */
  readonly setsCondition: boolean;
  /** Milliseconds since 1970. */
  readonly now?: () => number;
  /** Hears of what could not be told, and that it could again. */
  readonly onTrouble: (error: ApiError | undefined) => void;
}

export class NodeReporter {
  readonly #client: KubeClient;
  readonly #events: EventRecorder;
  readonly #setsCondition: boolean;
  readonly #now: () => number;
  readonly #onTrouble: NodeReporterOptions['onTrouble'];
  readonly #abort = new AbortController();
  #notReadySince: number | undefined;
  #wasReady: boolean | undefined;
  #patching = false;
  #retryAt = 0;
  #trouble = false;

  constructor({ client, events, setsCondition, now = Date.now, onTrouble }: NodeReporterOptions) {
    this.#client = client;
    this.#events = events;
    this.#setsCondition = setsCondition;
    this.#now = now;
    this.#onTrouble = onTrouble;
  }

  /** `node`: ours, as it was last seen. */
  hear({ ready, blockers, problems }: NodeReport, node: KubeNode): void {
    const now = this.#now();
    if (ready) this.#notReadySince = undefined;
    else this.#notReadySince ??= now;
    const isDown = this.#notReadySince !== undefined && now - this.#notReadySince >= patienceMs;
    const why = blockers.join('; ').slice(0, longestMessage);
    for (const { object, message } of problems) {
      const about = /^nodes\/([^/]+)$/.exec(object)?.[1];
      this.#events.record(
        {
          node: about ?? node.name,
          type: 'Warning',
          reason: about === undefined ? 'NetworkProblem' : 'LeaseRefused',
          message,
        },
        node.name,
      );
    }
    if (ready && this.#wasReady !== true) {
      const message = 'The network of the node is ready';
      this.#events.record({ node: node.name, type: 'Normal', reason: 'NetworkReady', message }, node.name);
    }
    if (isDown) {
      this.#events.record(
        { node: node.name, type: 'Warning', reason: 'NetworkNotReady', message: why },
        node.name,
      );
    }
    if (ready || isDown) this.#wasReady = ready;
    if (!this.#setsCondition || !(ready || isDown)) return;
    const { networkUnavailable: has } = node;
    const status = ready ? 'False' : 'True';
    // A condition that somebody else set to the same says enough.
    if (has?.status === status || this.#patching || now < this.#retryAt) return;
    this.#patching = true;
    void this.#patch(node, {
      type: 'NetworkUnavailable',
      status,
      reason: ready ? reasons.up : reasons.down,
      message: ready ? 'Netloom is running on this node' : why,
    });
  }

  close(): void {
    this.#abort.abort();
  }

  async #patch(node: KubeNode, condition: Readonly<Record<string, string>>): Promise<void> {
    const time = new Date(this.#now()).toISOString().replace(/\.\d+Z$/, 'Z');
    try {
      await this.#client.text({
        method: 'PATCH',
        path: `/api/v1/nodes/${node.name}/status`,
        // Conditions are merged by their type: those of others are not touched, whatever they are by now.
        contentType: 'application/strategic-merge-patch+json',
        body: {
          status: { conditions: [{ ...condition, lastHeartbeatTime: time, lastTransitionTime: time }] },
        },
        signal: this.#abort.signal,
      });
      // The watch is about to show it; until then it is not to be told again.
      this.#retryAt = this.#now() + retryMs;
      if (this.#trouble) this.#onTrouble(undefined);
      this.#trouble = false;
    } catch (error) {
      if (this.#abort.signal.aborted || !isApiError(error)) return;
      this.#retryAt = this.#now() + Math.max(retryMs, error.retryAfterMs ?? 0);
      this.#trouble = true;
      this.#onTrouble(error);
    } finally {
      this.#patching = false;
    }
  }
}

/** The object of problems with the condition. */
export function statusObject(node: string): string {
  return `${nodeObject(node)}/status`;
}
