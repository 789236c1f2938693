// Whether programs can have SCTP sockets: the kernel's own SCTP, without which packets of it can be forwarded and translated all the same.
import * as libc from './libc.ts';
import type { Netns } from './netns.ts';

const AF_INET = 2;
const SOCK_STREAM = 1;
const IPPROTO_SCTP = 132;

/** Throws KernelError (EPROTONOSUPPORT) when there are none. */
export function canOpenSctp(netns: Netns): void {
  netns.run(() => libc.close(libc.socket(AF_INET, SOCK_STREAM, IPPROTO_SCTP)));
}
