// Opens a TUN device for packets in bulk: non-blocking, each packet behind a struct virtio_net_hdr, TCP in segments of up to 64 KiB, and
// checksums that are left to whoever reads (TUNSETOFFLOAD). What the packets are is the reader's business.
import { KernelError } from '../kernel-error.ts';
import * as libc from '../libc.ts';
import type { Netns } from '../netns.ts';
import { attachToTun } from './tun-request.ts';

const IFF_VNET_HDR = 0x4000;
const TUNSETOFFLOAD = 0x400454d0;
const TUN_F_CSUM = 1;
const TUN_F_TSO4 = 2;

/** Throws KernelError: EBUSY when another process holds the device. */
export function openTun(name: string, netns: Netns | undefined): number {
  const open = (): number => {
    const fd = attachToTun(name, { nonBlocking: true, flags: IFF_VNET_HDR });
    try {
      libc.ioctlNumber(fd, TUNSETOFFLOAD, TUN_F_CSUM | TUN_F_TSO4);
      return fd;
    } catch (error) {
      libc.close(fd);
      throw error;
    }
  };
  try {
    return netns === undefined ? open() : netns.run(open);
  } catch (error) {
    if (!(error instanceof KernelError)) throw error;
    const isHeld = error.code === 'EBUSY';
    throw new KernelError({
      operation: 'open TUN device',
      object: name,
      errno: error.errno,
      kernelMessage: isHeld ? 'another process holds it, flanneld perhaps' : error.message,
      cause: error,
    });
  }
}
