// What went wrong between us and etcd, as a StoreError that names the member and repeats nothing of what we sent. etcd tells its errors
// apart by their texts (rpctypes/error.go), so these are asked for here and nowhere else.
import { status } from '@grpc/grpc-js';
import { StoreError, type StoreErrorCode, type StoreErrorDetails } from '../store-error.ts';

/** An error of a call, in gRPC's words. */
export interface CallFault {
  readonly code: number;
  readonly details: string;
}

const longestReason = 300;

/** `error` as gRPC's client throws it; anything else is an unknown fault. */
export function callFault(error: unknown): CallFault {
  if (typeof error === 'object' && error !== null && 'code' in error && 'details' in error) {
    const { code, details } = error;
    if (typeof code === 'number' && typeof details === 'string') return { code, details };
  }
  const message = typeof error === 'object' && error !== null && 'message' in error ? error.message : error;
  return { code: status.UNKNOWN, details: String(message) };
}

/** True when another member may well answer. */
export function isMembersFault({ code, details }: CallFault): boolean {
  return (
    code === status.UNAVAILABLE ||
    code === status.DEADLINE_EXCEEDED ||
    code === status.UNKNOWN ||
    code === status.INTERNAL ||
    /no leader|leader changed|not leader|request timed out|server stopped|too many requests/.test(details)
  );
}

/** True when a new token would help: the old one has ended, or rights have changed since. */
export function isTokensFault({ code, details }: CallFault): boolean {
  return (
    code === status.UNAUTHENTICATED ||
    /invalid auth token|revision in header is old|user name is empty/.test(details)
  );
}

export const isAuthDisabled = ({ details }: CallFault): boolean =>
  /authentication is not enabled/.test(details);
export const isLeaseThere = ({ details }: CallFault): boolean => /lease already exists/.test(details);
export const isCompacted = ({ details }: CallFault): boolean =>
  /required revision has been compacted|required revision is a future revision/.test(details);
export const isLeaseMissing = ({ details }: CallFault): boolean => /requested lease not found/.test(details);

/** Without control characters and of a length that fits a message. */
export function reasonOf({ code, details }: CallFault): string {
  const text = details
    .replace(/[^\P{C}]+/gu, ' ')
    // grpc-js' own frame around what happened.
    .replace(/^No connection established\. Last error: (?:Error: )?/, '')
    .replace(/\. Resolution note:\s*$/, '')
    .trim();
  if (code === status.DEADLINE_EXCEEDED) return 'it did not answer in time';
  if (text === '') return `gRPC status ${status[code] ?? code}`;
  return text.length <= longestReason ? text : `${text.slice(0, longestReason)}...`;
}

/** What a call failed with; the probe of access asks for its fault. */
class EtcdError extends StoreError {
  readonly fault: CallFault;

  constructor(action: string, { fault, ...details }: StoreErrorDetails & { readonly fault: CallFault }) {
    super(action, details);
    this.fault = fault;
  }
}

/** Undefined when it is no error of a call. */
export function faultOf(error: unknown): CallFault | undefined {
  return error instanceof EtcdError ? error.fault : undefined;
}

export function etcdError(
  action: string,
  {
    fault,
    place,
    code = 'unavailable',
  }: { readonly fault: CallFault; readonly place: string; readonly code?: StoreErrorCode },
): StoreError {
  return new EtcdError(`Cannot ${action}: etcd at "${place}": ${reasonOf(fault)}`, {
    code,
    object: place,
    fault,
  });
}

/** Why the cluster cannot be heard. */
export function problemText(error: unknown, place: string): string {
  const reason = error instanceof StoreError ? error.message : reasonOf(callFault(error));
  return reason.includes(place) ? reason : `${reason} (members: ${place})`;
}
