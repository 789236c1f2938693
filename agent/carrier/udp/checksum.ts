// The Internet checksum (RFC 1071) over memory, four bytes at a time. All sums are of 16-bit words as the machine reads them, which is
// little-endian: a sum of swapped words is the swapped sum, so that what is written back the same way is right.

/** The same memory twice. */
export interface Bytes {
  readonly bytes: Uint8Array;
  readonly words: Uint32Array;
}

/** To 16 bits; takes up to 2^53. */
export function folded(sum: number): number {
  let rest = sum;
  while (rest > 0xffff) rest = (rest % 0x10000) + Math.floor(rest / 0x10000);
  return rest;
}

export function swapped(word: number): number {
  return ((word & 0xff) << 8) | (word >>> 8);
}

/** The sum of `length` bytes from `offset` on and of `initial`, folded. A last odd byte counts as if a zero came after it. */
export function addUp(memory: Bytes, offset: number, length: number, initial = 0): number {
  const { bytes, words } = memory;
  if ((offset & 1) === 1 && length > 0) {
    // Of every word, the other half comes first in memory.
    const rest = addUp(memory, offset + 1, length - 1);
    return folded((bytes[offset] ?? 0) + swapped(rest) + initial);
  }
  const end = offset + length;
  let at = offset;
  let sum = initial;
  if ((at & 2) === 2 && end - at >= 2) {
    sum += (bytes[at] ?? 0) | ((bytes[at + 1] ?? 0) << 8);
    at += 2;
  }
  const last = (at >>> 2) + ((end - at) >>> 2);
  // 65,536 bytes add up to less than 2^31.
  let halves = 0;
  for (let i = at >>> 2; i < last; i++) {
    const word = words[i] ?? 0;
    halves += (word & 0xffff) + (word >>> 16);
  }
  sum += halves;
  at += (end - at) & ~3;
  if (end - at >= 2) {
    sum += (bytes[at] ?? 0) | ((bytes[at + 1] ?? 0) << 8);
    at += 2;
  }
  if (at < end) sum += bytes[at] ?? 0;
  return folded(sum);
}

/** Writes what makes the sum of everything 0xffff. */
export function putChecksum(bytes: Uint8Array, at: number, sum: number): void {
  const checksum = ~sum & 0xffff;
  bytes[at] = checksum & 0xff;
  bytes[at + 1] = checksum >>> 8;
}
