// From what a WireGuard device is to what it should be: the steps between. Pure.
import {
  type Endpoint,
  endpointText,
  type WireguardDevice,
  type WireguardDeviceState,
  type WireguardPeer,
  type WireguardPeerState,
  type WireguardStep,
} from './objects.ts';

/** After so many milliseconds without a handshake nothing of a peer's is believed any more (REJECT_AFTER_TIME). */
const deadAfterMs = 180_000;

export interface WireguardPlanInput {
  readonly link: string;
  readonly wanted: WireguardDevice;
  readonly actual: WireguardDeviceState;
  /**
   * Where each peer was sought last, by its public key: who is to be sought elsewhere since then is so at once. Of whom that is not known, the
   * address counts and not the port: translators change ports.
   */
  readonly sought?: ReadonlyMap<string, Endpoint> | undefined;
  /** Milliseconds since the epoch. */
  readonly now: number;
}

/** All peers of `actual` that are not wanted go; they go first, so that what they were allowed is free. */
export function planWireguard(input: WireguardPlanInput): readonly WireguardStep[] {
  const { link, wanted, actual } = input;
  const device: readonly WireguardStep[] = isSameDevice(wanted, actual)
    ? []
    : [{ kind: 'device-set', link, device: wanted }];
  const stale = [...actual.peers].flatMap(([key, { publicKey }]): readonly WireguardStep[] =>
    wanted.peers.has(key) ? [] : [{ kind: 'peer-delete', link, publicKey }],
  );
  const peers = [...wanted.peers].flatMap(([key, peer]): readonly WireguardStep[] => {
    const found = actual.peers.get(key);
    const keepsEndpoint = found !== undefined && !mustMove(peer, found, input);
    if (found !== undefined && keepsEndpoint && isSamePeer(peer, found)) return [];
    return [{ kind: 'peer-set', link, peer, keepsEndpoint }];
  });
  return [...device, ...stale, ...peers];
}

function isSameDevice(wanted: WireguardDevice, actual: WireguardDeviceState): boolean {
  const isSameKey = wanted.privateKey?.toString() === actual.privateKey?.toString();
  return isSameKey && (wanted.listenPort === 0 || wanted.listenPort === actual.listenPort);
}

/** But for where it is. */
function isSamePeer(wanted: WireguardPeer, actual: WireguardPeer): boolean {
  const allowed = ({ allowedIps }: WireguardPeer) => allowedIps.map(String).sort().join(' ');
  return (
    wanted.presharedKey?.toString() === actual.presharedKey?.toString() &&
    wanted.keepaliveSeconds === actual.keepaliveSeconds &&
    allowed(wanted) === allowed(actual)
  );
}

/**
 * A peer is heard from wherever its packets come from (behind a translator, another port), and answered there. That is how it should be
 * while it works; one that is silent is sought where it says it is.
 */
function mustMove(
  wanted: WireguardPeer,
  actual: WireguardPeerState,
  { sought, now }: WireguardPlanInput,
): boolean {
  if (wanted.endpoint === undefined) return false;
  const place = endpointText(wanted.endpoint);
  if (actual.endpoint !== undefined && endpointText(actual.endpoint) === place) return false;
  const before = sought?.get(wanted.publicKey.toString());
  if (before !== undefined && endpointText(before) !== place) return true;
  const heardAt = actual.endpoint?.address;
  if (before === undefined && heardAt !== undefined && !heardAt.equals(wanted.endpoint.address)) return true;
  return actual.lastHandshake === undefined || now - actual.lastHandshake > deadAfterMs;
}
