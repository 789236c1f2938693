// An IP address as a value: four or sixteen bytes and their canonical text. Not a prefix (see prefix.ts).
import { Address4, Address6 } from 'ip-address';

export type Family = 4 | 6;

const strictIp4 = /^(0|[1-9]\d{0,2})(\.(0|[1-9]\d{0,2})){3}$/;
const plainIp6 = /^[0-9a-fA-F:.]+$/;

/** An IPv4 or IPv6 address. Compare with `equals`, key maps with `toString()` (canonical, RFC 5952 for IPv6). */
export class IpAddress {
  readonly family: Family;
  /** Network byte order; 4 or 16 bytes. Not to be written to. */
  readonly bytes: Uint8Array;
  #text: string | undefined;

  private constructor(bytes: Uint8Array) {
    this.family = bytes.length === 4 ? 4 : 6;
    this.bytes = bytes;
  }

  /** Copies 4 or 16 bytes in network order. Throws RangeError for any other length. */
  static fromBytes(bytes: Uint8Array): IpAddress {
    if (bytes.length !== 4 && bytes.length !== 16) {
      throw new RangeError(`Cannot make an IP address of ${bytes.length} bytes: 4 or 16 are needed`);
    }
    return new IpAddress(Uint8Array.from(bytes));
  }

  /** The address whose bytes, read as one big-endian number, are `value`. Throws RangeError outside the family. */
  static fromBigInt(family: Family, value: bigint): IpAddress {
    const size = family === 4 ? 4 : 16;
    if (value < 0n || value >> BigInt(size * 8) !== 0n) {
      throw new RangeError(`Cannot make an IPv${family} address of ${value}: out of range`);
    }
    const bytes = new Uint8Array(size);
    let rest = value;
    for (let i = size - 1; i >= 0; i--) {
      bytes[i] = Number(rest & 255n);
      rest >>= 8n;
    }
    return new IpAddress(bytes);
  }

  /** Parses strict text: no leading zeros, no zone, no prefix length. Throws SyntaxError that quotes the text. */
  static parse(text: string): IpAddress {
    const address = IpAddress.tryParse(text);
    if (address === undefined) throw new SyntaxError(`Cannot parse IP address "${text}"`);
    return address;
  }

  static tryParse(text: string): IpAddress | undefined {
    if (strictIp4.test(text)) {
      return Address4.isValid(text)
        ? new IpAddress(Uint8Array.from(new Address4(text).toArray()))
        : undefined;
    }
    if (!plainIp6.test(text) || !Address6.isValid(text)) return undefined;
    return IpAddress.fromBigInt(6, new Address6(text).bigInt());
  }

  toBigInt(): bigint {
    let value = 0n;
    for (const byte of this.bytes) value = (value << 8n) | BigInt(byte);
    return value;
  }

  /** The address `count` further on (or back, if negative). Throws RangeError when that leaves the family. */
  plus(count: number | bigint): IpAddress {
    return IpAddress.fromBigInt(this.family, this.toBigInt() + BigInt(count));
  }

  /** Negative, 0 or positive; IPv4 sorts before IPv6. */
  compare(other: IpAddress): number {
    if (this.family !== other.family) return this.family - other.family;
    return Buffer.compare(this.bytes, other.bytes);
  }

  equals(other: IpAddress): boolean {
    return this.compare(other) === 0;
  }

  get isUnspecified(): boolean {
    return this.bytes.every((byte) => byte === 0);
  }

  get isLoopback(): boolean {
    return this.family === 4 ? this.bytes[0] === 127 : this.toString() === '::1';
  }

  get isMulticast(): boolean {
    return this.family === 4 ? ((this.bytes[0] ?? 0) & 0xf0) === 0xe0 : this.bytes[0] === 0xff;
  }

  get isLinkLocal(): boolean {
    const [first = 0, second = 0] = this.bytes;
    return this.family === 4 ? first === 169 && second === 254 : first === 0xfe && (second & 0xc0) === 0x80;
  }

  get isBroadcast(): boolean {
    return this.family === 4 && this.bytes.every((byte) => byte === 255);
  }

  toString(): string {
    this.#text ??=
      this.family === 4 ? this.bytes.join('.') : Address6.fromBigInt(this.toBigInt()).correctForm();
    return this.#text;
  }

  toJSON(): string {
    return this.toString();
  }
}
