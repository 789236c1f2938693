// The loopback interface of a pod, for runtimes that have a plugin set it up. Nothing is recorded of it: it ends with its
// namespace.
import type { Netns } from '../../kernel/netns.ts';
import { openRouteDriver } from '../../kernel/route/driver.ts';
import { setLoopback } from '../../kernel/route/set-loopback.ts';
import { CniError, cniCodes } from './cni-error.ts';
import { findPodNetns, openPodNetns } from './pod-netns.ts';

/** Sets "lo" up. Throws CniError (invalid namespace), also for the host's own. */
export function addLoopback(path: string, host: Netns): void {
  using pod = openPodNetns(path, host);
  setLoopback(pod, true);
}

/** Sets "lo" down, as the reference does. A namespace that is gone, or the host's own, is left alone. */
export function removeLoopback(path: string, host: Netns): void {
  using pod = findPodNetns(path, host);
  if (pod !== undefined) setLoopback(pod, false);
}

/** Throws CniError when it is down. */
export function checkLoopback(path: string, host: Netns): void {
  using pod = openPodNetns(path, host);
  const route = openRouteDriver({ netns: pod });
  try {
    if (route.link('lo')?.up === true) return;
    throw new CniError(cniCodes.checkFailed, `The loopback interface in "${path}" is down`);
  } finally {
    route.close();
  }
}
