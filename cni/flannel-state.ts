// The file that flannel's plugin keeps of each pod ("/var/lib/cni/flannel/CONTAINER"): written, read and removed as it does, so that a
// node can move from flannel and back with its pods running. What is in it is flannel-delegate.ts's.
import { mkdirSync, readFileSync, rmSync } from 'node:fs';
import { dirname } from 'node:path';
import { readSubnetEnv } from '../agent/wiring/node-network.ts';
import { errorCode } from '../runtime/error-text.ts';
import { writeFileAtomicSync } from '../runtime/write-file.ts';
import { delegatePath, delegateText, flannelDelegate, readDelegateText } from './flannel-delegate.ts';
import type { NetworkConfig } from './pod-network.ts';

export interface Delegated {
  readonly config: NetworkConfig;
  /** What the file says; undefined when nothing is delegated. */
  readonly text?: string;
}

/** The configuration itself unless its role is flannel's: then what that plugin would delegate. Throws CniError without subnet.env. */
export function delegated(config: NetworkConfig): Delegated {
  if (config.role !== 'flannel') return { config };
  const env = readSubnetEnv(config.subnetFile);
  return { config: flannelDelegate(config, env), text: delegateText(config, env) };
}

/**
 * To be called before anything of the pod is made: a file too many harms nobody. It outlives a power cut, as flannel's does. Returns what
 * puts back what was there before: after an ADD that was one too many, the file of the first one.
 */
export function keepDelegate(
  config: NetworkConfig,
  { containerId, text }: { readonly containerId: string; readonly text: string },
): () => void {
  const path = delegatePath(config, containerId);
  const before = textOf(path);
  const write = (one: string) => writeFileAtomicSync(path, one, { mode: 0o600, durable: true });
  mkdirSync(dirname(path), { recursive: true, mode: 0o700 });
  write(text);
  return () => (before === undefined ? rmSync(path, { force: true }) : write(before));
}

function textOf(path: string): string | undefined {
  try {
    return readFileSync(path, 'utf8');
  } catch (error) {
    if (errorCode(error) === 'ENOENT') return undefined;
    throw error;
  }
}

/** What the file says; undefined when there is none, or none that can be understood. */
export function keptDelegate(config: NetworkConfig, containerId: string): NetworkConfig | undefined {
  if (config.role !== 'flannel') return undefined;
  const text = textOf(delegatePath(config, containerId));
  return text === undefined ? undefined : readDelegateText(text, config);
}

export function dropDelegate(config: NetworkConfig, containerId: string): void {
  if (config.role === 'flannel') rmSync(delegatePath(config, containerId), { force: true });
}
