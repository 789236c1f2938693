// Events about Nodes, for whoever asks kubectl what is wrong: few, each once an hour, none of them waited for. All nodes see a peer that
// is refused, so the name of an event follows from what it says: the first node writes it, the others find it there.
import { createHash } from 'node:crypto';
import { isApiError } from './api/api-error.ts';
import type { KubeClient } from './api/kube-client.ts';

/** Events about Nodes, which have no namespace, are there. */
const namespace = 'default';

/** How long the API server keeps an event. */
const keptMs = 60 * 60_000;

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
  /** Milliseconds since 1970. */
  readonly now?: () => number;
  readonly random?: () => number;
}

export class EventRecorder {
  readonly #client: KubeClient;
  readonly #now: () => number;
  readonly #random: () => number;
  readonly #abort = new AbortController();
  readonly #timers = new Set<NodeJS.Timeout>();
  /** When each was told last, by name. */
  readonly #told = new Map<string, number>();
  #refused = false;

  constructor({ client, now = Date.now, random = Math.random }: EventRecorderOptions) {
    this.#client = client;
    this.#now = now;
    this.#random = random;
  }

  /** `teller`: our own Node. */
  record(event: NodeEvent, teller: string): void {
    const now = this.#now();
    for (const [name, at] of this.#told) if (now - at >= keptMs) this.#told.delete(name);
    const name = nameOf(event);
    const lately = [...this.#told.values()].filter((at) => now - at < most.inMs).length;
    if (this.#refused || this.#told.has(name) || lately >= most.events) return;
    this.#told.set(name, now);
    const pauseMs = event.node === teller ? 0 : this.#random() * longestPauseMs;
    const timer = setTimeout(() => {
      this.#timers.delete(timer);
      void this.#post(name, event, teller);
    }, pauseMs);
    timer.unref();
    this.#timers.add(timer);
  }

  close(): void {
    this.#abort.abort();
    for (const timer of this.#timers) clearTimeout(timer);
    this.#timers.clear();
  }

  async #post(name: string, event: NodeEvent, teller: string): Promise<void> {
    const { node, type, reason, message } = event;
    const time = new Date(this.#now()).toISOString().replace(/\.\d+Z$/, 'Z');
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
      if (isApiError(error, 403)) this.#refused = true;
      else if (!isApiError(error, 409)) this.#told.delete(name);
    }
  }
}

function nameOf({ node, reason, message }: NodeEvent): string {
  const digest = createHash('sha256').update(`${reason}\n${message}`).digest('hex').slice(0, 16);
  // A name has at most 253 characters.
  return `${node.slice(0, 200)}.${digest}`;
}
