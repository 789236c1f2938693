// Makes a persistent TUN device: rtnetlink cannot, it takes /dev/net/tun (Documentation/networking/tuntap.rst).
import { KernelError } from '../kernel-error.ts';
import * as libc from '../libc.ts';
import type { Netns } from '../netns.ts';
import { attachToTun } from '../tun/tun-request.ts';

/** Makes `name` in `netns`. Throws KernelError: EBUSY when a process holds a device of that name, EINVAL when it is no TUN device. */
export function createTun(name: string, netns: Netns | undefined): void {
  // The namespace of the device is that of the open.
  const make = (): void => libc.close(attachToTun(name));
  try {
    if (netns === undefined) make();
    else netns.run(make);
  } catch (error) {
    if (!(error instanceof KernelError)) throw error;
    const { errno, message } = error;
    throw new KernelError({
      operation: 'add link',
      object: `${name} type tun`,
      errno,
      kernelMessage: message,
      cause: error,
    });
  }
}
