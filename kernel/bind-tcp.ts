// Makes TCP sockets that are bound, in a namespace and within the call: Node looks a host up first, even where it is an address,
// and binds in a later turn, which is in another namespace. It does not listen: a server takes the descriptor over for that.
import type { IpAddress } from '../net/address.ts';
import { KernelError } from './kernel-error.ts';
import * as libc from './libc.ts';
import type { Netns } from './netns.ts';
import { socketAddress } from './socket-address.ts';

const AF_INET = 2;
const AF_INET6 = 10;
const SOCK_STREAM = 1;
const SOL_SOCKET = 1;
const SO_REUSEADDR = 2;
const IPPROTO_IPV6 = 41;
const IPV6_V6ONLY = 26;

export interface TcpBinding {
  /** `any`: every address of the namespace, in both families where the kernel has IPv6. */
  readonly address: IpAddress | 'any';
  /** 0: a free one. */
  readonly port: number;
  readonly netns?: Netns | undefined;
}

/** The descriptor, the caller's to close or to hand to a server. Throws KernelError: EADDRINUSE, EADDRNOTAVAIL, EACCES. */
export function bindTcp(binding: TcpBinding): number {
  const { netns } = binding;
  return netns === undefined ? bound(binding) : netns.run(() => bound(binding));
}

function bound({ address, port }: TcpBinding): number {
  if (address !== 'any') return bindOne(address.bytes, { port, onlyIp6: true });
  try {
    return bindOne(new Uint8Array(16), { port, onlyIp6: false });
  } catch (error) {
    // A kernel, or a namespace, without IPv6.
    if (!(error instanceof KernelError && withoutIp6.has(error.code))) throw error;
    return bindOne(new Uint8Array(4), { port, onlyIp6: true });
  }
}

const withoutIp6: ReadonlySet<string> = new Set(['EAFNOSUPPORT', 'EADDRNOTAVAIL']);

function bindOne(bytes: Uint8Array, { port, onlyIp6 }: { port: number; onlyIp6: boolean }): number {
  const family = bytes.length === 4 ? AF_INET : AF_INET6;
  const fd = libc.socket(family, SOCK_STREAM, 0);
  try {
    // Connections of a server before us may linger.
    libc.setSocketOption(fd, SOL_SOCKET, SO_REUSEADDR, 1);
    if (family === AF_INET6) libc.setSocketOption(fd, IPPROTO_IPV6, IPV6_V6ONLY, onlyIp6 ? 1 : 0);
    libc.bind(fd, socketAddress(bytes, port));
    return fd;
  } catch (error) {
    libc.close(fd);
    throw error;
  }
}
