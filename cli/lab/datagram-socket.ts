// A UDP socket that binds within the call: Node's own would ask a resolver first and bind in a later turn of the event loop,
// which is in another namespace than the one that the caller has entered.
import { createSocket, type Socket } from 'node:dgram';

/** IPv4, not bound yet. Every address given to it must be an IP address: nothing is looked up. */
export function datagramSocket(): Socket {
  return createSocket({ type: 'udp4', lookup: (address, _, done) => done(null, address, 4) });
}
