// An IP address as a value: four or sixteen bytes and their canonical text. Not a prefix (see prefix.ts).
// IPv4 is done here, byte by byte: a node at scale parses and prints hundreds of thousands of them.
import { Address6 } from 'ip-address';

export type Family = 4 | 6;

const plainIp6 = /^[0-9a-fA-F:.]{2,45}$/;

/** Strict dotted quad (no leading zeros, as the kernel's in4_pton and Go's net.ParseIP want), or undefined. */
function parseIp4(text: string): Uint8Array | undefined {
  if (text.length < 7 || text.length > 15) return undefined;
  const bytes = new Uint8Array(4);
  let part = 0;
  let value = 0;
  let digits = 0;
  for (let i = 0; i < text.length; i++) {
    const digit = text.charCodeAt(i) - 48;
    if (digit === -2) {
      if (digits === 0 || part === 3) return undefined;
      bytes[part++] = value;
      value = 0;
      digits = 0;
    } else {
      if (digit < 0 || digit > 9 || (digits > 0 && value === 0)) return undefined;
      value = value * 10 + digit;
      if (value > 255) return undefined;
      digits++;
    }
  }
  if (part !== 3 || digits === 0) return undefined;
  bytes[3] = value;
  return bytes;
}

function parseIp6(text: string): Uint8Array | undefined {
  if (!plainIp6.test(text)) return undefined;
  let groups: readonly string[];
  try {
    groups = new Address6(text).parsedAddress;
  } catch {
    return undefined;
  }
  const bytes = new Uint8Array(16);
  for (let i = 0; i < 8; i++) {
    const group = Number.parseInt(groups[i] ?? '', 16);
    bytes[2 * i] = group >> 8;
    bytes[2 * i + 1] = group & 0xff;
  }
  return bytes;
}

function printIp4(bytes: Uint8Array): string {
  return `${bytes[0]}.${bytes[1]}.${bytes[2]}.${bytes[3]}`;
}

/** RFC 5952: the longest run of two or more zero groups becomes "::", the first of equal ones; IPv4-mapped is mixed. */
function printIp6(bytes: Uint8Array): string {
  if (isMapped(bytes)) return `::ffff:${printIp4(bytes.subarray(12))}`;
  const groups = Array.from({ length: 8 }, (_, i) => ((bytes[2 * i] ?? 0) << 8) | (bytes[2 * i + 1] ?? 0));
  let start = 0;
  let longest = 1;
  for (let i = 0; i < 8; i++) {
    let end = i;
    while (groups[end] === 0) end++;
    if (end - i > longest) {
      start = i;
      longest = end - i;
    }
    if (end > i) i = end;
  }
  const hex = (from: number, to: number) =>
    groups
      .slice(from, to)
      .map((group) => group.toString(16))
      .join(':');
  return longest === 1 ? hex(0, 8) : `${hex(0, start)}::${hex(start + longest, 8)}`;
}

/** ::ffff:0:0/96 (RFC 4291 section 2.5.5.2). */
function isMapped(bytes: Uint8Array): boolean {
  if (bytes.length !== 16 || bytes[10] !== 0xff || bytes[11] !== 0xff) return false;
  for (let i = 0; i < 10; i++) if (bytes[i] !== 0) return false;
  return true;
}

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
    return new IpAddress(new Uint8Array(bytes));
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
    const bytes = parseIp4(text) ?? parseIp6(text);
    return bytes === undefined ? undefined : new IpAddress(bytes);
  }

  toBigInt(): bigint {
    let value = 0n;
    for (const byte of this.bytes) value = (value << 8n) | BigInt(byte);
    return value;
  }

  /** The address `count` further on (or back, if negative). Throws RangeError when that leaves the family. */
  plus(count: number | bigint): IpAddress {
    const { bytes } = this;
    if (bytes.length === 4 && typeof count === 'number' && Number.isInteger(count)) {
      const [a = 0, b = 0, c = 0, d = 0] = bytes;
      const sum = a * 0x1000000 + b * 0x10000 + c * 0x100 + d + count;
      if (sum >= 0 && sum <= 0xffffffff) {
        return new IpAddress(Uint8Array.of(sum >>> 24, sum >>> 16, sum >>> 8, sum));
      }
    }
    return IpAddress.fromBigInt(this.family, this.toBigInt() + BigInt(count));
  }

  /** Negative, 0 or positive; IPv4 sorts before IPv6. */
  compare(other: IpAddress): number {
    if (this.family !== other.family) return this.family - other.family;
    for (let i = 0; i < this.bytes.length; i++) {
      const difference = (this.bytes[i] ?? 0) - (other.bytes[i] ?? 0);
      if (difference !== 0) return difference;
    }
    return 0;
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

  /** An IPv6 address that stands for an IPv4 one, "::ffff:192.0.2.1": never right in a route, a lease or an endpoint. */
  get isIp4Mapped(): boolean {
    return isMapped(this.bytes);
  }

  toString(): string {
    this.#text ??= this.family === 4 ? printIp4(this.bytes) : printIp6(this.bytes);
    return this.#text;
  }

  toJSON(): string {
    return this.toString();
  }
}
