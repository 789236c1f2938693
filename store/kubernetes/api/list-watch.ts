// Follows one kind of object: a list in pages, then a watch that goes on where it ended, with bookmarks, and a new list when the server
// no longer knows that place (410). What fails is tried again, ever more slowly and at random, so that a thousand nodes do not come back
// at once. Keeps no object: whoever listens gets each once. (Why not the client's own informer: ADR 0017.)
import { setImmediate as breath, setTimeout as delay } from 'node:timers/promises';
import { backoffDelay } from '../../../runtime/backoff.ts';
import { ApiError, isApiError } from './api-error.ts';
import type { KubeClient, Query } from './kube-client.ts';
import { ListText } from './list-text.ts';

/** As client-go's pages. */
const pageSize = '500';

/** A watch ends by itself after so many seconds, and up to twice as many: not all at once. */
const watchSeconds = 300;

/** What a watch may be silent beyond its own end. */
const watchGraceMs = 30_000;

/** Milliseconds of reading between two breaths. */
const breathMs = 5;

export interface Listener<Item> {
  /** Everything there is; what is not among it is gone. */
  replace(items: readonly Item[]): void;
  put(item: Item): void;
  /** As it last was. */
  remove(item: Item): void;
  /** Why nothing new is heard; undefined: it is, again. */
  trouble(error: ApiError | undefined): void;
}

export interface ListWatchOptions<Item> {
  readonly client: KubeClient;
  /** "/api/v1/nodes". */
  readonly path: string;
  /** labelSelector, fieldSelector. */
  readonly query?: Query;
  /** To what the listener gets: parsed at once, so that no page is held. */
  readonly read: (object: unknown) => Item;
  readonly listener: Listener<Item>;
  readonly retry?: { readonly min: number; readonly max: number };
  /** 0 to 1. */
  readonly random?: () => number;
}

/** The place in the server's history. */
interface Place {
  version: string;
}

/** The server does not know the place any more. */
class Expired extends Error {}

/** Follows until the signal aborts. Never rejects. */
export async function listWatch<Item>(options: ListWatchOptions<Item>, signal: AbortSignal): Promise<void> {
  const { listener, retry = { min: 500, max: 30_000 }, random = Math.random } = options;
  let place: Place | undefined;
  /** Where a list may begin: a server's cache that is as new as what we had. Empty: the newest there is. */
  let notOlderThan = '0';
  let failures = 0;
  while (!signal.aborted) {
    try {
      if (place === undefined) {
        const listed = await listAll(options, { notOlderThan, signal });
        place = { version: listed.version };
        notOlderThan = listed.version;
        listener.replace(listed.objects);
      }
      const isLively = await watchOn(options, { place, signal, onOpen: () => listener.trouble(undefined) });
      notOlderThan = place.version;
      // One that ends at once, again and again, is no service.
      failures = isLively ? 0 : failures + 1;
      if (failures <= 1) continue;
    } catch (error) {
      if (signal.aborted) return;
      failures++;
      if (error instanceof Expired) {
        place = undefined;
        if (failures === 1) continue;
      } else {
        // This server is behind what another one told us: any that is up to date will do.
        if (place === undefined) notOlderThan = '';
        const trouble = isApiError(error) ? error : brokenAnswer(options, error);
        // A watch that breaks off is nothing yet: the next one mostly stands.
        if (failures > 1 || trouble.status !== 0 || place === undefined) listener.trouble(trouble);
        else continue;
        await pause(
          Math.max(backoffDelay(failures, { ...retry, random }), trouble.retryAfterMs ?? 0),
          signal,
        );
        continue;
      }
    }
    await pause(backoffDelay(failures, { ...retry, random }), signal);
  }
}

async function pause(milliseconds: number, signal: AbortSignal): Promise<void> {
  await delay(milliseconds, undefined, { signal }).catch(() => {});
}

function brokenAnswer(
  { client, path }: Pick<ListWatchOptions<unknown>, 'client' | 'path'>,
  cause: unknown,
): ApiError {
  return new ApiError({
    request: `follow ${path}`,
    server: client.server,
    status: 0,
    message: String(Object(cause).message ?? cause),
    cause,
  });
}

/**
 * Everything there is, once. Rejects with ApiError. What need not be older than some version comes from the server's cache, and the cache
 * of a real one gives pages only from its storage: asked so by all nodes that come back at once, etcd would have to answer each of them.
 */
export async function listAll<Item>(
  { client, path, query, read }: Pick<ListWatchOptions<Item>, 'client' | 'path' | 'query' | 'read'>,
  { notOlderThan, signal }: { readonly notOlderThan: string; readonly signal: AbortSignal },
): Promise<{ readonly objects: readonly Item[]; readonly version: string }> {
  let objects: Item[] = [];
  let next: string | undefined;
  let limit: string | undefined = notOlderThan === '' || notOlderThan === '0' ? pageSize : undefined;
  for (;;) {
    const from =
      notOlderThan === '' ? {} : { resourceVersion: notOlderThan, resourceVersionMatch: 'NotOlderThan' };
    let header: PageHeader;
    try {
      const pieces = client.pieces({
        path,
        query: { ...query, limit, ...(next === undefined ? from : { continue: next }) },
        signal,
      });
      header = await readPage(pieces, (object) => objects.push(read(object)));
    } catch (error) {
      // It took us so long that the rest of the pages is no more: all at once then.
      if (!isApiError(error, 410) || next === undefined) throw error;
      objects = [];
      next = undefined;
      limit = undefined;
      continue;
    }
    if (header.next === '') return { objects, version: header.version };
    next = header.next;
  }
}

interface PageHeader {
  readonly version: string;
  /** Empty: it is the last one. */
  readonly next: string;
}

/** Object by object, as they come: a server may send all of them in one page. */
async function readPage(pieces: AsyncIterable<string>, take: (object: unknown) => void): Promise<PageHeader> {
  const list = new ListText();
  let begin = performance.now();
  for await (const piece of pieces) {
    for (const item of list.take(piece)) {
      take(JSON.parse(item));
      if (performance.now() - begin < breathMs) continue;
      await breath();
      begin = performance.now();
    }
  }
  // No items at all, or "items": null, as Go writes an empty list.
  const header: unknown = JSON.parse(list.end());
  const metadata = Object(Object(header).metadata);
  const { resourceVersion, continue: next } = metadata;
  if (typeof resourceVersion !== 'string') throw new Error('the list has no metadata.resourceVersion');
  return { version: resourceVersion, next: typeof next === 'string' ? next : '' };
}

/** True when it stood for a while or had something to say. Throws Expired or ApiError. */
async function watchOn<Item>(
  { client, path, query, read, listener, random = Math.random }: ListWatchOptions<Item>,
  {
    place,
    signal,
    onOpen,
  }: { readonly place: Place; readonly signal: AbortSignal; readonly onOpen: () => void },
): Promise<boolean> {
  const seconds = Math.round(watchSeconds * (1 + random()));
  const startedAt = performance.now();
  let heard = false;
  let lines: AsyncGenerator<readonly string[]>;
  try {
    lines = await client.watch({
      path,
      query: {
        ...query,
        watch: '1',
        allowWatchBookmarks: 'true',
        resourceVersion: place.version,
        timeoutSeconds: String(seconds),
      },
      silenceMs: seconds * 1000 + watchGraceMs,
      signal,
    });
  } catch (error) {
    if (isApiError(error, 410)) throw new Expired();
    throw error;
  }
  onOpen();
  try {
    for await (const some of lines) {
      for (const line of some) takeLine(line, { place, read, listener, client, path });
      heard = true;
    }
  } catch (error) {
    // Broken off in the middle: what came before counts, and the next one goes on behind it.
    if (error instanceof Expired || !isApiError(error) || error.status !== 0 || !heard) throw error;
  }
  return heard || performance.now() - startedAt > 1000;
}

function takeLine<Item>(
  line: string,
  {
    place,
    read,
    listener,
    client,
    path,
  }: { readonly place: Place } & Pick<ListWatchOptions<Item>, 'read' | 'listener' | 'client' | 'path'>,
): void {
  const { type, object } = Object(JSON.parse(line));
  switch (type) {
    case 'ADDED':
    case 'MODIFIED':
      listener.put(read(object));
      break;
    case 'DELETED':
      listener.remove(read(object));
      break;
    case 'BOOKMARK':
      break;
    case 'ERROR': {
      const { code, reason, message } = Object(object);
      if (code === 410) throw new Expired();
      throw new ApiError({
        request: `watch ${path}`,
        server: client.server,
        status: typeof code === 'number' ? code : 500,
        reason: String(reason ?? ''),
        message: String(message ?? 'an error without words'),
      });
    }
    default:
      // A later version of the API may have more.
      return;
  }
  const version: unknown = Object(Object(object).metadata).resourceVersion;
  if (typeof version === 'string' && version !== '') place.version = version;
}
