// Opens the sockets of a tunnel over UDP in a namespace: the one that carries packets, and a raw one for ICMP messages of the tunnel's own.
import type { IpAddress } from '../../net/address.ts';
import { KernelError } from '../kernel-error.ts';
import * as libc from '../libc.ts';
import type { Netns } from '../netns.ts';
import { socketAddress } from '../socket-address.ts';
import { AF_INET, IPPROTO_UDP, UDP_GRO, UDP_SEGMENT } from './message-layout.ts';

const SOCK_DGRAM = 2;
const SOL_SOCKET = 1;
/** asm-generic/socket.h: beyond the machine's limits, with CAP_NET_ADMIN. */
const SO_SNDBUFFORCE = 32;
const SO_RCVBUFFORCE = 33;
const IPPROTO_RAW = 255;

/** A burst that comes while the thread is busy. */
const bufferSize = 4 << 20;

export interface UdpSocketOptions {
  readonly address: IpAddress;
  readonly port: number;
  readonly netns?: Netns | undefined;
}

export interface UdpSocket {
  readonly fd: number;
  /** One call may send several datagrams of one size (UDP_SEGMENT). */
  readonly splits: boolean;
  /** Several datagrams of one size may come as one (UDP_GRO). */
  readonly joins: boolean;
}

/** IPv4, non-blocking. Throws KernelError: EADDRINUSE when the port is taken, EADDRNOTAVAIL when the address is none of the machine's. */
export function openUdpSocket({ address, port, netns }: UdpSocketOptions): UdpSocket {
  if (address.family !== 4) throw new TypeError(`Cannot listen on "${address}": only IPv4 is supported`);
  const bytes = socketAddress(address.bytes, port);
  const open = (): UdpSocket => {
    const fd = libc.socket(AF_INET, SOCK_DGRAM | libc.O_NONBLOCK, 0);
    try {
      libc.setSocketOption(fd, SOL_SOCKET, SO_RCVBUFFORCE, bufferSize);
      libc.setSocketOption(fd, SOL_SOCKET, SO_SNDBUFFORCE, bufferSize);
      const splits = takes(() => libc.getSocketOption(fd, IPPROTO_UDP, UDP_SEGMENT));
      const joins = takes(() => libc.setSocketOption(fd, IPPROTO_UDP, UDP_GRO, 1));
      libc.bind(fd, bytes);
      return { fd, splits, joins };
    } catch (error) {
      libc.close(fd);
      throw error;
    }
  };
  try {
    return netns === undefined ? open() : netns.run(open);
  } catch (error) {
    if (!(error instanceof KernelError)) throw error;
    throw new KernelError({
      operation: 'listen on UDP',
      object: `${address}:${port}`,
      errno: error.errno,
      cause: error,
    });
  }
}

/** Sends whole IPv4 packets as the machine's own; receives nothing. Throws KernelError: EPERM without CAP_NET_RAW. */
export function openRawSender(netns: Netns | undefined): number {
  const open = (): number => libc.socket(AF_INET, libc.SOCK_RAW | libc.O_NONBLOCK, IPPROTO_RAW);
  return netns === undefined ? open() : netns.run(open);
}

function takes(ask: () => void): boolean {
  try {
    ask();
    return true;
  } catch (error) {
    if (error instanceof KernelError && error.code === 'ENOPROTOOPT') return false;
    throw error;
  }
}
