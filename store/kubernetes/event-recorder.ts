// Events about Nodes, for whoever asks kubectl what is wrong: few, each once an hour, none of them waited for. All nodes see a peer that
// is refused, so the name of an event follows from what it says: the first node writes it, the others find it there.
import { createHash } from 'node:crypto';
import { type Clock, realClock } from '../../runtime/clock.ts';
import { isApiError } from './api/api-error.ts';
import type { KubeClient } from './api/kube-client.ts';

/** Events about Nodes, which have no namespace, are there. */
const namespace = 'default';

/** The API server keeps an event for an hour (--event-ttl): a little longer, because until then its name is taken. */
const keptMs = 61 * 60_000;

/** After an event that the server did not take none is offered for so long, and up to as much again by chance: it fails for all nodes. */
const retryMs = 40_000;

/** At most so many in so long. */
const most = { events: 25, inMs: 10 * 60_000 } as const;

/** Kubernetes allows as much. */
const longestMessage = 1024;

/** All nodes hear of a bad peer at one moment, and are not to tell it at one moment. */
const longestPauseMs = 30_000;

export interface NodeEvent {
  /** The Node that it is about. */
  readonly node: string;
  readonly type: 'Normal' | 'Warning';
  /** One word in CamelCase. */
  readonly reason: string;
  readonly message: string;
}

export interface EventRecorderOptions {
  readonly client: KubeClient;
  /** Of pauses and of what was told; events are dated by the wall clock. */
  readonly clock?: Clock;
  readonly random?: () => number;
}

export class EventRecorder {
  readonly #client: KubeClient;
  readonly #clock: Clock;
  readonly #random: () => number;
  readonly #abort = new AbortController();
  readonly #pauses = new Set<() => void>();
  /** Until when each is not told again, by name. */
  readonly #told = new Map<string, number>();
  /** When the last ones were told. */
  #lately: readonly number[] = [];
  /** None is offered before. */
  #pausedUntil = 0;

  constructor({ client, clock = realClock, random = Math.random }: EventRecorderOptions) {
    this.#client = client;
    this.#clock = clock;
    this.#random = random;
  }

  /** `teller`: our own Node. */
  record(event: NodeEvent, teller: string): void {
    const now = this.#clock.now();
    for (const [name, until] of this.#told) if (now >= until) this.#told.delete(name);
    this.#lately = this.#lately.filter((at) => now - at < most.inMs);
    const name = nameOf(event);
    if (now < this.#pausedUntil || this.#told.has(name) || this.#lately.length >= most.events) return;
    this.#told.set(name, now + keptMs);
    this.#lately = [...this.#lately, now];
    const pauseMs = event.node === teller ? 0 : this.#random() * longestPauseMs;
    const cancel = this.#clock.setTimer(pauseMs, () => {
      this.#pauses.delete(cancel);
      void this.#post(name, event, teller);
    });
    this.#pauses.add(cancel);
  }

  close(): void {
    this.#abort.abort();
    for (const cancel of this.#pauses) cancel();
    this.#pauses.clear();
  }

  async #post(name: string, event: NodeEvent, teller: string): Promise<void> {
    const { node, type, reason, message } = event;
    const time = new Date().toISOString().replace(/\.\d+Z$/, 'Z');
    try {
      await this.#client.text({
        method: 'POST',
        path: `/api/v1/namespaces/${namespace}/events`,
        body: {
          apiVersion: 'v1',
          kind: 'Event',
          metadata: { name, namespace },
          // As kubelet does, and kubectl looks for it: a Node's events have its name for a UID.
          involvedObject: { apiVersion: 'v1', kind: 'Node', name: node, uid: node },
          type,
          reason,
          message: message.slice(0, longestMessage),
          source: { component: 'netloom', host: teller },
          reportingComponent: 'netloom',
          reportingInstance: teller,
          firstTimestamp: time,
          lastTimestamp: time,
          count: 1,
        },
        signal: this.#abort.signal,
      });
    } catch (error) {
      // Whoever may not write events goes on without; another node was faster; a server that is away hears it in its time.
      const now = this.#clock.now();
      if (isApiError(error, 403)) this.#pausedUntil = now + keptMs;
      else if (!isApiError(error, 409)) {
        this.#told.delete(name);
        const wait = isApiError(error) ? (error.retryAfterMs ?? 0) : 0;
        this.#pausedUntil = now + Math.max(retryMs * (1 + this.#random()), wait);
      }
    }
  }
}

function nameOf({ node, reason, message }: NodeEvent): string {
  const digest = createHash('sha256').update(`${reason}\n${message}`).digest('hex').slice(0, 16);
  // A name has at most 253 characters, and none of its parts ends with a dash.
  return `${node.slice(0, 200).replace(/[^a-z0-9]+$/, '')}.${digest}`;
}
