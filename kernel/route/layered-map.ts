// A map whose snapshots are cheap: a large base that never changes and a small layer of what changed since. It knows nothing
// of what it holds.

/** A layer of this size is folded into a new base: rarely enough that a change costs little, soon enough that a snapshot does. */
const thickest = 256;

const gone = Symbol('gone');
type Layer<T> = ReadonlyMap<string, T | typeof gone>;

/** A mutable map with string keys; `snapshot()` returns its present content, which does not change afterwards. */
export class LayeredMap<T> {
  #base: ReadonlyMap<string, T>;
  #layer = new Map<string, T | typeof gone>();
  #snapshot: ReadonlyMap<string, T> | undefined;

  constructor(base: ReadonlyMap<string, T> = new Map()) {
    this.#base = base;
  }

  get(key: string): T | undefined {
    return lookUp(this.#base, this.#layer, key);
  }

  has(key: string): boolean {
    return isThere(this.#base, this.#layer, key);
  }

  set(key: string, value: T): void {
    this.#change().set(key, value);
  }

  delete(key: string): void {
    if (this.has(key)) this.#change().set(key, gone);
  }

  replace(base: ReadonlyMap<string, T>): void {
    this.#base = base;
    this.#layer = new Map();
    this.#snapshot = undefined;
  }

  snapshot(): ReadonlyMap<string, T> {
    if (this.#snapshot === undefined && this.#layer.size > thickest) {
      this.#base = new Map(new MapView(this.#base, this.#layer));
      this.#layer = new Map();
    }
    this.#snapshot ??= this.#layer.size === 0 ? this.#base : new MapView(this.#base, this.#layer);
    return this.#snapshot;
  }

  /** The layer, copied first if a snapshot holds it. */
  #change(): Map<string, T | typeof gone> {
    if (this.#snapshot !== undefined) {
      this.#layer = new Map(this.#layer);
      this.#snapshot = undefined;
    }
    return this.#layer;
  }
}

/** What a map of objects is made of. A plain map, which does not change either, is its own base with nothing over it. */
export interface Layers<T> {
  /** The same one for many snapshots: what was learnt of it holds for all of them. */
  readonly base: ReadonlyMap<string, T>;
  /** Only at these keys may the map differ from its base. */
  readonly changed: readonly string[];
}

export function layersOf<T>(map: ReadonlyMap<string, T>): Layers<T> {
  return map instanceof MapView ? map.layers : { base: map, changed: [] };
}

/** Picks values out of maps that share a base: of the base's, each is asked once and not again for every map. */
export function selection<T>(isPicked: (value: T) => boolean): (map: ReadonlyMap<string, T>) => readonly T[] {
  const known = new WeakMap<ReadonlyMap<string, T>, readonly (readonly [key: string, value: T])[]>();
  return (map) => {
    const { base, changed } = layersOf(map);
    const picked = known.get(base) ?? [...base].filter(([, value]) => isPicked(value));
    known.set(base, picked);
    if (changed.length === 0) return picked.map(([, value]) => value);
    const over = new Set(changed);
    const kept = picked.filter(([key]) => !over.has(key)).map(([, value]) => value);
    const others = changed.map((key) => map.get(key)).filter((value) => value !== undefined);
    return [...kept, ...others.filter(isPicked)];
  };
}

function lookUp<T>(base: ReadonlyMap<string, T>, layer: Layer<T>, key: string): T | undefined {
  const value = layer.get(key);
  if (value === undefined) return base.get(key);
  return value === gone ? undefined : value;
}

function isThere<T>(base: ReadonlyMap<string, T>, layer: Layer<T>, key: string): boolean {
  const value = layer.get(key);
  return value === undefined ? base.has(key) : value !== gone;
}

/** A read-only look at a base through a layer; neither may change any more. */
class MapView<T> implements ReadonlyMap<string, T> {
  readonly #base: ReadonlyMap<string, T>;
  readonly #layer: Layer<T>;
  #size: number | undefined;

  constructor(base: ReadonlyMap<string, T>, layer: Layer<T>) {
    this.#base = base;
    this.#layer = layer;
  }

  get layers(): Layers<T> {
    return { base: this.#base, changed: [...this.#layer.keys()] };
  }

  get size(): number {
    this.#size ??= this.#count();
    return this.#size;
  }

  #count(): number {
    let size = this.#base.size;
    for (const [key, value] of this.#layer) {
      if (this.#base.has(key)) size -= value === gone ? 1 : 0;
      else size += value === gone ? 0 : 1;
    }
    return size;
  }

  get(key: string): T | undefined {
    return lookUp(this.#base, this.#layer, key);
  }

  has(key: string): boolean {
    return isThere(this.#base, this.#layer, key);
  }

  forEach(action: (value: T, key: string, map: ReadonlyMap<string, T>) => void): void {
    for (const [key, value] of this.entries()) action(value, key, this);
  }

  *entries(): MapIterator<[string, T]> {
    for (const entry of this.#base) if (!this.#layer.has(entry[0])) yield entry;
    for (const [key, value] of this.#layer) if (value !== gone) yield [key, value];
  }

  *keys(): MapIterator<string> {
    for (const [key] of this.entries()) yield key;
  }

  *values(): MapIterator<T> {
    for (const [, value] of this.entries()) yield value;
  }

  [Symbol.iterator](): MapIterator<[string, T]> {
    return this.entries();
  }
}
