// The frame of a transaction: numbered messages between BATCH_BEGIN and BATCH_END (linux/netfilter/nfnetlink.h). What the messages say
// is batch.ts.
import type { ByteWriter } from '../netlink/bytes.ts';
import { NLM_F_ACK, NLM_F_REQUEST } from '../netlink/message.ts';
import { subsystem } from './attributes.ts';

const NFNL_MSG_BATCH_BEGIN = 16;
const NFNL_MSG_BATCH_END = 17;
const NFNL_BATCH_GENID = 1;

export class BatchFrame {
  readonly out: ByteWriter;
  #sequence: number;
  /** Start of the last message between the two: it asks for the acknowledgement (BATCH_END answers only on newer kernels). */
  #last: number | undefined;

  /** `generation`: the kernel refuses the batch unless it is the current one. */
  constructor(
    out: ByteWriter,
    options: { readonly first: number; readonly generation?: number | undefined },
  ) {
    this.out = out;
    this.#sequence = options.first;
    const { generation } = options;
    this.#write(NFNL_MSG_BATCH_BEGIN, 0, () => {
      this.#header();
      if (generation === undefined) return;
      const at = this.open(NFNL_BATCH_GENID);
      out.be32(generation);
      this.close(at);
    });
  }

  /** The number of the next message. */
  get sequence(): number {
    return this.#sequence;
  }

  message(type: number, flags: number, body: () => void): void {
    this.#last = this.out.length;
    this.#write(type, flags, body);
  }

  end(): Uint8Array {
    if (this.#last !== undefined) {
      const at = this.#last + 6;
      this.out.patchU16(at, this.out.bytes().readUInt16LE(at) | NLM_F_ACK);
    }
    this.#write(NFNL_MSG_BATCH_END, 0, () => this.#header());
    return this.out.bytes();
  }

  #header(): void {
    this.out.u8(0);
    this.out.u8(0);
    this.out.be16(subsystem);
  }

  #write(type: number, flags: number, body: () => void): void {
    const { out } = this;
    const start = out.length;
    out.u32(0);
    out.u16(type);
    out.u16(flags | NLM_F_REQUEST);
    out.u32(this.#sequence);
    out.u32(0);
    this.#sequence = (this.#sequence + 1) >>> 0;
    body();
    out.align();
    out.patchU32(start, out.length - start);
  }

  open(type: number): number {
    const at = this.out.length;
    this.out.u16(0);
    this.out.u16(type);
    return at;
  }

  close(at: number): void {
    this.out.patchU16(at, this.out.length - at);
    this.out.align();
  }

  text(type: number, value: string): void {
    const at = this.open(type);
    this.out.text(value);
    this.out.u8(0);
    this.close(at);
  }
}
