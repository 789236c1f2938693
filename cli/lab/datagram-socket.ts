// A UDP socket that binds within the call: Node's own would ask a resolver first and bind in a later turn of the event loop,
// which is in another namespace than the one that the caller has entered.
import { createSocket, type Socket } from 'node:dgram';
import type { Family } from '../../net/address.ts';

/** Not bound yet, and of one family alone. Every address given to it must be an IP address: nothing is looked up. */
export function datagramSocket(family: Family = 4): Socket {
  return createSocket({
    type: family === 4 ? 'udp4' : 'udp6',
    ipv6Only: family === 6,
    lookup: (address, _, done) => done(null, address, family),
  });
}
