// What a tunnel in userspace needs of the kernel, in one namespace. Descriptors are the caller's to close.
import { KernelError } from '../kernel-error.ts';
import * as libc from '../libc.ts';
import type { Netns } from '../netns.ts';
import { openTun } from './open-tun.ts';
import { openRawSender, openUdpSocket, type UdpSocket, type UdpSocketOptions } from './udp-socket.ts';

const TUNGETIFF = 0x800454d2;
const ifreqSize = 40;

export interface TunnelKernel {
  /** Throws KernelError: EBUSY when another process holds the device. */
  openTun(name: string): number;
  /** False when the device of the descriptor was deleted. */
  isAttached(tun: number): boolean;
  /** Throws KernelError that names address and port. */
  openUdp(options: Pick<UdpSocketOptions, 'address' | 'port'>): UdpSocket;
  openRaw(): number;
  close(fd: number): void;
}

export function openTunnelKernel(netns: Netns | undefined): TunnelKernel {
  return {
    openTun: (name) => openTun(name, netns),
    isAttached(tun) {
      try {
        libc.ioctl(tun, TUNGETIFF, Buffer.alloc(ifreqSize));
        return true;
      } catch (error) {
        // EBADFD.
        if (error instanceof KernelError) return false;
        throw error;
      }
    },
    openUdp: (options) => openUdpSocket({ ...options, netns }),
    openRaw: () => openRawSender(netns),
    close: libc.close,
  };
}
