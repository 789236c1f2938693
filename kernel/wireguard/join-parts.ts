// A device from the messages that the kernel tells it in: a peer with many allowed addresses goes on in the next one.
import { peerMap, type WireguardDeviceState, type WireguardPeerState } from './objects.ts';
import type { DevicePart } from './wire.ts';

export function joinParts(parts: readonly DevicePart[]): WireguardDeviceState | undefined {
  const [first] = parts;
  if (first === undefined) return undefined;
  const peers: WireguardPeerState[] = [];
  for (const part of parts) {
    for (const [i, peer] of part.peers.entries()) {
      const last = peers.at(-1);
      if (i === 0 && last?.publicKey.equals(peer.publicKey))
        peers[peers.length - 1] = { ...last, allowedIps: [...last.allowedIps, ...peer.allowedIps] };
      else peers.push(peer);
    }
  }
  const { privateKey, publicKey, listenPort = 0 } = first;
  return { privateKey, publicKey, listenPort, peers: peerMap(peers) };
}
