// Ranges of etcd's keys, as its requests name them: one key, or all from one up to before another. Keys are text here; etcd's are bytes.

export interface KeyRange {
  readonly start: string;
  /** The first that is not in it; undefined: `start` alone. */
  readonly end: string | undefined;
}

export function oneKey(key: string): KeyRange {
  return { start: key, end: undefined };
}

/** All keys that begin so; `prefix` ends with an ASCII character below "~". */
export function keysBelow(prefix: string): KeyRange {
  const last = prefix.charCodeAt(prefix.length - 1);
  if (!(last < 0x7e)) throw new RangeError(`Cannot range over the keys below "${prefix}"`);
  return { start: prefix, end: prefix.slice(0, -1) + String.fromCharCode(last + 1) };
}

export function keyBytes(key: string): Buffer {
  return Buffer.from(key, 'utf8');
}

/** A key that is no UTF-8 text gets replacement characters: it is no key of ours, and problems must be able to name it. */
export function keyText(key: Uint8Array): string {
  return Buffer.from(key.buffer, key.byteOffset, key.byteLength).toString('utf8');
}
