// The MTU of a pod, as its own eth0 has it.
import type { Netns } from '../../kernel/netns.ts';
import { openRouteDriver } from '../../kernel/route/driver.ts';

/** Bytes. Throws Error when there is no eth0. */
export function readMtu(netns: Netns): number {
  const driver = openRouteDriver({ netns });
  try {
    const mtu = driver.link('eth0')?.mtu;
    if (mtu === undefined) throw new Error(`There is no eth0 in "${netns.path}"`);
    return mtu;
  } finally {
    driver.close();
  }
}
