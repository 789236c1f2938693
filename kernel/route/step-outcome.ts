// What the kernel's refusal of a step means: whether what was asked for is so already, and what an operator should be told.
import { isExists, isNotFound, isNotPermitted, isNotSupported, KernelError } from '../kernel-error.ts';
import { stepRequest } from './requests.ts';
import type { RouteStep } from './step.ts';
import { kernelKind } from './wire-link-detail.ts';

/** True for a step that deletes: what it deletes may have gone already. */
export function isDelete(step: RouteStep): boolean {
  return step.kind.endsWith('-delete');
}

/**
 * True when the error says no more than that the step's aim was there before it. Of additions only those count whose EEXIST
 * means an equal object: the kernel tells addresses and rules apart by all that Netloom sets of them. Not so links: one of the
 * same name may be of any kind.
 */
export function isAlreadySo(step: RouteStep, error: unknown): boolean {
  if (isDelete(step)) return isNotFound(error);
  switch (step.kind) {
    case 'address-add':
    case 'rule-add':
    case 'fdb-set':
      return isExists(error);
    default:
      return false;
  }
}

/** The error with the words that the kernel's own lack. */
export function explained(step: RouteStep, error: unknown): Error {
  if (!(error instanceof KernelError)) return error instanceof Error ? error : new Error(String(error));
  const words = advice(step, error);
  const { operation, object } = stepRequest(step);
  const { errno, offset } = error;
  // Looking up a link of the step failed: that is the cause, the step is what could not be done.
  const isOwn = error.operation === operation;
  if (words === undefined && isOwn) return error;
  const kernelMessage = words ?? (isOwn ? error.kernelMessage : error.message);
  return new KernelError({ operation, object, errno, kernelMessage, offset, cause: error });
}

function advice(step: RouteStep, error: KernelError): string | undefined {
  if (isNotPermitted(error)) return 'the capability CAP_NET_ADMIN is needed';
  if ((step.kind !== 'link-add' && step.kind !== 'link-set') || !isNotSupported(error)) return undefined;
  const { detail } = step.link;
  if (detail.kind === 'bridge' && detail.vlanFiltering === true)
    return 'this kernel has no bridge with VLAN filtering';
  return step.kind === 'link-add' ? `this kernel has no ${kernelKind(detail)}` : undefined;
}
