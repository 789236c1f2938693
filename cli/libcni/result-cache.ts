// The cache in which libcni keeps what ADD said, in its own format (libcni/api.go, cachedInfo): a file an attachment below
// /var/lib/cni/results. Written and read as libcni does it, so that what is in the cache of a runtime is understood too.
import { mkdirSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { z } from 'zod';

const kind = 'cniCacheV1';

const entryShape = z.object({
  kind: z.literal(kind),
  containerId: z.string(),
  /** Base64 of the list's text. */
  config: z.string(),
  ifName: z.string(),
  networkName: z.string(),
  netns: z.string().optional(),
  cniArgs: z.array(z.tuple([z.string(), z.string()])).optional(),
  capabilityArgs: z.record(z.string(), z.unknown()).optional(),
  result: z.unknown(),
});

export type CacheEntry = Readonly<z.infer<typeof entryShape>>;
export type CacheKey = Pick<CacheEntry, 'networkName' | 'containerId' | 'ifName'>;

export function cachePath(directory: string, { networkName, containerId, ifName }: CacheKey): string {
  return join(directory, `${networkName}-${containerId}-${ifName}`);
}

export function writeCacheEntry(directory: string, entry: Omit<CacheEntry, 'kind'>): void {
  mkdirSync(directory, { recursive: true, mode: 0o700 });
  // JSON leaves out what is undefined, as Go's omitempty does.
  writeFileSync(cachePath(directory, entry), JSON.stringify({ kind, ...entry }), { mode: 0o600 });
}

/** Undefined when there is none, or one that is spoilt: a power failure leaves empty files. */
export function readCacheEntry(directory: string, key: CacheKey): CacheEntry | undefined {
  return readEntry(cachePath(directory, key));
}

/** Of all networks. */
export function listCacheEntries(directory: string): readonly CacheEntry[] {
  return names(directory).flatMap((name) => readEntry(join(directory, name)) ?? []);
}

export function removeCacheEntry(directory: string, key: CacheKey): void {
  rmSync(cachePath(directory, key), { force: true });
}

function readEntry(path: string): CacheEntry | undefined {
  try {
    return entryShape.parse(JSON.parse(readFileSync(path, 'utf8')));
  } catch {
    return undefined;
  }
}

function names(directory: string): readonly string[] {
  try {
    return readdirSync(directory).sort();
  } catch {
    return [];
  }
}
