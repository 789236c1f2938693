// An address with a prefix length: a network ("10.1.0.0/16") or an interface address ("10.1.0.5/16").
import { type Family, IpAddress } from './address.ts';

const form = /^([^/]+)\/(0|[1-9]\d{0,2})$/;

/** The address with every bit from `length` on cleared or set. */
function withHostBits(address: IpAddress, length: number, fill: 0 | 0xff): IpAddress {
  const bytes = Uint8Array.from(address.bytes);
  for (let i = length >> 3; i < bytes.length; i++) {
    const host = i === length >> 3 ? 0xff >> (length & 7) : 0xff;
    bytes[i] = ((bytes[i] ?? 0) & ~host) | (fill & host);
  }
  return IpAddress.fromBytes(bytes);
}

/** An address and a prefix length. The host bits are kept; `network()` clears them. */
export class Prefix {
  readonly address: IpAddress;
  readonly length: number;

  /** Throws RangeError when the length does not fit the family. */
  constructor(address: IpAddress, length: number) {
    const bits = address.family === 4 ? 32 : 128;
    if (!Number.isInteger(length) || length < 0 || length > bits) {
      throw new RangeError(`Cannot make prefix "${address}/${length}": the length must be 0 to ${bits}`);
    }
    this.address = address;
    this.length = length;
  }

  /** Parses "ADDRESS/LENGTH". Throws SyntaxError that quotes the text. */
  static parse(text: string): Prefix {
    const prefix = Prefix.tryParse(text);
    if (prefix === undefined) throw new SyntaxError(`Cannot parse prefix "${text}": want ADDRESS/LENGTH`);
    return prefix;
  }

  static tryParse(text: string): Prefix | undefined {
    const match = form.exec(text);
    const address = match?.[1] === undefined ? undefined : IpAddress.tryParse(match[1]);
    const length = Number(match?.[2]);
    if (address === undefined || length > (address.family === 4 ? 32 : 128)) return undefined;
    return new Prefix(address, length);
  }

  /** The prefix that holds just this one address. */
  static host(address: IpAddress): Prefix {
    return new Prefix(address, address.family === 4 ? 32 : 128);
  }

  get family(): Family {
    return this.address.family;
  }

  /** Number of bits in an address of the family: 32 or 128. */
  get bits(): number {
    return this.family === 4 ? 32 : 128;
  }

  /** How many addresses the prefix holds. */
  get size(): bigint {
    return 1n << BigInt(this.bits - this.length);
  }

  network(): Prefix {
    return this.isNetwork ? this : new Prefix(this.first(), this.length);
  }

  /** True when no host bit is set. */
  get isNetwork(): boolean {
    const { bytes } = this.address;
    const first = this.length >> 3;
    if (((bytes[first] ?? 0) & (0xff >> (this.length & 7))) !== 0) return false;
    for (let i = first + 1; i < bytes.length; i++) if (bytes[i] !== 0) return false;
    return true;
  }

  first(): IpAddress {
    return withHostBits(this.address, this.length, 0);
  }

  last(): IpAddress {
    return withHostBits(this.address, this.length, 0xff);
  }

  contains(other: IpAddress | Prefix): boolean {
    if (other instanceof Prefix && other.length < this.length) return false;
    const address = other instanceof Prefix ? other.address : other;
    if (address.family !== this.family) return false;
    const whole = this.length >> 3;
    for (let i = 0; i < whole; i++) if (address.bytes[i] !== this.address.bytes[i]) return false;
    const rest = 0xff00 >> (this.length & 7);
    return (((address.bytes[whole] ?? 0) ^ (this.address.bytes[whole] ?? 0)) & rest & 0xff) === 0;
  }

  overlaps(other: Prefix): boolean {
    return this.contains(other) || other.contains(this);
  }

  /** By address, then by length. */
  compare(other: Prefix): number {
    return this.address.compare(other.address) || this.length - other.length;
  }

  equals(other: Prefix): boolean {
    return this.compare(other) === 0;
  }

  toString(): string {
    return `${this.address}/${this.length}`;
  }

  toJSON(): string {
    return this.toString();
  }
}
