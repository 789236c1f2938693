// The private key of this node's WireGuard: kept over restarts and new devices, because peers know the public one. It comes, in this order,
// from the state directory, from a device that is there, from flannel's file, from chance. It is in no log, error or report.
import { chmodSync, mkdirSync, statSync } from 'node:fs';
import { dirname } from 'node:path';
import { clamped, newPrivateKey, publicKeyOf } from '../../kernel/wireguard/key-pair.ts';
import { WireguardKey } from '../../net/wireguard-key.ts';
import { errorMessage } from '../../runtime/error-text.ts';
import { writeFileAtomicSync } from '../../runtime/write-file.ts';
import { readFileIfThere } from '../node-files.ts';

/** Where flannel keeps its key. */
export const flannelKeyFile = '/run/flannel/wgkey';

export interface WireguardKeysOptions {
  /** "/var/lib/netloom/wireguard.key": base64 and a line feed, mode 0600. */
  readonly path: string;
  /** A key of flannel's to go on with. */
  readonly flannelPath: string;
  /** The private key of the device that is there, if there is one. */
  readonly ofDevice: () => WireguardKey | undefined;
}

export interface WireguardKeys {
  /** The same as long as the file says so. Throws Error that names the file when it cannot be read or written, or is no key. */
  privateKey(): WireguardKey;
  publicKey(): WireguardKey;
}

export function createWireguardKeys({ path, flannelPath, ofDevice }: WireguardKeysOptions): WireguardKeys {
  let chosen: { readonly privateKey: WireguardKey; readonly publicKey: WireguardKey } | undefined;

  function choose() {
    if (chosen !== undefined) return chosen;
    const kept = readKey(path);
    const privateKey = kept ?? clamped(ofDevice() ?? ofFlannel(flannelPath) ?? newPrivateKey());
    if (kept === undefined) save(path, privateKey);
    else keepPrivate(path);
    chosen = { privateKey, publicKey: publicKeyOf(privateKey) };
    return chosen;
  }

  return { privateKey: () => choose().privateKey, publicKey: () => choose().publicKey };
}

/** Undefined without a file. A spoilt one is an error: with a new key nobody would know the node until its lease is read. */
function readKey(path: string): WireguardKey | undefined {
  const text = readFileIfThere(path);
  if (text === undefined) return undefined;
  const key = WireguardKey.tryParse(text.trim());
  if (key === undefined || key.isZero) {
    throw new Error(
      `Cannot read the WireGuard key "${path}": want 32 bytes in base64; delete the file to have a new key made`,
    );
  }
  return clamped(key);
}

function ofFlannel(path: string): WireguardKey | undefined {
  try {
    return WireguardKey.tryParse((readFileIfThere(path) ?? '').trim());
  } catch {
    return undefined;
  }
}

function save(path: string, key: WireguardKey): void {
  try {
    mkdirSync(dirname(path), { recursive: true, mode: 0o755 });
    writeFileAtomicSync(path, `${key}\n`, { mode: 0o600, durable: true });
  } catch (error) {
    throw new Error(`Cannot keep the WireGuard key in "${path}": ${errorMessage(error)}`, { cause: error });
  }
}

/** Somebody may have put it there with the mode that files usually have. */
function keepPrivate(path: string): void {
  if ((statSync(path).mode & 0o077) !== 0) chmodSync(path, 0o600);
}
