// Services in etcd: each key below a prefix holds a Service, EndpointSlice or Endpoints object, or a List of them, as JSON. Puts together
// the keys that are followed (key-follower.ts) and what counts of the objects in them (service-index.ts).
import { Pulse } from '../../runtime/pulse.ts';
import { Breather } from '../breather.ts';
import { parseManifestSteps } from '../kubernetes/parse-manifests.ts';
import type { StoreProblem } from '../lease-store.ts';
import { ServiceIndex } from '../service-index.ts';
import type { ServiceBatch, ServiceSource } from '../service-source.ts';
import type { SourceSurroundings } from '../source-status.ts';
import { EtcdClient } from './etcd-client.ts';
import { problemText } from './etcd-error.ts';
import type { EtcdOptions } from './etcd-options.ts';
import { type KeyChanges, KeyFollower } from './key-follower.ts';
import { keysBelow } from './key-range.ts';
import type { KeyValue } from './messages.ts';

export interface EtcdServiceSourceOptions extends EtcdOptions {
  /** All keys below it are looked at. */
  readonly prefix: string;
}

export class EtcdServiceSource implements ServiceSource {
  readonly #client: EtcdClient;
  readonly #prefix: string;
  readonly #onStatus: NonNullable<SourceSurroundings['onStatus']>;
  readonly #closing = new AbortController();
  #running: Promise<void> = Promise.resolve();

  /** Throws StoreError `invalid` for files that cannot be read. */
  constructor(
    { prefix, ...etcd }: EtcdServiceSourceOptions,
    { onStatus = () => {} }: SourceSurroundings = {},
  ) {
    this.#client = new EtcdClient(etcd);
    this.#prefix = `${prefix.replace(/\/+$/, '')}/`;
    this.#onStatus = onStatus;
  }

  async *watch(signal: AbortSignal): AsyncGenerator<ServiceBatch, void, undefined> {
    const ended = new AbortController();
    const until = AbortSignal.any([signal, this.#closing.signal, ended.signal]);
    const contents = new ServiceKeys();
    let problem: string | undefined;
    let hasTold = false;
    const tell = (now: string | undefined) => {
      // The first reason of an outage stays: the others come and go.
      if (hasTold && (now === undefined) === (problem === undefined)) return;
      hasTold = true;
      problem = now;
      const status = { kind: 'etcd', servers: this.#client.endpoints, connected: now === undefined } as const;
      this.#onStatus({ ...status, problem: now ?? null }, now);
      contents.wake();
    };
    const follower = new KeyFollower(
      { client: this.#client, ranges: [keysBelow(this.#prefix)] },
      {
        keys: (changes, { isWhole }) => contents.hear(changes, isWhole),
        connected: () => tell(undefined),
        broken: (error) => tell(problemText(error, this.#client.place)),
      },
    );
    const running = follower.run(until);
    this.#running = running;
    try {
      let given: string | undefined;
      while (!until.aborted) {
        const changes = await contents.read(until);
        const unheard = problem === undefined ? [] : [{ object: 'etcd', message: problem }];
        const problems = [...unheard, ...contents.problems];
        const text = JSON.stringify(problems);
        // Nothing is everything only when etcd has said so.
        const isNews = changes !== undefined && (!contents.isGiven || hasChanges(changes) || text !== given);
        if (isNews && !until.aborted) {
          given = text;
          contents.isGiven = true;
          yield { ...changes, problems };
        } else await contents.changed(until);
      }
    } finally {
      ended.abort();
      await running;
    }
  }

  async close(): Promise<void> {
    this.#closing.abort(new Error('The source is closed'));
    await this.#running;
    this.#client.close();
  }
}

function hasChanges({ services, slices }: Pick<ServiceBatch, 'services' | 'slices'>): boolean {
  return services.size > 0 || slices.size > 0;
}

/** What the keys hold, brought up to date piece by piece. */
class ServiceKeys {
  isGiven = false;
  readonly #index = new ServiceIndex({ nameOf: (key) => key });
  readonly #breather = new Breather();
  /** By key: what was read last. */
  readonly #read = new Map<string, bigint>();
  /** What is still to be read; undefined: it is gone. Values are kept no longer than that. */
  readonly #work = new Map<string, KeyValue | undefined>();
  #hasHeard = false;
  #heardAt: number | undefined;
  #isNew = false;
  readonly #heard = new Pulse();

  get problems(): readonly StoreProblem[] {
    return this.#index.problems;
  }

  /** `isWhole`: there are no other keys. */
  hear(changes: KeyChanges, isWhole: boolean): void {
    this.#hasHeard = true;
    this.#heardAt ??= performance.now();
    if (isWhole)
      for (const key of [...this.#read.keys(), ...this.#work.keys()])
        if (!changes.has(key)) this.#work.set(key, undefined);
    for (const [key, kv] of changes) this.#work.set(key, kv);
    this.wake();
  }

  wake(): void {
    this.#isNew = true;
    this.#heard.beat();
  }

  /** Resolves when something was heard since the last call, or the signal aborts. */
  async changed(signal: AbortSignal): Promise<void> {
    if (!this.#isNew) await this.#heard.nextOrAbort(signal);
    this.#isNew = false;
  }

  /** Undefined before etcd has said anything. */
  async read(signal: AbortSignal): Promise<Omit<ServiceBatch, 'problems'> | undefined> {
    if (!this.#hasHeard) return undefined;
    // What is heard meanwhile is read too.
    for (const [key, kv] of this.#work) {
      if (signal.aborted) break;
      this.#work.delete(key);
      for (const _ of this.#readKey(key, kv)) if (this.#breather.isDue) await this.#breather.breathe();
    }
    const changes = this.isGiven ? this.#index.takeChanges() : this.#index.takeAll();
    const heardAt = this.#heardAt ?? performance.now();
    this.#heardAt = undefined;
    return { ...changes, heardAt };
  }

  *#readKey(key: string, kv: KeyValue | undefined): Generator<undefined, void> {
    if (kv === undefined) {
      this.#read.delete(key);
      yield* this.#index.removeFile(key);
      return;
    }
    if (this.#read.get(key) === kv.mod_revision) return;
    this.#read.set(key, kv.mod_revision);
    const text = Buffer.from(kv.value).toString('utf8');
    if (/^\s*\{/.test(text)) {
      yield* this.#index.setFile(key, yield* parseManifestSteps(text, { file: key }));
      return;
    }
    // Not whole: what the key held before is kept.
    const problems = [{ object: key, message: 'Cannot read it: want a JSON object' }];
    yield* this.#index.setFile(key, { manifests: [], problems, skipped: new Map(), whole: false });
  }
}
