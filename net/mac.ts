// An Ethernet hardware address as a value of six bytes.
const form = /^[0-9a-fA-F]{2}(:[0-9a-fA-F]{2}){5}$/;

/** A 48-bit MAC address. Text is lower case with colons, as `ip` prints it. */
export class Mac {
  /** Six bytes. Not to be written to. */
  readonly bytes: Uint8Array;
  #text: string | undefined;

  private constructor(bytes: Uint8Array) {
    this.bytes = bytes;
  }

  /** Copies six bytes. Throws RangeError for any other length. */
  static fromBytes(bytes: Uint8Array): Mac {
    if (bytes.length !== 6)
      throw new RangeError(`Cannot make a MAC address of ${bytes.length} bytes: 6 are needed`);
    return new Mac(Uint8Array.from(bytes));
  }

  /** Parses "aa:bb:cc:dd:ee:ff". Throws SyntaxError that quotes the text. */
  static parse(text: string): Mac {
    const mac = Mac.tryParse(text);
    if (mac === undefined) throw new SyntaxError(`Cannot parse MAC address "${text}"`);
    return mac;
  }

  static tryParse(text: string): Mac | undefined {
    return form.test(text)
      ? new Mac(Uint8Array.from(Buffer.from(text.replaceAll(':', ''), 'hex')))
      : undefined;
  }

  /**
   * A locally administered unicast address made of the first six of `seed`'s bytes (randomness or a hash): the first
   * byte's low two bits are set to 10. Throws RangeError for fewer than six bytes.
   */
  static local(seed: Uint8Array): Mac {
    const bytes = Mac.fromBytes(seed.subarray(0, 6)).bytes;
    bytes[0] = ((bytes[0] ?? 0) & 0xfc) | 0x02;
    return new Mac(bytes);
  }

  get isMulticast(): boolean {
    return ((this.bytes[0] ?? 0) & 1) === 1;
  }

  get isZero(): boolean {
    return this.bytes.every((byte) => byte === 0);
  }

  equals(other: Mac): boolean {
    return Buffer.compare(this.bytes, other.bytes) === 0;
  }

  toString(): string {
    this.#text ??= Array.from(this.bytes, (byte) => byte.toString(16).padStart(2, '0')).join(':');
    return this.#text;
  }

  toJSON(): string {
    return this.toString();
  }
}
