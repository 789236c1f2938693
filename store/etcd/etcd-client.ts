// Talks to an etcd cluster: one member at a time, the next one when it fails, with TLS and a user's token. It knows requests and
// streams; what is asked is the business of key-follower.ts and the stores. Past 300 lines: calls, streams and log-ins share the member
// that is asked now, its faults and the token.
import { Client, type ClientDuplexStream, Metadata, status } from '@grpc/grpc-js';
import { StoreError } from '../store-error.ts';
import { type Endpoint, parseEndpoint } from './endpoint.ts';
import {
  type CallFault,
  callFault,
  etcdError,
  isAuthDisabled,
  isLeaseThere,
  isMembersFault,
  isTokensFault,
} from './etcd-error.ts';
import type { EtcdOptions, EtcdTlsFiles, EtcdUser } from './etcd-options.ts';
import { credentialsOf, passwordOf } from './etcd-secrets.ts';
import {
  authenticateRequest,
  authenticateResponse,
  leaseGrantRequest,
  leaseGrantResponse,
  leaseKeepAliveRequest,
  leaseKeepAliveResponse,
  leaseRevokeRequest,
  leaseRevokeResponse,
  rangeRequest,
  rangeResponse,
  txnRequest,
  txnResponse,
  type WatchResponse,
  watchRequest,
  watchResponse,
} from './messages.ts';
import type { Codec, InputOf, OutputOf } from './wire.ts';

interface Method<Out, In> {
  readonly path: string;
  readonly request: Codec<unknown, In>;
  readonly response: Codec<Out, never>;
}

function method<Out, In>(
  path: string,
  request: Codec<unknown, In>,
  response: Codec<Out, never>,
): Method<Out, In> {
  return { path: `/etcdserverpb.${path}`, request, response };
}

const methods = {
  range: method('KV/Range', rangeRequest, rangeResponse),
  txn: method('KV/Txn', txnRequest, txnResponse),
  leaseGrant: method('Lease/LeaseGrant', leaseGrantRequest, leaseGrantResponse),
  leaseRevoke: method('Lease/LeaseRevoke', leaseRevokeRequest, leaseRevokeResponse),
  keepAlive: method('Lease/LeaseKeepAlive', leaseKeepAliveRequest, leaseKeepAliveResponse),
  watch: method('Watch/Watch', watchRequest, watchResponse),
  authenticate: method('Auth/Authenticate', authenticateRequest, authenticateResponse),
};

const defaultTimeoutMs = 5000;
/** Largest message taken: 5,000 leases are under 2 MB; what is watched comes in pieces. */
const largestMessage = 64 * 1024 * 1024;

/** etcd itself drops who asks more often than every 5 s. */
const channelOptions = {
  'grpc.keepalive_time_ms': 10_000,
  'grpc.keepalive_timeout_ms': 5000,
  'grpc.max_receive_message_length': largestMessage,
  'grpc.initial_reconnect_backoff_ms': 100,
  'grpc.min_reconnect_backoff_ms': 100,
  'grpc.max_reconnect_backoff_ms': 1000,
  'grpc.use_local_subchannel_pool': 1,
  'grpc.service_config_disable_resolution': 1,
  // Nodes reach their etcd, not what http_proxy says.
  'grpc.enable_http_proxy': 0,
};

const silentMember = { code: status.DEADLINE_EXCEEDED, details: '' };

type RangeRequest = InputOf<typeof rangeRequest>;
type RangeResponse = OutputOf<typeof rangeResponse>;
type TxnRequest = InputOf<typeof txnRequest>;
type TxnResponse = OutputOf<typeof txnResponse>;
export type WatchRequest = InputOf<typeof watchRequest>;

export interface WatchStreamOptions {
  readonly requests: readonly WatchRequest[];
  readonly signal: AbortSignal;
  /** What it throws ends the watch. */
  readonly onResponse: (response: WatchResponse) => void;
}

interface CallOptions {
  /** What errors say that we could not do. */
  readonly action: string;
  readonly signal: AbortSignal;
  /** It is asked on a stream. */
  readonly isStream?: boolean;
  /** True for a fault that says: it is as you want it. */
  readonly isDone?: (fault: CallFault) => boolean;
}

interface OnceOptions<In> extends Pick<CallOptions, 'signal' | 'isStream'> {
  readonly request: In;
  readonly metadata: Metadata;
}

/** Throws StoreError `invalid` when a file cannot be read, and RangeError for an endpoint that is none. */
export class EtcdClient {
  /** All members, as messages name the cluster. */
  readonly place: string;
  /** As they were given. */
  readonly endpoints: readonly string[];
  /** In an order of our own: when a member goes, its nodes spread over all the others. */
  readonly #endpoints: readonly Endpoint[];
  readonly #tls: EtcdTlsFiles;
  readonly #user: EtcdUser | undefined;
  readonly #timeoutMs: number;
  /** By endpoint; the files of TLS are read for each new one, as they may have been replaced. */
  readonly #members = new Map<Endpoint, Client>();
  #current = 0;
  #token: Promise<string | undefined> | undefined;
  #isClosed = false;

  constructor({ endpoints, tls = {}, user, timeoutMs = defaultTimeoutMs }: EtcdOptions) {
    const members = endpoints.map((text) => {
      const endpoint = parseEndpoint(text);
      if (endpoint === undefined)
        throw new RangeError(`Cannot reach etcd at "${text}": it is no URL of a member`);
      return endpoint;
    });
    this.endpoints = members.map(({ url }) => url);
    this.place = this.endpoints.join(', ');
    this.#endpoints = inAnyOrder(members);
    this.#tls = tls;
    this.#user = user;
    this.#timeoutMs = timeoutMs;
    // What cannot be read is told at once.
    for (const endpoint of this.#endpoints) if (endpoint.isSecure) credentialsOf(endpoint, tls);
    if (user !== undefined) passwordOf(user);
  }

  range(request: RangeRequest, signal: AbortSignal): Promise<RangeResponse> {
    return this.#call(methods.range, request, { action: 'read', signal });
  }

  /** Its result may be lost on the way: it is then asked for anew, so its comparisons must make it harmless to be done twice. */
  txn(request: TxnRequest, signal: AbortSignal): Promise<TxnResponse> {
    return this.#call(methods.txn, request, { action: 'write', signal });
  }

  /** Makes a lease of etcd's for so many seconds; `id` is ours, so that a lost answer makes no second one. */
  async grant(
    id: bigint,
    { seconds, signal }: { readonly seconds: number; readonly signal: AbortSignal },
  ): Promise<void> {
    const request = { ID: id, TTL: BigInt(seconds) };
    await this.#call(methods.leaseGrant, request, { action: 'make a lease', signal, isDone: isLeaseThere });
  }

  async revoke(id: bigint, signal: AbortSignal): Promise<void> {
    await this.#call(methods.leaseRevoke, { ID: id }, { action: 'revoke a lease', signal });
  }

  /** Begins the time of a lease anew. Gives that time in seconds, 0 when there is no such lease. */
  async keepAlive(id: bigint, signal: AbortSignal): Promise<number> {
    const response = await this.#call(
      methods.keepAlive,
      { ID: id },
      { action: 'keep a lease', signal, isStream: true },
    );
    return Number(response?.TTL ?? 0n);
  }

  /** Watches until the signal aborts; rejects when the stream ends before. */
  async watch({ requests, signal, onResponse }: WatchStreamOptions): Promise<void> {
    const endpoint = this.#endpoint();
    let refused: { readonly error: unknown } | undefined;
    try {
      const metadata = await this.#metadata(signal);
      // A member that is cut off from the others is to say so.
      metadata.set('hasleader', 'true');
      await new Promise<void>((resolve, reject) => {
        const stream = this.#stream(endpoint, methods.watch, { metadata });
        const stop = () => {
          clearTimeout(silence);
          stream.cancel();
          resolve();
        };
        // A member that starts takes connections and says nothing.
        const silence = setTimeout(() => finish(silentMember), this.#timeoutMs);
        const finish = (error: unknown) => {
          clearTimeout(silence);
          signal.removeEventListener('abort', stop);
          stream.cancel();
          if (signal.aborted) resolve();
          else reject(error);
        };
        if (signal.aborted) return stop();
        signal.addEventListener('abort', stop, { once: true });
        stream.on('error', finish);
        stream.on('end', () => finish(new Error('the watch has ended')));
        stream.on('data', (response: WatchResponse) => {
          clearTimeout(silence);
          try {
            if (!signal.aborted) onResponse(response);
          } catch (error) {
            refused = { error };
            finish(error);
          }
        });
        for (const request of requests) stream.write(request);
      });
    } catch (error) {
      if (refused !== undefined || error instanceof StoreError) throw error;
      const fault = callFault(error);
      this.#noteFault(endpoint, fault);
      throw etcdError('watch', { fault, place: endpoint.url });
    }
  }

  /** After a watch that the member ended: the next one is asked, with a new token, as it may not say that the old one has ended. */
  distrust(): void {
    this.#token = undefined;
    this.#drop(this.#endpoint());
  }

  close(): void {
    this.#isClosed = true;
    for (const client of this.#members.values()) client.close();
    this.#members.clear();
  }

  async #call<Out, In>(called: Method<Out, In>, request: In, options: CallOptions): Promise<Out> {
    const { action, signal, isDone } = options;
    let endpoint = this.#endpoint();
    let renewed = false;
    for (let tried = 1; ; ) {
      signal.throwIfAborted();
      try {
        const metadata = await this.#metadata(signal);
        return await this.#once(endpoint, called, { ...options, metadata, request });
      } catch (error) {
        signal.throwIfAborted();
        if (error instanceof StoreError) throw error;
        const fault = callFault(error);
        if (isDone?.(fault) === true) return called.response.decode(new Uint8Array());
        this.#noteFault(endpoint, fault);
        if (isTokensFault(fault) && this.#user !== undefined && !renewed) {
          renewed = true;
          continue;
        }
        if (isMembersFault(fault) && tried < this.#endpoints.length) {
          tried++;
          endpoint = this.#endpoint();
          continue;
        }
        const place = isMembersFault(fault) && tried > 1 ? this.place : endpoint.url;
        throw etcdError(action, { fault, place });
      }
    }
  }

  #once<Out, In>(
    endpoint: Endpoint,
    called: Method<Out, In>,
    { request, metadata, signal, isStream = false }: OnceOptions<In>,
  ): Promise<Out> {
    const deadline = Date.now() + this.#timeoutMs;
    return new Promise((resolve, reject) => {
      const settle = (error: unknown, out?: Out) => {
        signal.removeEventListener('abort', cancel);
        if (out === undefined) reject(error);
        else resolve(out);
      };
      const cancel = () => call.cancel();
      const call: { cancel(): void } = isStream
        ? this.#askStream(this.#stream(endpoint, called, { metadata, deadline }), { request, settle })
        : this.#member(endpoint).makeUnaryRequest(
            called.path,
            called.request.encode,
            called.response.decode,
            request,
            metadata,
            { deadline },
            settle,
          );
      signal.addEventListener('abort', cancel, { once: true });
    });
  }

  /** One request and its answer on a stream of many. */
  #askStream<Out, In>(
    stream: ClientDuplexStream<In, Out>,
    { request, settle }: { readonly request: In; readonly settle: (error: unknown, out?: Out) => void },
  ): ClientDuplexStream<In, Out> {
    stream.on('error', settle);
    stream.on('end', () => settle(new Error('no answer')));
    stream.on('data', (out: Out) => {
      settle(undefined, out);
      stream.end();
    });
    stream.write(request);
    return stream;
  }

  #stream<Out, In>(
    endpoint: Endpoint,
    { path, request, response }: Method<Out, In>,
    { metadata, deadline }: { readonly metadata: Metadata; readonly deadline?: number },
  ): ClientDuplexStream<In, Out> {
    const callOptions = deadline === undefined ? {} : { deadline };
    return this.#member(endpoint).makeBidiStreamRequest(
      path,
      request.encode,
      response.decode,
      metadata,
      callOptions,
    );
  }

  #endpoint(): Endpoint {
    const endpoint = this.#endpoints[this.#current];
    if (endpoint === undefined) throw new RangeError('Cannot reach etcd: no endpoint is given');
    return endpoint;
  }

  #member(endpoint: Endpoint): Client {
    if (this.#isClosed) throw new Error('the store is closed');
    const known = this.#members.get(endpoint);
    if (known !== undefined) return known;
    const client = new Client(endpoint.target, credentialsOf(endpoint, this.#tls), channelOptions);
    this.#members.set(endpoint, client);
    return client;
  }

  #noteFault(endpoint: Endpoint, fault: CallFault): void {
    if (isTokensFault(fault)) this.#token = undefined;
    if (isMembersFault(fault)) this.#drop(endpoint);
  }

  /** The next call goes to the next member; several that fail at once pass on only once. */
  #drop(endpoint: Endpoint): void {
    if (this.#endpoint() !== endpoint || this.#isClosed) return;
    this.#current = (this.#current + 1) % this.#endpoints.length;
    this.#members.get(endpoint)?.close();
    this.#members.delete(endpoint);
  }

  async #metadata(signal: AbortSignal): Promise<Metadata> {
    const metadata = new Metadata();
    if (this.#user === undefined) return metadata;
    this.#token ??= this.#authenticate(this.#user, signal);
    try {
      const token = await this.#token;
      if (token !== undefined) metadata.set('token', token);
    } catch (error) {
      this.#token = undefined;
      throw error;
    }
    return metadata;
  }

  /** Undefined when the cluster wants to know nobody. */
  async #authenticate(user: EtcdUser, signal: AbortSignal): Promise<string | undefined> {
    const request = { name: user.name, password: passwordOf(user) };
    let endpoint = this.#endpoint();
    for (let tried = 1; ; tried++) {
      try {
        const metadata = new Metadata();
        return (await this.#once(endpoint, methods.authenticate, { request, metadata, signal })).token;
      } catch (error) {
        if (error instanceof StoreError) throw error;
        const fault = callFault(error);
        if (isAuthDisabled(fault)) return undefined;
        if (!isMembersFault(fault) || tried >= this.#endpoints.length) {
          throw etcdError(`log in as user "${user.name}"`, { fault, place: endpoint.url });
        }
        this.#drop(endpoint);
        endpoint = this.#endpoint();
      }
    }
  }
}

/** Each order is as likely as any other (Fisher and Yates). */
function inAnyOrder<Item>(items: readonly Item[]): readonly Item[] {
  const rest = [...items];
  return items.flatMap(() => rest.splice(Math.floor(Math.random() * rest.length), 1));
}
