// The carriers of a running agent, with the keys that they need.
import { join } from 'node:path';
import type { WireguardAccess } from '../../kernel/wireguard/objects.ts';
import type { WireguardKey } from '../../net/wireguard-key.ts';
import type { WireguardPublicKey } from '../backend/backend.ts';
import { wireguardDeviceNames } from '../backend/wireguard.ts';
import type { Carrier } from './carrier.ts';
import { createCarriers } from './carriers.ts';
import { createWireguardCarrier } from './wireguard-carrier.ts';
import { createWireguardKeys, flannelKeyFile } from './wireguard-keys.ts';

export interface OpenCarrierOptions {
  readonly stateDirectory: string;
  readonly kernel: { openWireguard(): WireguardAccess };
  /** Milliseconds since the epoch. */
  readonly now: () => number;
}

export function openCarrier({ stateDirectory, kernel, now }: OpenCarrierOptions): {
  readonly carrier: Carrier;
  readonly wireguardKey: WireguardPublicKey;
} {
  const { privateKey, publicKey } = createWireguardKeys({
    path: join(stateDirectory, 'wireguard.key'),
    flannelPath: flannelKeyFile,
    ofDevice: () => keyOfDevice(kernel),
  });
  const carrier = createCarriers({
    wireguard: () => createWireguardCarrier({ open: () => kernel.openWireguard(), privateKey, now }),
  });
  return { carrier, wireguardKey: publicKey };
}

/** A node that is taken over goes on with the key that its peers know. */
function keyOfDevice(kernel: OpenCarrierOptions['kernel']): WireguardKey | undefined {
  try {
    const access = kernel.openWireguard();
    try {
      const [first, second] = Object.values(wireguardDeviceNames).map(
        (name) => access.read(name)?.privateKey,
      );
      return first ?? second;
    } finally {
      access.close();
    }
  } catch {
    // Without WireGuard there is no such device.
    return undefined;
  }
}
