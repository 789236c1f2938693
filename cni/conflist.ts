// The network configuration list that a runtime finds in /etc/cni/net.d: its text, and how it is put there and taken away.
import { mkdirSync, readFileSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { errorCode } from '../runtime/error-text.ts';
import { writeFileAtomicSync } from '../runtime/write-file.ts';

/** flannel's: addresses given out before a move to Netloom are found again. */
export const networkName = 'cbr0';

export const conflistName = '10-netloom.conflist';
/** The plugin's name in the runtime's directory of executables. */
export const pluginType = 'netloom-cni';

export interface ConflistOptions {
  /** flannel's name unless given, so that addresses given out before a move to Netloom are found again. */
  readonly networkName?: string;
  readonly bridge: string;
  readonly runDirectory: string;
  /** Holds the queue of DELs that wait for an agent. */
  readonly stateDirectory: string;
  readonly subnetFile: string;
  /** host-local's dataDir. */
  readonly ipamDirectory: string;
}

/**
 * Old runtimes (libcni before 1.2) know only `cniVersion` and no 1.1.0; newer ones choose the highest of `cniVersions` that they
 * speak.
 */
export function conflistText(options: ConflistOptions): string {
  const {
    networkName: name = networkName,
    bridge,
    runDirectory,
    stateDirectory,
    subnetFile,
    ipamDirectory,
  } = options;
  const list = {
    cniVersion: '1.0.0',
    cniVersions: ['0.3.1', '0.4.0', '1.0.0', '1.1.0'],
    name,
    plugins: [
      {
        type: pluginType,
        bridge,
        hairpinMode: true,
        capabilities: { portMappings: true, bandwidth: true, ips: true, mac: true, dns: true, aliases: true },
        runDirectory,
        stateDirectory,
        subnetFile,
        ipam: { type: 'host-local', dataDir: ipamDirectory },
      },
    ],
  };
  return `${JSON.stringify(list, undefined, 2)}\n`;
}

/**
 * Writes the list under a temporary name within the directory and renames it: runtimes that watch the directory miss a file that
 * comes from another one. False when it was there already, which changes nothing.
 */
export function installConflist(directory: string, options: ConflistOptions): boolean {
  const path = join(directory, conflistName);
  const text = conflistText(options);
  if (read(path) === text) return false;
  mkdirSync(directory, { recursive: true, mode: 0o755 });
  writeFileAtomicSync(path, text);
  return true;
}

/** False when there is none, or when the file of that name is not ours. */
export function removeConflist(directory: string): boolean {
  const path = join(directory, conflistName);
  const text = read(path);
  if (text === undefined || !isOurs(text)) return false;
  rmSync(path, { force: true });
  return true;
}

function read(path: string): string | undefined {
  try {
    return readFileSync(path, 'utf8');
  } catch (error) {
    if (errorCode(error) === 'ENOENT') return undefined;
    throw error;
  }
}

/** Ours is a list whose first plugin is ours, also if somebody added plugins after it. */
function isOurs(text: string): boolean {
  try {
    const list: unknown = JSON.parse(text);
    if (typeof list !== 'object' || list === null || !('plugins' in list) || !Array.isArray(list.plugins))
      return false;
    const first: unknown = list.plugins[0];
    return typeof first === 'object' && first !== null && 'type' in first && first.type === pluginType;
  } catch {
    return false;
  }
}
