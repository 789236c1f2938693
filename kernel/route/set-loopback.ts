// Sets the loopback interface of a namespace up or down. A namespace that was just made has it down.
import type { Netns } from '../netns.ts';
import { applyAll } from './apply-all.ts';
import { openRouteDriver } from './driver.ts';

/** Throws KernelError: EPERM ... */
export function setLoopback(netns: Netns, up: boolean): void {
  const route = openRouteDriver({ netns });
  const detail = { kind: 'other', type: '' } as const;
  try {
    const link = { name: 'lo', detail, up };
    applyAll(route, [{ kind: 'link-set', link, was: { ...link, up: !up } }]);
  } finally {
    route.close();
  }
}
