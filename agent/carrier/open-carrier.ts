// The carriers of a running agent, with the keys that they need.
import { join } from 'node:path';
import type { TunnelKernel } from '../../kernel/tun/tunnel-kernel.ts';
import type { WireguardAccess } from '../../kernel/wireguard/objects.ts';
import type { WireguardKey } from '../../net/wireguard-key.ts';
import type { WireguardPublicKey } from '../backend/backend.ts';
import { wireguardDeviceNames } from '../backend/wireguard.ts';
import type { Carrier } from './carrier.ts';
import { createCarriers } from './carriers.ts';
import { addedPeers, createExtensionCarrier } from './extension-carrier.ts';
import {
  type ExtensionProgram,
  type ExtensionProgramOptions,
  openExtensionProgram,
} from './extension-program.ts';
import { createExtensionVoice, type ExtensionVoice } from './extension-voice.ts';
import { startForwarderThread } from './udp/forwarder-thread.ts';
import { createUdpCarrier } from './udp/udp-carrier.ts';
import { UdpCounters } from './udp/udp-counters.ts';
import { createWireguardCarrier } from './wireguard-carrier.ts';
import { createWireguardKeys, flannelKeyFile } from './wireguard-keys.ts';

export function extensionFile(stateDirectory: string): string {
  return join(stateDirectory, 'extension.json');
}

export interface OpenCarrierOptions {
  readonly stateDirectory: string;
  /** The operator's program; absent: none is named. */
  readonly extension?: ExtensionProgramOptions | undefined;
  readonly kernel: { readonly tunnel: TunnelKernel; openWireguard(): WireguardAccess };
  /** Milliseconds since the epoch. */
  readonly now: () => number;
}

export interface OpenedCarrier {
  readonly carrier: Carrier;
  readonly wireguardKey: WireguardPublicKey;
  readonly extension: ExtensionVoice;
  readonly udpCounters: UdpCounters;
}

export function openCarrier({ stateDirectory, extension, kernel, now }: OpenCarrierOptions): OpenedCarrier {
  const program = (): ExtensionProgram => {
    if (extension !== undefined) return openExtensionProgram(extension);
    throw new Error('Cannot run backend "extension": no program is named (--extension-program)');
  };
  const { privateKey, publicKey } = createWireguardKeys({
    path: join(stateDirectory, 'wireguard.key'),
    flannelPath: flannelKeyFile,
    ofDevice: () => keyOfDevice(kernel),
  });
  const path = extensionFile(stateDirectory);
  const hasLeftovers = extension !== undefined && addedPeers(path).length > 0;
  const udpCounters = new UdpCounters();
  const carriers = {
    udp: () =>
      createUdpCarrier({
        kernel: kernel.tunnel,
        counters: udpCounters,
        startThread: startForwarderThread,
        now,
      }),
    wireguard: () => createWireguardCarrier({ open: () => kernel.openWireguard(), privateKey, now }),
    extension: () => createExtensionCarrier({ program, path }),
  };
  const carrier = createCarriers(carriers, hasLeftovers ? ['extension'] : []);
  return { carrier, wireguardKey: publicKey, extension: createExtensionVoice(program), udpCounters };
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
