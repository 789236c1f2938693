// Netlink messages: the header (struct nlmsghdr), requests to write, replies to read. linux/netlink.h.
import { at, attributeTable } from './attribute-table.ts';
import { ByteReader, type ByteWriter, DecodeError } from './bytes.ts';
import { text, u32 } from './codec.ts';

export const NLM_F_REQUEST = 0x1;
export const NLM_F_ACK = 0x4;
export const NLM_F_DUMP_INTR = 0x10;
export const NLM_F_DUMP = 0x300;
export const NLM_F_REPLACE = 0x100;
export const NLM_F_EXCL = 0x200;
export const NLM_F_CREATE = 0x400;
export const NLM_F_APPEND = 0x800;

const NLM_F_CAPPED = 0x100;
const NLM_F_ACK_TLVS = 0x200;
const NLMSG_NOOP = 1;
const NLMSG_ERROR = 2;
const NLMSG_DONE = 3;
const headerSize = 16;

/** One request, not yet numbered. */
export interface NetlinkRequest {
  readonly type: number;
  /** NLM_F_* beside NLM_F_REQUEST, which is always set. */
  readonly flags: number;
  /** Writes what follows the header. */
  readonly body: (out: ByteWriter) => void;
  /** For errors: the verb ("add route") and what it acts on, as an operator writes it. */
  readonly operation: string;
  readonly object: string;
}

/** A message of the kernel. `error` carries an acknowledgement: errno 0 is success. */
export type NetlinkReply =
  | {
      readonly kind: 'data';
      readonly sequence: number;
      readonly type: number;
      readonly flags: number;
      readonly body: ByteReader;
    }
  | {
      readonly kind: 'error';
      readonly sequence: number;
      readonly errno: number;
      readonly message?: string | undefined;
      readonly offset?: number | undefined;
    }
  | {
      readonly kind: 'done';
      readonly sequence: number;
      readonly flags: number;
      readonly errno: number;
      readonly message?: string | undefined;
    };

const acknowledgement = attributeTable({ NLMSGERR_ATTR_MSG: at(1, text), NLMSGERR_ATTR_OFFS: at(2, u32) });

/** Appends a request with its number; the length is filled in when the body is written. */
export function writeRequest(
  out: ByteWriter,
  request: NetlinkRequest,
  options: { readonly sequence: number; readonly flags: number },
): void {
  const start = out.length;
  out.u32(0);
  out.u16(request.type);
  out.u16(request.flags | options.flags | NLM_F_REQUEST);
  out.u32(options.sequence);
  out.u32(0);
  request.body(out);
  out.align();
  out.patchU32(start, out.length - start);
}

/** Reads all messages of one datagram. Throws DecodeError when a length does not fit. Bodies share the datagram's memory. */
export function* readReplies(datagram: Buffer): Generator<NetlinkReply> {
  const input = new ByteReader(datagram);
  while (input.remaining >= headerSize) {
    const length = input.u32();
    const type = input.u16();
    const flags = input.u16();
    const sequence = input.u32();
    input.skip(4);
    if (length < headerSize)
      throw new DecodeError(`Cannot read netlink message of type ${type}: its length is ${length}`);
    const body = input.slice(length - headerSize);
    input.skipPadding(length);
    if (type === NLMSG_NOOP) continue;
    if (type === NLMSG_ERROR) yield readError(body, { sequence, flags });
    else if (type === NLMSG_DONE) yield readDone(body, { sequence, flags });
    else yield { kind: 'data', sequence, type, flags, body };
  }
}

/** The end of a dump: an errno and, if it failed, perhaps the kernel's words. */
function readDone(
  body: ByteReader,
  header: { readonly sequence: number; readonly flags: number },
): NetlinkReply {
  const errno = body.remaining >= 4 ? errnoFrom(body) : 0;
  if ((header.flags & NLM_F_ACK_TLVS) === 0) return { kind: 'done', ...header, errno };
  return { kind: 'done', ...header, errno, message: acknowledgement.read(body).NLMSGERR_ATTR_MSG };
}

/** The kernel writes it negative; success is 0 (and not -0). */
function errnoFrom(body: ByteReader): number {
  return 0 - body.i32();
}

/** struct nlmsgerr: the errno, the request's header, its payload unless capped, then the extended acknowledgement. */
function readError(
  body: ByteReader,
  header: { readonly sequence: number; readonly flags: number },
): NetlinkReply {
  const errno = errnoFrom(body);
  const { sequence } = header;
  if ((header.flags & NLM_F_ACK_TLVS) === 0) return { kind: 'error', sequence, errno };
  const requestLength = body.u32();
  body.skip(12);
  if ((header.flags & NLM_F_CAPPED) === 0 && requestLength > headerSize) {
    body.skip((requestLength - headerSize + 3) & ~3);
  }
  const { NLMSGERR_ATTR_MSG: message, NLMSGERR_ATTR_OFFS: offset } = acknowledgement.read(body);
  return { kind: 'error', sequence, errno, message, offset };
}
