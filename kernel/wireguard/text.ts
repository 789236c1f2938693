// WireGuard devices and the steps of a plan in the operator's language: as `wg` takes them. Secrets are left out.
import { endpointText, type WireguardPeer, type WireguardStep } from './objects.ts';

const hidden = '(hidden)';

/** The step as one command of `wg` that does the same, given the keys. */
export function wireguardStepText(step: WireguardStep): string {
  return `wg set ${step.link} ${words(step)}`;
}

/** What errors call the steps. */
export const wireguardOperations: Readonly<Record<WireguardStep['kind'], string>> = {
  'device-set': 'set WireGuard device',
  'peer-set': 'set WireGuard peer',
  'peer-delete': 'delete WireGuard peer',
};

/** What a step is about: "flannel-wg", "flannel-wg peer kEy…=". */
export function wireguardStepObject(step: WireguardStep): string {
  switch (step.kind) {
    case 'device-set':
      return step.link;
    case 'peer-set':
      return `${step.link} peer ${step.peer.publicKey}`;
    case 'peer-delete':
      return `${step.link} peer ${step.publicKey}`;
    default:
      return step satisfies never;
  }
}

function words(step: WireguardStep): string {
  switch (step.kind) {
    case 'device-set': {
      const { privateKey, listenPort } = step.device;
      return `private-key ${privateKey === undefined ? '/dev/null' : hidden} listen-port ${listenPort}`;
    }
    case 'peer-set':
      return peerWords(step.keepsEndpoint ? { ...step.peer, endpoint: undefined } : step.peer);
    case 'peer-delete':
      return `peer ${step.publicKey} remove`;
    default:
      return step satisfies never;
  }
}

function peerWords({
  publicKey,
  presharedKey,
  endpoint,
  keepaliveSeconds,
  allowedIps,
}: WireguardPeer): string {
  return [
    `peer ${publicKey}`,
    `preshared-key ${presharedKey === undefined ? '/dev/null' : hidden}`,
    ...(endpoint === undefined ? [] : [`endpoint ${endpointText(endpoint)}`]),
    `persistent-keepalive ${keepaliveSeconds === 0 ? 'off' : keepaliveSeconds}`,
    `allowed-ips ${allowedIps.length === 0 ? '""' : allowedIps.join(',')}`,
  ].join(' ');
}
