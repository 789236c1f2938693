// Attaches a descriptor to a TUN device by its name (linux/if_tun.h): what making one and reading its packets have in common.
import * as libc from '../libc.ts';

const O_RDWR = 2;
const TUNSETIFF = 0x400454ca;
const TUNSETPERSIST = 0x400454cb;
const IFF_TUN = 0x0001;
const IFF_NO_PI = 0x1000;
/** struct ifreq: a name and, here, flags. */
const ifreqSize = 40;
const flagsOffset = 16;

export interface AttachOptions {
  readonly nonBlocking?: boolean;
  /** Flags beside those that every descriptor of ours has. */
  readonly flags?: number;
}

/**
 * Opens the device of that name in the namespace of the calling thread, or makes it; it stays when the descriptor is closed. Throws
 * KernelError: EBUSY when a process holds it, EINVAL when it is no TUN device.
 */
export function attachToTun(name: string, { nonBlocking = false, flags = 0 }: AttachOptions = {}): number {
  const request = Buffer.alloc(ifreqSize);
  request.write(name, 0, flagsOffset - 1, 'utf8');
  request.writeUInt16LE(IFF_TUN | IFF_NO_PI | flags, flagsOffset);
  const fd = libc.open('/dev/net/tun', O_RDWR | (nonBlocking ? libc.O_NONBLOCK : 0));
  try {
    libc.ioctl(fd, TUNSETIFF, request);
    libc.ioctlNumber(fd, TUNSETPERSIST, 1);
    return fd;
  } catch (error) {
    libc.close(fd);
    throw error;
  }
}
