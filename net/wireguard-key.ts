// A key of WireGuard as a value of 32 bytes: public, private or preshared. Which of them it is, who holds it must know; the text of a
// private one goes into files of mode 0600 and nowhere else.
const size = 32;
/** 32 bytes in base64: 43 digits, of which the last carries four bits, and "=". */
const form = /^[A-Za-z0-9+/]{42}[AEIMQUYcgkosw048]=$/;

export class WireguardKey {
  /** 32 bytes. Not to be written to. */
  readonly bytes: Uint8Array;
  #text: string | undefined;

  private constructor(bytes: Uint8Array) {
    this.bytes = bytes;
  }

  /** Copies 32 bytes. Throws RangeError for any other length. */
  static fromBytes(bytes: Uint8Array): WireguardKey {
    if (bytes.length !== size)
      throw new RangeError(`Cannot make a WireGuard key of ${bytes.length} bytes: ${size} are needed`);
    return new WireguardKey(Uint8Array.from(bytes));
  }

  /** Reads base64 as `wg` prints it, and no other form of it. The text may be a secret: it is in no error. */
  static tryParse(text: string): WireguardKey | undefined {
    return form.test(text) ? new WireguardKey(Uint8Array.from(Buffer.from(text, 'base64'))) : undefined;
  }

  /** Throws SyntaxError without the text. */
  static parse(text: string): WireguardKey {
    const key = WireguardKey.tryParse(text);
    if (key === undefined) throw new SyntaxError('Cannot parse WireGuard key: want 32 bytes in base64');
    return key;
  }

  /** The kernel's "none". */
  get isZero(): boolean {
    return this.bytes.every((byte) => byte === 0);
  }

  equals(other: WireguardKey): boolean {
    return Buffer.compare(this.bytes, other.bytes) === 0;
  }

  toString(): string {
    this.#text ??= Buffer.from(this.bytes).toString('base64');
    return this.#text;
  }

  toJSON(): string {
    return this.toString();
  }
}
