// What the kernel answers when it refuses something. Ask it (isNotFound, isExists ...); never match its text.
import { constants } from 'node:os';
import { getSystemErrorMessage } from 'node:util';

const names: ReadonlyMap<number, string> = new Map(
  // EWOULDBLOCK, ENOTSUP ... share a number with another name: the first one stays.
  Object.entries(constants.errno)
    .reverse()
    .map(([name, value]) => [value, name]),
);

/** Numbers that user space seldom sees and Node does not name (linux/errno.h). */
const kernelOnly: ReadonlyMap<number, string> = new Map([
  [85, 'ERESTART'],
  [95, 'EOPNOTSUPP'],
  [524, 'ENOTSUPP'],
]);

export interface KernelErrorDetail {
  /** What was tried, as a verb: "add route". */
  readonly operation: string;
  /** What it was tried on, as an operator writes it: "10.1.2.0/24 via 192.0.2.9". May be empty. */
  readonly object: string;
  /** The positive error number. */
  readonly errno: number;
  /** The kernel's own words (extended acknowledgement), if it gave any. */
  readonly kernelMessage?: string | undefined;
  /** Where in the request the kernel found the fault, in bytes from the message's start. */
  readonly offset?: number | undefined;
  /** Where the number is none of errno.h's but a subsystem's own: its name there, and what it means. */
  readonly own?: { readonly code: string; readonly text: string } | undefined;
  readonly cause?: unknown;
}

/** An error of a system call or of a netlink request. `code` is the errno's name: "ENOENT". */
export class KernelError extends Error {
  readonly operation: string;
  readonly object: string;
  readonly errno: number;
  readonly code: string;
  readonly kernelMessage: string | undefined;
  readonly offset: number | undefined;

  constructor(detail: KernelErrorDetail) {
    const { code, text } = detail.own ?? { code: errnoName(detail.errno), text: errnoText(detail.errno) };
    const subject = detail.object === '' ? '' : ` "${detail.object}"`;
    const words = detail.kernelMessage === undefined ? '' : `: ${detail.kernelMessage}`;
    super(
      `Cannot ${detail.operation}${subject}: ${text} (${code})${words}`,
      detail.cause === undefined ? undefined : { cause: detail.cause },
    );
    this.name = 'KernelError';
    this.operation = detail.operation;
    this.object = detail.object;
    this.errno = detail.errno;
    this.code = code;
    this.kernelMessage = detail.kernelMessage;
    this.offset = detail.offset;
  }
}

export function errnoName(errno: number): string {
  return kernelOnly.get(errno) ?? names.get(errno) ?? `errno ${errno}`;
}

function errnoText(errno: number): string {
  return names.has(errno) ? getSystemErrorMessage(-errno) : 'kernel error';
}

function hasCode(error: unknown, codes: readonly string[]): boolean {
  return error instanceof KernelError && codes.includes(error.code);
}

/** The object is not there: what a delete asked for is so already. */
export function isNotFound(error: unknown): boolean {
  return hasCode(error, ['ENOENT', 'ESRCH', 'ENODEV', 'ENXIO', 'EADDRNOTAVAIL']);
}

/** The object is there already. */
export function isExists(error: unknown): boolean {
  return hasCode(error, ['EEXIST']);
}

/** The process lacks a capability (CAP_NET_ADMIN for most of what this folder does). */
export function isNotPermitted(error: unknown): boolean {
  return hasCode(error, ['EPERM', 'EACCES']);
}

/** The kernel was built without the feature, or its module is not loaded. */
export function isNotSupported(error: unknown): boolean {
  return hasCode(error, ['EOPNOTSUPP', 'ENOTSUPP', 'EAFNOSUPPORT', 'EPROTONOSUPPORT', 'ENOSYS']);
}

/** Messages were lost because the socket's buffer was full: what is known must be read anew. */
export function isOverrun(error: unknown): boolean {
  return hasCode(error, ['ENOBUFS']);
}

/** What was read changed meanwhile (NLM_F_DUMP_INTR): it has to be read again. */
export function isInterrupted(error: unknown): boolean {
  return hasCode(error, ['EINTR']);
}

/** Somebody changed the ruleset since the generation that the batch names (NFNL_BATCH_GENID). */
export function isStaleGeneration(error: unknown): boolean {
  return hasCode(error, ['ERESTART']);
}
