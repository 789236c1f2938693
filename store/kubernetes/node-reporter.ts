// Tells the cluster how this node's network does: condition NetworkUnavailable of its Node, and events. From reports that come after
// each pass, and by its own clock when a report has to stand for a while first; what has not changed costs nothing.
import { type Clock, realClock } from '../../runtime/clock.ts';
import type { NodeReport } from '../lease-store.ts';
import { type ApiError, isApiError } from './api/api-error.ts';
import type { KubeClient } from './api/kube-client.ts';
import type { EventRecorder, NodeEvent } from './event-recorder.ts';
import { nodeObject } from './node-lease.ts';
import type { KubeNode } from './parse-node.ts';

/** Until then a node that is not ready may be one that is being mended: a taint on it would move its pods about. */
const patienceMs = 60_000;

/**
 * From a patch to the next one for the same: the watch is about to show it, or the server is away. After one that failed it is up to as
 * much again by chance: all nodes fail when the server does.
 */
const retryMs = 15_000;

/** Kubernetes allows 32 kB; a condition is to be read. */
const longestMessage = 1024;

export const reasons = { up: 'NetloomIsUp', down: 'NetloomIsNotReady' } as const;

export interface NodeReporterOptions {
  readonly client: KubeClient;
  readonly events: EventRecorder;
  /** flannel's --set-node-network-unavailable. */
  readonly setsCondition: boolean;
  /** Our Node as it was last seen. */
  readonly ownNode: () => KubeNode | undefined;
  /** Of patience and pauses; what is written is dated by the wall clock. */
  readonly clock?: Clock;
  readonly random?: () => number;
  /** Hears of what could not be told, and that it could again. */
  readonly onTrouble: (error: ApiError | undefined) => void;
}

export class NodeReporter {
  readonly #client: KubeClient;
  readonly #events: EventRecorder;
  readonly #setsCondition: boolean;
  readonly #ownNode: NodeReporterOptions['ownNode'];
  readonly #clock: Clock;
  readonly #random: () => number;
  readonly #onTrouble: NodeReporterOptions['onTrouble'];
  readonly #abort = new AbortController();
  #report: NodeReport | undefined;
  #notReadySince: number | undefined;
  #wasReady: boolean | undefined;
  #isPatching = false;
  #retryAt = 0;
  #hasTrouble = false;
  /** What we wrote last: it counts until the watch had its time to show it. */
  #said: { readonly status: string; readonly until: number } | undefined;
  #cancelLook = (): void => {};

  constructor({
    client,
    events,
    setsCondition,
    ownNode,
    clock = realClock,
    random = Math.random,
    onTrouble,
  }: NodeReporterOptions) {
    this.#client = client;
    this.#events = events;
    this.#setsCondition = setsCondition;
    this.#ownNode = ownNode;
    this.#clock = clock;
    this.#random = random;
    this.#onTrouble = onTrouble;
  }

  hear(report: NodeReport): void {
    this.#report = report;
    if (report.ready) this.#notReadySince = undefined;
    else this.#notReadySince ??= this.#clock.now();
    const node = this.#ownNode();
    if (node === undefined) return;
    for (const { object, message } of report.problems) {
      const about = /^nodes\/([^/]+)$/.exec(object)?.[1];
      const reason = about === undefined ? 'NetworkProblem' : 'LeaseRefused';
      this.#record(node, { about: about ?? node.name, type: 'Warning', reason, message });
    }
    this.#look();
  }

  close(): void {
    this.#cancelLook();
    this.#abort.abort();
  }

  #record(
    { name }: KubeNode,
    { about, ...event }: Omit<NodeEvent, 'node'> & { readonly about: string },
  ): void {
    this.#events.record({ ...event, node: about }, name);
  }

  /** What the last report amounts to by now. */
  #look(): void {
    this.#cancelLook();
    const [node, report, now] = [this.#ownNode(), this.#report, this.#clock.now()];
    if (node === undefined || report === undefined) return;
    const { ready } = report;
    const patience = this.#notReadySince === undefined ? 0 : this.#notReadySince + patienceMs - now;
    if (patience > 0) {
      this.#lookAfter(patience);
      return;
    }
    const why = report.blockers.join('; ').slice(0, longestMessage);
    const about = node.name;
    if (!ready) this.#record(node, { about, type: 'Warning', reason: 'NetworkNotReady', message: why });
    else if (this.#wasReady !== true) {
      const message = 'The network of the node is ready';
      this.#record(node, { about, type: 'Normal', reason: 'NetworkReady', message });
    }
    this.#wasReady = ready;
    if (this.#setsCondition) this.#setCondition(node, { ready, why });
  }

  #setCondition(node: KubeNode, { ready, why }: { readonly ready: boolean; readonly why: string }): void {
    const now = this.#clock.now();
    const status = ready ? 'False' : 'True';
    const said = this.#said !== undefined && now < this.#said.until ? this.#said.status : undefined;
    // A condition that somebody else set to the same says enough.
    if ((said ?? node.networkUnavailable?.status) === status || this.#isPatching) return;
    if (now < this.#retryAt) {
      this.#lookAfter(this.#retryAt - now);
      return;
    }
    this.#isPatching = true;
    void this.#patch(node, {
      type: 'NetworkUnavailable',
      status,
      reason: ready ? reasons.up : reasons.down,
      message: ready ? 'Netloom is running on this node' : why,
    });
  }

  #lookAfter(milliseconds: number): void {
    this.#cancelLook = this.#clock.setTimer(milliseconds, () => this.#look());
  }

  async #patch(node: KubeNode, condition: Condition): Promise<void> {
    const time = new Date().toISOString().replace(/\.\d+Z$/, 'Z');
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
      this.#said = { status: condition.status, until: this.#clock.now() + retryMs };
      if (this.#hasTrouble) this.#onTrouble(undefined);
      this.#hasTrouble = false;
    } catch (error) {
      if (this.#abort.signal.aborted || !isApiError(error)) return;
      this.#retryAt = this.#clock.now() + Math.max(retryMs * (1 + this.#random()), error.retryAfterMs ?? 0);
      this.#hasTrouble = true;
      this.#onTrouble(error);
    } finally {
      this.#isPatching = false;
    }
    // It may have become another while this was on its way.
    this.#look();
  }
}

interface Condition {
  readonly type: 'NetworkUnavailable';
  readonly status: 'True' | 'False';
  readonly reason: string;
  readonly message: string;
}

/** The object of problems with the condition. */
export function statusObject(node: string): string {
  return `${nodeObject(node)}/status`;
}
