// All objects of all files: which of those with one name counts, what changed since somebody asked, and what is wrong with them. No
// files are read here; a file that turned out wrong keeps what it last had.
import { isDeepStrictEqual } from 'node:util';
import { type EndpointSlice, sliceKey } from './endpoint-slice.ts';
import { type Manifest, type ParsedManifests, placeInFile } from './kubernetes/parse-manifests.ts';
import type { StoreProblem } from './lease-store.ts';
import { type Service, serviceKey } from './service.ts';
import type { ServiceBatch } from './service-source.ts';

/** An object of a file. */
interface Claim {
  readonly file: string;
  readonly manifest: Manifest;
}

interface FileEntry {
  readonly claims: readonly Claim[];
  readonly problems: readonly StoreProblem[];
  readonly skipped: ReadonlyMap<string, number>;
}

export type IndexChanges = Pick<ServiceBatch, 'services' | 'slices'>;

export interface ServiceIndexOptions {
  /** The name of a file in problems. */
  readonly nameOf: (file: string) => string;
}

export class ServiceIndex {
  readonly #nameOf: (file: string) => string;
  readonly #files = new Map<string, FileEntry>();
  /** By id, in the order of their files: the first one counts. A list only where there are several. */
  readonly #claims = new Map<string, Claim | readonly Claim[]>();
  readonly #contested = new Set<string>();
  readonly #services = new Map<string, Service>();
  readonly #slices = new Map<string, EndpointSlice>();
  /** False until somebody has asked: until then all is new. */
  #isFollowed = false;
  /** What changed since somebody asked last, with the value before. */
  readonly #servicesBefore = new Map<string, Service | undefined>();
  readonly #slicesBefore = new Map<string, EndpointSlice | undefined>();
  #problems: readonly StoreProblem[] | undefined = [];

  constructor({ nameOf }: ServiceIndexOptions) {
    this.#nameOf = nameOf;
  }

  /** Takes over what a file holds now, object by object, with a yield after each. Until the end of it others must not look. */
  *setFile(file: string, parsed: ParsedManifests): Generator<undefined, void> {
    const before = this.#files.get(file);
    const old = new Map(before?.claims.map((claim) => [claim.manifest.id, claim]));
    const claims = new Map<string, Claim>();
    const problems = [...parsed.problems];
    for (const manifest of parsed.manifests) {
      yield;
      if (!manifest.usable) continue;
      const { id } = manifest;
      const first = claims.get(id);
      if (first !== undefined) {
        problems.push(this.#duplicate({ file, manifest }, first));
        continue;
      }
      claims.set(id, claimOf({ file, manifest }, old.get(id)));
    }
    const unusable = new Map<string, Manifest>();
    for (const manifest of parsed.manifests) if (!manifest.usable) unusable.set(manifest.id, manifest);
    let unseen = 0;
    for (const [id, claim] of old) {
      yield;
      if (claims.has(id)) continue;
      const wrong = unusable.get(id);
      // What a part of the file that cannot be read holds is not known.
      if (wrong === undefined && parsed.whole) this.#setClaim(id, { file, claim: undefined });
      else claims.set(id, claim);
      if (wrong !== undefined) {
        problems.push({
          object: this.#objectOf({ file, manifest: wrong }),
          message: 'is kept as it last was',
        });
      } else if (!parsed.whole) unseen++;
    }
    if (unseen > 0) {
      const message = `${unseen} of its objects are kept as they last were`;
      problems.push({ object: this.#nameOf(file), message });
    }
    for (const [id, claim] of claims) {
      yield;
      if (old.get(id) !== claim) this.#setClaim(id, { file, claim });
    }
    const entry = { claims: [...claims.values()], problems, skipped: parsed.skipped };
    if (!isDeepStrictEqual(before?.problems ?? [], problems)) this.#problems = undefined;
    this.#files.set(file, entry);
  }

  *removeFile(file: string): Generator<undefined, void> {
    if (!this.#files.has(file)) return;
    yield* this.setFile(file, { manifests: [], problems: [], skipped: new Map(), whole: true });
    this.#files.delete(file);
  }

  /** True when `takeChanges` would give something. */
  get hasChanges(): boolean {
    return this.#servicesBefore.size > 0 || this.#slicesBefore.size > 0;
  }

  /** What is different from the last time that this or `takeAll` was called. */
  takeChanges(): IndexChanges {
    const changes = {
      services: changesOf(this.#servicesBefore, this.#services),
      slices: changesOf(this.#slicesBefore, this.#slices),
    };
    this.#forgetChanges();
    return changes;
  }

  /** Everything there is. */
  takeAll(): { readonly services: Map<string, Service>; readonly slices: Map<string, EndpointSlice> } {
    this.#forgetChanges();
    return { services: new Map(this.#services), slices: new Map(this.#slices) };
  }

  /** By file, then the objects that are in several. The same list while nothing is different. */
  get problems(): readonly StoreProblem[] {
    if (this.#problems !== undefined) return this.#problems;
    const problems: StoreProblem[] = [];
    const wrong = [...this.#files].filter(([, entry]) => entry.problems.length > 0);
    for (const [, entry] of wrong.sort(([one], [other]) => compareText(one, other))) {
      for (const problem of entry.problems) problems.push(problem);
    }
    for (const id of this.#contested) {
      const [first, ...others] = claimsOf(this.#claims.get(id));
      if (first === undefined) continue;
      for (const claim of others) problems.push(this.#duplicate(claim, first));
    }
    this.#problems = problems;
    return problems;
  }

  get fileCount(): number {
    return this.#files.size;
  }

  /** How many objects of other kinds there are, by kind. */
  get skipped(): ReadonlyMap<string, number> {
    const skipped = new Map<string, number>();
    for (const entry of this.#files.values()) {
      for (const [kind, count] of entry.skipped) skipped.set(kind, (skipped.get(kind) ?? 0) + count);
    }
    return skipped;
  }

  #setClaim(id: string, { file, claim }: { readonly file: string; readonly claim: Claim | undefined }): void {
    const before = claimsOf(this.#claims.get(id));
    const others = before.filter((other) => other.file !== file);
    const now = claim === undefined ? others : [...others, claim];
    if (now.length > 1) now.sort((one, other) => compareText(one.file, other.file));
    const [first] = now;
    if (first === undefined) this.#claims.delete(id);
    else this.#claims.set(id, now.length === 1 ? first : now);
    if (before.length > 1 || now.length > 1) this.#problems = undefined;
    if (now.length > 1) this.#contested.add(id);
    else this.#contested.delete(id);
    if (before[0] !== first) this.#apply(before[0]?.manifest, first?.manifest);
  }

  /** Puts what counts now in the place of what did. */
  #apply(before: Manifest | undefined, now: Manifest | undefined): void {
    const service = now?.service ?? before?.service;
    if (service !== undefined && before?.service !== now?.service) {
      const key = serviceKey(service);
      if (this.#isFollowed) note(this.#servicesBefore, this.#services, key);
      put(this.#services, key, now?.service);
    }
    if (before?.slices === now?.slices) return;
    const keys = new Set<string>();
    for (const slice of now?.slices ?? []) {
      const key = sliceKey(slice);
      keys.add(key);
      if (this.#isFollowed) note(this.#slicesBefore, this.#slices, key);
      put(this.#slices, key, slice);
    }
    for (const slice of before?.slices ?? []) {
      const key = sliceKey(slice);
      if (keys.has(key)) continue;
      if (this.#isFollowed) note(this.#slicesBefore, this.#slices, key);
      put(this.#slices, key, undefined);
    }
  }

  #forgetChanges(): void {
    this.#isFollowed = true;
    this.#servicesBefore.clear();
    this.#slicesBefore.clear();
  }

  #duplicate({ file, manifest }: Claim, first: Claim): StoreProblem {
    const winner = placeInFile(this.#nameOf(first.file), first.manifest.place);
    return {
      object: this.#objectOf({ file, manifest }),
      message: `is also in ${winner}; that one counts and this one is left out`,
    };
  }

  #objectOf({ file, manifest }: Claim): string {
    return `${placeInFile(this.#nameOf(file), manifest.place)}: ${manifest.id}`;
  }
}

/** The claim of a file on an object: what it had before, if that is equal, though it may be in another place now. */
function claimOf(claim: Claim, last: Claim | undefined): Claim {
  if (last === undefined) return claim;
  const { manifest } = claim;
  const { service, slices } = last.manifest;
  if (!isDeepStrictEqual(service, manifest.service) || !isDeepStrictEqual(slices, manifest.slices))
    return claim;
  if (isDeepStrictEqual(manifest.place, last.manifest.place)) return last;
  return { file: claim.file, manifest: { ...manifest, service, slices } };
}

function claimsOf(claims: Claim | readonly Claim[] | undefined): readonly Claim[] {
  if (claims === undefined) return [];
  return 'manifest' in claims ? [claims] : claims;
}

function note<Value>(
  before: Map<string, Value | undefined>,
  values: ReadonlyMap<string, Value>,
  key: string,
): void {
  if (!before.has(key)) before.set(key, values.get(key));
}

function put<Value>(values: Map<string, Value>, key: string, value: Value | undefined): void {
  if (value === undefined) values.delete(key);
  else values.set(key, value);
}

/** What was put back as it was did not change. */
function changesOf<Value>(
  before: ReadonlyMap<string, Value | undefined>,
  values: ReadonlyMap<string, Value>,
): ReadonlyMap<string, Value | undefined> {
  const changes = new Map<string, Value | undefined>();
  for (const [key, value] of before) {
    const now = values.get(key);
    if (!isDeepStrictEqual(value, now)) changes.set(key, now);
  }
  return changes;
}

/** By code units, the same everywhere. */
function compareText(one: string, other: string): number {
  return one < other ? -1 : one > other ? 1 : 0;
}
