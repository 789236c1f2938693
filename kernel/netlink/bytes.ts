// Growing writer and bounds-checked reader of native-endian (little) and network-endian bytes. They know no netlink.

/** The only error that a decoder throws, whatever the bytes are. */
export class DecodeError extends Error {
  constructor(message: string) {
    super(message);
    this.name = 'DecodeError';
  }
}

/** Appends values to a buffer that grows. `bytes()` is a view of what was written: copy it or use it before the next write. */
export class ByteWriter {
  #buffer: Buffer;
  #end = 0;

  constructor(size = 4096) {
    this.#buffer = Buffer.allocUnsafe(size);
  }

  get length(): number {
    return this.#end;
  }

  bytes(): Buffer {
    return this.#buffer.subarray(0, this.#end);
  }

  /** Forgets everything from `length` on. */
  truncate(length = 0): void {
    this.#end = length;
  }

  /** Room for `size` bytes; returns the offset to write them at. */
  #take(size: number): number {
    const start = this.#end;
    const end = start + size;
    if (end > this.#buffer.length) {
      const larger = Buffer.allocUnsafe(Math.max(this.#buffer.length * 2, end));
      this.#buffer.copy(larger, 0, 0, start);
      this.#buffer = larger;
    }
    this.#end = end;
    return start;
  }

  /** Room for `size` bytes, which the caller writes to `memory` from the offset returned on. */
  room(size: number): number {
    return this.#take(size);
  }

  /** All that was written and more; another one after the next write that needs more room. */
  get memory(): Uint8Array {
    return this.#buffer;
  }

  u8(value: number): void {
    const at = this.#take(1);
    this.#buffer.writeUInt8(value, at);
  }

  u16(value: number): void {
    const at = this.#take(2);
    this.#buffer.writeUInt16LE(value, at);
  }

  u32(value: number): void {
    const at = this.#take(4);
    this.#buffer.writeUInt32LE(value, at);
  }

  i32(value: number): void {
    const at = this.#take(4);
    this.#buffer.writeInt32LE(value, at);
  }

  u64(value: bigint): void {
    const at = this.#take(8);
    this.#buffer.writeBigUInt64LE(value, at);
  }

  be16(value: number): void {
    const at = this.#take(2);
    this.#buffer.writeUInt16BE(value, at);
  }

  be32(value: number): void {
    const at = this.#take(4);
    this.#buffer.writeUInt32BE(value, at);
  }

  be64(value: bigint): void {
    const at = this.#take(8);
    this.#buffer.writeBigUInt64BE(value, at);
  }

  raw(bytes: Uint8Array): void {
    const at = this.#take(bytes.length);
    this.#buffer.set(bytes, at);
  }

  zeros(count: number): void {
    const at = this.#take(count);
    this.#buffer.fill(0, at, at + count);
  }

  text(value: string): void {
    // No character takes more than three bytes.
    const at = this.#take(3 * value.length);
    this.#end = at + this.#buffer.write(value, at, 'utf8');
  }

  /** Fills up with zeros to a multiple of four, as netlink wants before each header (NLA_ALIGNTO, NLMSG_ALIGNTO). */
  align(): void {
    while ((this.#end & 3) !== 0) {
      const at = this.#take(1);
      this.#buffer[at] = 0;
    }
  }

  patchU16(at: number, value: number): void {
    this.#buffer.writeUInt16LE(value, at);
  }

  patchU32(at: number, value: number): void {
    this.#buffer.writeUInt32LE(value, at);
  }
}

/** Reads values from a slice; every read past its end throws DecodeError. */
export class ByteReader {
  readonly #buffer: Buffer;
  readonly #end: number;
  #at: number;

  constructor(buffer: Buffer, start = 0, end = buffer.length) {
    if (start < 0 || end > buffer.length || start > end) {
      throw new DecodeError(`Cannot read bytes ${start} to ${end} of ${buffer.length}`);
    }
    this.#buffer = buffer;
    this.#at = start;
    this.#end = end;
  }

  get remaining(): number {
    return this.#end - this.#at;
  }

  #take(size: number): number {
    const at = this.#at;
    if (size > this.#end - at) {
      throw new DecodeError(`Cannot read ${size} bytes: ${this.#end - at} are left`);
    }
    this.#at = at + size;
    return at;
  }

  u8(): number {
    return this.#buffer.readUInt8(this.#take(1));
  }

  /** The next byte, which stays to be read. */
  peekU8(): number {
    if (this.remaining === 0) throw new DecodeError('Cannot read a byte: none is left');
    return this.#buffer.readUInt8(this.#at);
  }

  u16(): number {
    return this.#buffer.readUInt16LE(this.#take(2));
  }

  u32(): number {
    return this.#buffer.readUInt32LE(this.#take(4));
  }

  i32(): number {
    return this.#buffer.readInt32LE(this.#take(4));
  }

  u64(): bigint {
    return this.#buffer.readBigUInt64LE(this.#take(8));
  }

  be16(): number {
    return this.#buffer.readUInt16BE(this.#take(2));
  }

  be32(): number {
    return this.#buffer.readUInt32BE(this.#take(4));
  }

  be64(): bigint {
    return this.#buffer.readBigUInt64BE(this.#take(8));
  }

  /** A copy of the next `size` bytes (of all that are left, without a size). */
  raw(size = this.remaining): Buffer {
    const at = this.#take(size);
    return Buffer.from(this.#buffer.subarray(at, at + size));
  }

  skip(size: number): void {
    this.#take(size);
  }

  /** Skips the padding to a multiple of four counted from the slice's own start; less than that may be left at its end. */
  skipPadding(length: number): void {
    const padding = (4 - (length & 3)) & 3;
    this.#take(Math.min(padding, this.remaining));
  }

  /** A reader of the next `size` bytes, without copying them. */
  slice(size: number): ByteReader {
    const at = this.#take(size);
    return new ByteReader(this.#buffer, at, at + size);
  }
}
