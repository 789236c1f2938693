// A pod's network namespace, from the path that a runtime gives: is it one, and is it not the host's own?
import { KernelError } from '../../kernel/kernel-error.ts';
import { isNetns, Netns } from '../../kernel/netns.ts';
import { CniError, cniCodes } from './cni-error.ts';

/**
 * Opens the namespace. Throws CniError (invalid namespace) when there is none at the path, or when it is `host`: a stale
 * /proc/PID/ns/net may be anybody's, and what is meant for a pod must not be done to the node.
 */
export function openPodNetns(path: string, host: Netns): Netns {
  const refuse = (why: string, cause?: unknown) =>
    new CniError(cniCodes.invalidNetns, `Cannot use network namespace "${path}": ${why}`, { cause });
  // Asked before it is opened: to open a named pipe would wait for ever.
  if (!isNetns(path)) throw refuse('there is no network namespace at this path');
  let pod: Netns;
  try {
    pod = Netns.open(path);
  } catch (cause) {
    throw refuse(cause instanceof KernelError ? cause.message : 'it cannot be opened', cause);
  }
  if (!pod.equals(host)) return pod;
  pod.close();
  throw refuse("it is the host's own (CNI_NETNS and the plugin's namespace must not be the same)");
}

/** For DEL: undefined when nothing at the path may be touched, whatever the reason. */
export function findPodNetns(path: string, host: Netns): Netns | undefined {
  if (path === '') return undefined;
  try {
    return openPodNetns(path, host);
  } catch (error) {
    if (error instanceof CniError) return undefined;
    throw error;
  }
}
