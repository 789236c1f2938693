// Two nodes with different backends, as they are while a cluster's backend is changed: they talk by plain routes, as with host-gw, where
// they are on one network. Both see it alike, so packets go the same way in both directions. Pure.
import { backendName, type Lease } from '../../store/lease.ts';
import { type BackendInput, isDirect, peerFamilies } from './backend.ts';
import { whyNotHostGw } from './host-gw.ts';

/** By the name of a lease's backend. Not "wireguard", whose packets must not leave in the clear, nor "alloc", whose ways are not ours. */
const inTheClear: ReadonlySet<string> = new Set(['vxlan', 'host-gw', 'ipip', 'udp']);

/** By the type in two leases. */
export function isSameBackend(one: string, other: string): boolean {
  return backendName({ backendType: one }) === backendName({ backendType: other });
}

/** Why a peer of another backend is left out; undefined when plain routes lead there and back. */
export function whyNotPlain(lease: Lease, input: BackendInput): string | undefined {
  const { own, underlay } = input;
  const differ = `its backend is "${backendName(lease)}", this node's is "${backendName(own)}"`;
  if (!inTheClear.has(backendName(lease)) || !inTheClear.has(backendName(own))) return differ;
  const only = `${differ}, and between them only plain routes are possible`;
  if (whyNotHostGw(underlay) !== undefined)
    return `${only}: this node is reached by another address than that of interface "${underlay.link}"`;
  const far = peerFamilies(lease, input.config).find(({ publicIp }) => !isDirect(publicIp, input));
  if (far === undefined) return undefined;
  return `${only}: its address "${far.publicIp}" is not on a network of interface "${underlay.link}"`;
}
