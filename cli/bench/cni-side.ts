// One of the two sides of `netloom bench cni`: a node's namespace, pods that wait for the plugin, and the runtime that calls it. What
// the plugin is, is cni-ours.ts's and cni-peer.ts's.
import { createHash } from 'node:crypto';
import { mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { createNetns, removeNetns } from '../../kernel/netns.ts';
import type { IpAddress } from '../../net/address.ts';
import type { LibCni } from '../libcni/libcni.ts';
import type { PodCall } from '../libcni/plugin-request.ts';

export interface CniSide extends AsyncDisposable {
  /** How the rows call it. */
  readonly name: string;
  readonly runtime: LibCni;
  /** False: the plugin speaks no version that has STATUS. */
  readonly hasStatus: boolean;
  /** Paths of the pods' namespaces. */
  readonly pods: readonly string[];
  /** Puts so many other pods beside, each with a published port and an address. */
  crowd(count: number): Promise<void>;
  /** Has so many addresses taken by others. */
  takeAddresses(count: number): Promise<void>;
}

/** Milliseconds that a plugin may take: on a busy machine the peer needs half a minute for the largest case. */
export const longestCall = 180_000;

/** As long as a real one. */
export function containerId(name: string): string {
  return createHash('sha256').update(name).digest('hex');
}

/** Host ports of the pods that are measured, and, above them, of those beside. */
const firstPort = 10_000;
export const firstCrowdPort = 20_000;

/** The call for the pod of this place, with so many published ports. */
export function podCall(side: CniSide, { place, ports }: { place: number; ports: number }): PodCall {
  return {
    containerId: containerId(`measured ${place}`),
    netns: side.pods[place] ?? '',
    args: `IgnoreUnknown=1;K8S_POD_NAMESPACE=bench;K8S_POD_NAME=pod-${place}`,
    capabilityArgs: {
      portMappings: Array.from({ length: ports }, (_, i) => ({
        hostPort: firstPort + place * 100 + i,
        containerPort: 80 + i,
        protocol: 'tcp',
      })),
    },
  };
}

export interface PodNamespaces extends Disposable {
  readonly paths: readonly string[];
}

export function openPodNamespaces(prefix: string, count: number): PodNamespaces {
  const paths = Array.from({ length: count }, (_, i) => `/run/netns/${prefix}-${i}`);
  const dispose = (): void => {
    for (const path of paths) removeNetns(path);
  };
  try {
    for (const path of paths) createNetns(path);
  } catch (error) {
    dispose();
    throw error;
  }
  return { paths, [Symbol.dispose]: dispose };
}

/** Address files as host-local writes them, from `first` on, and the last of them as the one given out last. */
export function writeAddressFiles(
  directory: string,
  { first, count }: { readonly first: IpAddress; readonly count: number },
): void {
  mkdirSync(directory, { recursive: true });
  for (let i = 0; i < count; i++)
    writeFileSync(join(directory, first.plus(i).toString()), `${containerId(`taken ${first} ${i}`)}\r\neth0`);
  if (count > 0) writeFileSync(join(directory, 'last_reserved_ip.0'), first.plus(count - 1).toString());
}
