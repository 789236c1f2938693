// A configuration of flannel's plugin: what it would hand on to the plugin "bridge". The node's subnets are not in it;
// flannel-delegate.ts adds them.
import { z } from 'zod';
import { readBridge } from './bridge-options.ts';
import { withCanonicalKeys } from './canonical-keys.ts';
import { invalidValue, parsePart, unsupportedValue } from './config-error.ts';
import { type RangeSets, readIpam } from './ipam-options.ts';
import type { FlannelConfig, NetworkConfig } from './pod-network.ts';
import type { CniVersion } from './versions.ts';

const record = z.record(z.string(), z.unknown());

/** Keys that are looked for by name; the rest is handed on as it came. */
const delegateKeys = [
  'type',
  'name',
  'ipam',
  'ipMasq',
  'mtu',
  'isGateway',
  'cniVersion',
  'runtimeConfig',
  'dns',
];
const ipamKeys = ['type', 'ranges', 'routes'];

/** All but the first are ours, or mean bridge in flannel's own reading. */
const bridgeTypes: readonly unknown[] = ['bridge', '', 'netloom-cni', undefined];

/** Throws CniError that names the key and quotes its value. */
export function readFlannel(
  decoded: Readonly<Record<string, unknown>>,
  runtimeSets: RangeSets,
): FlannelConfig {
  const part = (key: string, keys: readonly string[]) =>
    parsePart(record, withCanonicalKeys(decoded[key] ?? {}, keys), key);
  const delegate = part('delegate', delegateKeys);
  for (const key of ['name', 'ipam'])
    if (delegate[key] !== undefined)
      throw invalidValue(`delegate.${key}`, delegate[key], 'flannel sets it itself');
  if (!bridgeTypes.includes(delegate['type']))
    throw unsupportedValue('delegate.type', delegate['type'], 'pods are put on a bridge');
  const { cniVersion } = decoded;
  return {
    delegate,
    ipam: part('ipam', ipamKeys),
    runtimeConfig: decoded['runtimeConfig'] === undefined ? undefined : part('runtimeConfig', []),
    runtimeSets,
    cniVersion: typeof cniVersion === 'string' && cniVersion !== '' ? cniVersion : undefined,
  };
}

/** As much as can be told without subnet.env. Throws CniError that names the key and quotes its value. */
export function flannelLink(
  { delegate, ipam }: FlannelConfig,
  cniVersion: CniVersion,
): Pick<NetworkConfig, 'bridge' | 'ipam'> {
  return {
    bridge: readBridge({ isGateway: true, ...delegate }, { ofNode: false, path: 'delegate' }),
    // flannel overwrites the ranges.
    ipam: readIpam({ ...ipam, ranges: [] }, { cniVersion, runtimeSets: [], typeImplied: true }),
  };
}
