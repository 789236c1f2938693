// Makes a persistent TUN device: rtnetlink cannot, it takes /dev/net/tun (Documentation/networking/tuntap.rst).
import { KernelError } from '../kernel-error.ts';
import * as libc from '../libc.ts';
import type { Netns } from '../netns.ts';

const O_RDWR = 2;
const TUNSETIFF = 0x400454ca;
const TUNSETPERSIST = 0x400454cb;
const IFF_TUN = 0x0001;
const IFF_NO_PI = 0x1000;
const ifreqSize = 40;
const flagsOffset = 16;

/** Makes `name` in `netns`. Throws KernelError: EBUSY when a process holds a device of that name, EINVAL when it is no TUN device. */
export function createTun(name: string, netns: Netns | undefined): void {
  const request = Buffer.alloc(ifreqSize);
  request.write(name, 0, flagsOffset - 1, 'utf8');
  request.writeUInt16LE(IFF_TUN | IFF_NO_PI, flagsOffset);
  const make = (): void => {
    // The namespace of the device is that of the open.
    const fd = libc.open('/dev/net/tun', O_RDWR);
    try {
      libc.ioctl(fd, TUNSETIFF, request);
      // Its argument is a truth value: any address is true.
      libc.ioctl(fd, TUNSETPERSIST, request);
    } finally {
      libc.close(fd);
    }
  };
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
