// The options of the bridge and of the pod's port on it: those of the reference plugin "bridge", with its checks. The defaults
// are ours when the bridge is the agent's, and the reference's otherwise.
import { z } from 'zod';
import { invalidValue, joinPath, parsePart, unsupportedValue } from './config-error.ts';
import { goObject } from './config-shape.ts';
import { interfaceNameFault } from './environment.ts';
import type { BridgeOptions } from './pod-network.ts';

/** 4095 is reserved (IEEE 802.1Q). */
const largestVlan = 4094;

const vlanId = z.int().min(1).max(largestVlan);

/** Least of IPv4 (RFC 791) and of the kernel's links (ETH_MIN_MTU). */
const leastMtu = 68;

const trunk = goObject({ minID: vlanId.optional(), maxID: vlanId.optional(), id: vlanId.optional() });

const shape = goObject({
  bridge: z.string().default(''),
  isGateway: z.boolean().optional(),
  isDefaultGateway: z.boolean().optional(),
  forceAddress: z.boolean().default(false),
  ipMasq: z.boolean().default(false),
  mtu: z
    .int()
    .min(0)
    .max(65535)
    .refine((mtu) => mtu === 0 || mtu >= leastMtu, {
      message: `want 0 (the default) or at least ${leastMtu}`,
    })
    .default(0),
  hairpinMode: z.boolean().optional(),
  promiscMode: z.boolean().default(false),
  vlan: z.int().min(0).max(largestVlan).default(0),
  vlanTrunk: z.array(trunk).default([]),
  preserveDefaultVlan: z.boolean().default(true),
  macspoofchk: z.boolean().default(false),
  enabledad: z.boolean().default(false),
  portIsolation: z.boolean().default(false),
  disableContainerInterface: z.boolean().default(false),
});

export interface BridgePlace {
  /** True: the agent makes the bridge and masquerades, pods are reached through it. */
  readonly ofNode: boolean;
  /** Of the object that holds the keys; empty for the configuration itself. */
  readonly path?: string;
}

/** Throws CniError that names the key and quotes its value. */
export function readBridge(value: unknown, { ofNode, path = '' }: BridgePlace): BridgeOptions {
  const found = parsePart(shape, value, path);
  const at = (key: keyof typeof found) => joinPath(path, key);
  const name = found.bridge === '' ? 'cni0' : found.bridge;
  const fault = interfaceNameFault(name);
  if (fault !== undefined) throw invalidValue(at('bridge'), name, `no name for a link: ${fault}`);
  if (found.disableContainerInterface) {
    throw unsupportedValue(
      at('disableContainerInterface'),
      true,
      'without an interface there is nothing that could be attached, checked or collected',
    );
  }
  const { promiscMode, vlan, vlanTrunk } = found;
  const hairpin = found.hairpinMode ?? (ofNode && !promiscMode);
  if (hairpin && promiscMode)
    throw invalidValue(at('promiscMode'), true, '"hairpinMode" is true too, and each excludes the other');
  const trunks = vlanTrunk.flatMap((entry, index) => trunkRanges(entry, joinPath(at('vlanTrunk'), index)));
  if (vlan !== 0 && trunks.length > 0)
    throw invalidValue(at('vlan'), vlan, '"vlanTrunk" is given too, and each excludes the other');
  const isDefaultGateway = found.isDefaultGateway ?? ofNode;
  return {
    name,
    mtu: found.mtu === 0 ? undefined : found.mtu,
    hairpin,
    promiscuous: promiscMode,
    isGateway: isDefaultGateway || (found.isGateway ?? false),
    isDefaultGateway,
    forceAddress: found.forceAddress,
    ipMasq: found.ipMasq,
    vlan: vlan === 0 ? undefined : vlan,
    vlanTrunk: disjoint(trunks),
    preserveDefaultVlan: found.preserveDefaultVlan,
    macSpoofCheck: found.macspoofchk,
    enableDad: found.enabledad,
    portIsolation: found.portIsolation,
  };
}

type VlanRange = BridgeOptions['vlanTrunk'][number];

/** An entry may have a range, a single ID, or both. */
function trunkRanges({ minID, maxID, id }: z.infer<typeof trunk>, path: string): readonly VlanRange[] {
  const single = id === undefined ? [] : [{ first: id, last: id }];
  if (minID === undefined && maxID === undefined) return single;
  if (minID === undefined) throw invalidValue(joinPath(path, 'minID'), minID, '"maxID" needs it');
  if (maxID === undefined) throw invalidValue(joinPath(path, 'maxID'), maxID, '"minID" needs it');
  if (maxID < minID) throw invalidValue(joinPath(path, 'maxID'), maxID, `"minID" is ${minID}, which is more`);
  return [{ first: minID, last: maxID }, ...single];
}

/** Sorted; ranges that overlap or touch become one. */
function disjoint(ranges: readonly VlanRange[]): readonly VlanRange[] {
  const merged: VlanRange[] = [];
  for (const { first, last } of ranges.toSorted((a, b) => a.first - b.first)) {
    const before = merged.at(-1);
    if (before === undefined || first > before.last + 1) merged.push({ first, last });
    else merged[merged.length - 1] = { first: before.first, last: Math.max(before.last, last) };
  }
  return merged;
}
