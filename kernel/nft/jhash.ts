// Bob Jenkins' hash as the kernel runs it (include/linux/jhash.h), for evaluating `jhash` without a kernel.
const golden = 0xdeadbeef;

function rotate(word: number, bits: number): number {
  return ((word << bits) | (word >>> (32 - bits))) >>> 0;
}

/** `length` of the bytes must be a multiple of four: registers are. */
export function jhash(bytes: Uint8Array, seed: number): number {
  const words = Buffer.from(bytes);
  const start = (golden + bytes.length + seed) >>> 0;
  let [a, b, c] = [start, start, start];
  let at = 0;
  let left = bytes.length;
  while (left > 12) {
    a = (a + words.readUInt32LE(at)) >>> 0;
    b = (b + words.readUInt32LE(at + 4)) >>> 0;
    c = (c + words.readUInt32LE(at + 8)) >>> 0;
    a = ((a - c) ^ rotate(c, 4)) >>> 0;
    c = (c + b) >>> 0;
    b = ((b - a) ^ rotate(a, 6)) >>> 0;
    a = (a + c) >>> 0;
    c = ((c - b) ^ rotate(b, 8)) >>> 0;
    b = (b + a) >>> 0;
    a = ((a - c) ^ rotate(c, 16)) >>> 0;
    c = (c + b) >>> 0;
    b = ((b - a) ^ rotate(a, 19)) >>> 0;
    a = (a + c) >>> 0;
    c = ((c - b) ^ rotate(b, 4)) >>> 0;
    b = (b + a) >>> 0;
    at += 12;
    left -= 12;
  }
  if (left === 0) return c;
  const tail = Buffer.alloc(12);
  tail.set(words.subarray(at, at + left));
  a = (a + tail.readUInt32LE(0)) >>> 0;
  b = (b + tail.readUInt32LE(4)) >>> 0;
  c = (c + tail.readUInt32LE(8)) >>> 0;
  return final(a, b, c);
}

function final(first: number, second: number, third: number): number {
  let [a, b, c] = [first, second, third];
  c = ((c ^ b) - rotate(b, 14)) >>> 0;
  a = ((a ^ c) - rotate(c, 11)) >>> 0;
  b = ((b ^ a) - rotate(a, 25)) >>> 0;
  c = ((c ^ b) - rotate(b, 16)) >>> 0;
  a = ((a ^ c) - rotate(c, 4)) >>> 0;
  b = ((b ^ a) - rotate(a, 14)) >>> 0;
  return ((c ^ b) - rotate(b, 24)) >>> 0;
}

/** A hash scaled to less than `modulus` (reciprocal_scale). */
export function scale(hash: number, modulus: number): number {
  return Number((BigInt(hash) * BigInt(modulus)) >> 32n);
}
