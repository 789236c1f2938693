// Services and EndpointSlices of an API server, with kube-proxy's selectors. The first batch comes when both are listed; then what
// changed, as soon as it is heard, but what a slow reader missed in between. Holds typed values only; an object that turned bad keeps
// what it last said.

import { isDeepStrictEqual } from 'node:util';
import { Pulse } from '../../runtime/pulse.ts';
import { type EndpointSlice, sliceKey } from '../endpoint-slice.ts';
import type { StoreProblem } from '../lease-store.ts';
import { type Service, serviceKey } from '../service.ts';
import type { ServiceBatch, ServiceSource } from '../service-source.ts';
import type { SourceSurroundings } from '../source-status.ts';
import type { ApiError } from './api/api-error.ts';
import type { KubeClient } from './api/kube-client.ts';
import { listWatch } from './api/list-watch.ts';
import { isDnsLabel, isDnsSubdomain } from './dns-name.ts';
import { ObjectFields } from './object-fields.ts';
import { headlessLabel, objectName, proxyNameLabel } from './object-metadata.ts';
import { parseEndpointSlice } from './parse-endpoint-slice.ts';
import { parseService } from './parse-service.ts';
import { tellServerStatus } from './server-status.ts';

export interface KubernetesServiceSourceOptions {
  /** Closed with the source. */
  readonly client: KubeClient;
  /** Services with this value of label service.kubernetes.io/service-proxy-name; undefined: those without the label. */
  readonly proxyName?: string | undefined;
  readonly retry?: { readonly min: number; readonly max: number };
  readonly onStatus?: SourceSurroundings['onStatus'] | undefined;
}

/** An object of the server, read. */
interface ReadObject<Value> {
  /** Empty when it has no name that Kubernetes allows. */
  readonly key: string;
  /** Undefined: it cannot be used. Null: no proxy looks at it. */
  readonly value: Value | undefined | null;
  readonly problems: readonly StoreProblem[];
}

export function createKubernetesServiceSource(options: KubernetesServiceSourceOptions): ServiceSource {
  return new KubernetesServiceSource(options);
}

class KubernetesServiceSource implements ServiceSource {
  readonly #options: KubernetesServiceSourceOptions;
  readonly #abort = new AbortController();
  readonly #services = new Kind<Service>(() => this.#changed.beat());
  readonly #slices = new Kind<EndpointSlice>(() => this.#changed.beat());
  readonly #troubles = new Map<string, ApiError>();
  #following: Promise<unknown> | undefined;
  #isWatched = false;
  #isTold = false;
  /** The troubles are others than a reader knows. */
  #hasTroubles = false;
  readonly #changed = new Pulse();

  constructor(options: KubernetesServiceSourceOptions) {
    this.#options = options;
  }

  async *watch(signal: AbortSignal): AsyncGenerator<ServiceBatch, void, undefined> {
    const { client } = this.#options;
    if (this.#isWatched) throw new Error(`Cannot watch the services of ${client.server} twice at a time`);
    this.#isWatched = true;
    this.#following ??= this.#follow();
    const wake = () => this.#changed.beat();
    signal.addEventListener('abort', wake, { once: true });
    let isFirst = true;
    try {
      while (!this.#abort.signal.aborted && !signal.aborted) {
        const changed = this.#changed.next;
        const batch = this.#takeBatch(isFirst);
        if (batch === undefined) await changed;
        else {
          isFirst = false;
          yield batch;
        }
      }
    } finally {
      signal.removeEventListener('abort', wake);
      this.#isWatched = false;
    }
  }

  async close(): Promise<void> {
    this.#abort.abort(new Error('The source is closed'));
    this.#changed.beat();
    await this.#following;
    this.#options.client.close();
  }

  #takeBatch(isFirst: boolean): ServiceBatch | undefined {
    const [services, slices] = [this.#services, this.#slices];
    // Services without their endpoints would refuse what must not be refused.
    if (!services.isListed || !slices.isListed) return undefined;
    const isNews =
      isFirst ||
      this.#hasTroubles ||
      services.hasChanges ||
      slices.hasChanges ||
      services.hasProblems ||
      slices.hasProblems;
    if (!isNews) return undefined;
    this.#hasTroubles = false;
    const heardAt = Math.min(services.heardAt ?? Infinity, slices.heardAt ?? Infinity, performance.now());
    const troubles = [...this.#troubles.values()].map(({ object, message }) => ({ object, message }));
    return {
      services: isFirst ? services.takeAll() : services.takeChanges(),
      slices: isFirst ? slices.takeAll() : slices.takeChanges(),
      problems: [...troubles, ...services.takeProblems(), ...slices.takeProblems()],
      heardAt,
    };
  }

  #follow(): Promise<unknown> {
    const { client, proxyName, retry } = this.#options;
    const ours = proxyName === undefined ? `!${proxyNameLabel}` : `${proxyNameLabel}=${proxyName}`;
    const follow = <Value>(
      path: string,
      labelSelector: string,
      kind: Kind<Value>,
      read: (object: unknown) => ReadObject<Value>,
    ) =>
      listWatch<ReadObject<Value>>(
        {
          client,
          path,
          query: { labelSelector },
          read,
          listener: {
            replace: (objects) => kind.replace(objects),
            put: (object) => kind.put(object),
            remove: ({ key }) => kind.remove(key),
            trouble: (error) => this.#hearTrouble(path, error),
          },
          ...(retry === undefined ? {} : { retry }),
        },
        this.#abort.signal,
      );
    return Promise.all([
      follow('/api/v1/services', `${ours},!${headlessLabel}`, this.#services, readService),
      // Their controllers give slices the labels of their services; who makes his own slices may leave the proxy's name out.
      follow(
        '/apis/discovery.k8s.io/v1/endpointslices',
        proxyName === undefined ? `${ours},!${headlessLabel}` : `!${headlessLabel}`,
        this.#slices,
        readSlice,
      ),
    ]);
  }

  #hearTrouble(path: string, error: ApiError | undefined): void {
    const before = this.#troubles.get(path);
    if (error === undefined) this.#troubles.delete(path);
    else this.#troubles.set(path, error);
    const isFirst = !this.#isTold;
    this.#isTold = true;
    if (!isFirst && before?.message === error?.message) return;
    const { onStatus, client } = this.#options;
    const [one] = this.#troubles.values();
    tellServerStatus(onStatus, { server: client.server, error: one });
    if (before?.message === error?.message) return;
    this.#hasTroubles = true;
    this.#changed.beat();
  }
}

/** All objects of one kind, and what changed since somebody asked. */
class Kind<Value> {
  readonly #onNews: () => void;
  readonly #values = new Map<string, Value>();
  /** What changed since somebody asked, with the value before. */
  readonly #before = new Map<string, Value | undefined>();
  readonly #problems = new Map<string, readonly StoreProblem[]>();
  isListed = false;
  hasProblems = false;
  /** When the oldest of what changed was heard of. */
  heardAt: number | undefined;

  constructor(onNews: () => void) {
    this.#onNews = onNews;
  }

  get hasChanges(): boolean {
    return this.#before.size > 0;
  }

  replace(objects: readonly ReadObject<Value>[]): void {
    const now = new Set(objects.map(({ key }) => key));
    for (const key of [...this.#values.keys()]) if (!now.has(key)) this.#set(key, undefined);
    for (const key of [...this.#problems.keys()]) if (!now.has(key)) this.#setProblems(key, []);
    for (const object of objects) this.#take(object);
    this.isListed = true;
    this.#onNews();
  }

  put(object: ReadObject<Value>): void {
    this.#take(object);
    if (this.hasChanges || this.hasProblems) this.#onNews();
  }

  remove(key: string): void {
    this.#set(key, undefined);
    this.#setProblems(key, []);
    if (this.hasChanges || this.hasProblems) this.#onNews();
  }

  takeAll(): ReadonlyMap<string, Value | undefined> {
    this.#before.clear();
    this.heardAt = undefined;
    return new Map(this.#values);
  }

  takeChanges(): ReadonlyMap<string, Value | undefined> {
    const changes = new Map<string, Value | undefined>();
    for (const key of this.#before.keys()) changes.set(key, this.#values.get(key));
    this.#before.clear();
    this.heardAt = undefined;
    return changes;
  }

  takeProblems(): readonly StoreProblem[] {
    this.hasProblems = false;
    return [...this.#problems.values()].flat();
  }

  #take({ key, value, problems }: ReadObject<Value>): void {
    this.#setProblems(key, problems);
    if (value === undefined || key === '') return;
    this.#set(key, value ?? undefined);
  }

  #set(key: string, value: Value | undefined): void {
    const had = this.#values.get(key);
    if (isDeepStrictEqual(had, value)) return;
    if (!this.#before.has(key)) this.#before.set(key, had);
    // What was changed and changed back is no news.
    else if (isDeepStrictEqual(this.#before.get(key), value)) this.#before.delete(key);
    if (value === undefined) this.#values.delete(key);
    else this.#values.set(key, value);
    if (this.#before.size === 0) this.heardAt = undefined;
    else this.heardAt ??= performance.now();
  }

  #setProblems(key: string, problems: readonly StoreProblem[]): void {
    const had = this.#problems.get(key) ?? [];
    if (isDeepStrictEqual(had, problems)) return;
    this.hasProblems = true;
    if (problems.length === 0) this.#problems.delete(key);
    else this.#problems.set(key, problems);
  }
}

function readService(value: unknown): ReadObject<Service> {
  return readObject(value, {
    kind: 'Service',
    isName: isDnsLabel,
    parse: (object, name) => parseService(object, name),
    keyOf: serviceKey,
  });
}

function readSlice(value: unknown): ReadObject<EndpointSlice> {
  return readObject(value, {
    kind: 'EndpointSlice',
    isName: isDnsSubdomain,
    parse(object, name) {
      const slices = parseEndpointSlice(object, name);
      return slices === undefined ? undefined : (slices[0] ?? null);
    },
    keyOf: sliceKey,
  });
}

function readObject<Value>(
  value: unknown,
  {
    kind,
    isName,
    parse,
    keyOf,
  }: {
    readonly kind: string;
    readonly isName: (name: string) => boolean;
    readonly parse: (
      object: ObjectFields,
      name: { readonly namespace: string; readonly name: string },
    ) => Value | undefined | null;
    readonly keyOf: (name: { readonly namespace: string; readonly name: string }) => string;
  },
): ReadObject<Value> {
  const object = ObjectFields.of(value);
  const name = object === undefined ? undefined : objectName(object, { isName });
  if (object === undefined || name === undefined) {
    const problems = (object?.notes ?? ['want an object']).map((message) => ({ object: kind, message }));
    return { key: '', value: undefined, problems };
  }
  const key = keyOf(name);
  const parsed = parse(object, name);
  const problems = [...new Set(object.notes)].map((message) => ({ object: `${kind} "${key}"`, message }));
  return { key, value: parsed, problems };
}
