// What a runtime wants for this one pod: runtimeConfig, args.cni and CNI_ARGS, the first that says something winning. Whether the
// configuration declares the capability is the runtime's business.
import { z } from 'zod';
import type { BandwidthLimits } from '../agent/wiring/bandwidth-limits.ts';
import type { PortMapping } from '../agent/wiring/pod-rules.ts';
import type { IpAddress } from '../net/address.ts';
import type { Mac } from '../net/mac.ts';
import { readBandwidth } from './bandwidth-options.ts';
import { readCniArgs } from './cni-args.ts';
import { parsePart } from './config-error.ts';
import { goObject, hostAddress, optionalMac, plainText } from './config-shape.ts';
import { type RangeSets, readRangeSets } from './ipam-options.ts';
import type { Dns, NetworkConfig } from './pod-network.ts';
import { readPortMappings } from './port-options.ts';

export interface PodWishes {
  readonly ports: readonly PortMapping[];
  readonly bandwidth: BandwidthLimits | undefined;
  readonly rangeSets: RangeSets;
  readonly ips: readonly IpAddress[];
  readonly mac: Mac | undefined;
  readonly dns: Dns;
  readonly aliases: readonly string[];
  readonly pod: NetworkConfig['pod'];
}

export const noWishes: PodWishes = {
  ports: [],
  bandwidth: undefined,
  rangeSets: [],
  ips: [],
  mac: undefined,
  dns: {},
  aliases: [],
  pod: undefined,
};

const texts = z.array(plainText).default([]);

const hostAddresses = z.array(hostAddress).default([]);

const runtimeShape = goObject({
  portMappings: z.unknown().optional(),
  bandwidth: z.unknown().optional(),
  ipRanges: z.unknown().optional(),
  ips: hostAddresses,
  mac: optionalMac,
  dns: goObject({ servers: texts, searches: texts, options: texts }).optional(),
  aliases: z.unknown().optional(),
});

const argsShape = goObject({ cni: goObject({ ips: hostAddresses, mac: optionalMac }).optional() });

export interface WishSources {
  /** Of the configuration, as they came. */
  readonly runtimeConfig: unknown;
  readonly args: unknown;
  /** CNI_ARGS. */
  readonly cniArgs: string;
  /** The network's name: aliases may be given by network. */
  readonly network: string;
}

/** Throws CniError that names the key and quotes its value. */
export function readPodWishes({ runtimeConfig, args, cniArgs, network }: WishSources): PodWishes {
  const ofRuntime = runtimeConfig === undefined ? noWishes : readRuntimeConfig(runtimeConfig, network);
  const cni = args === undefined ? undefined : parsePart(argsShape, args, 'args').cni;
  const environment = readCniArgs(cniArgs);
  const ips = [ofRuntime.ips, cni?.ips ?? [], environment.ips].find((list) => list.length > 0) ?? [];
  return {
    ...ofRuntime,
    ips: distinct(ips),
    mac: ofRuntime.mac ?? cni?.mac ?? environment.mac,
    pod: environment.pod,
  };
}

function readRuntimeConfig(value: unknown, network: string): PodWishes {
  const { portMappings, bandwidth, ipRanges, ips, mac, dns, aliases } = parsePart(
    runtimeShape,
    value,
    'runtimeConfig',
  );
  return {
    ports: readPortMappings(portMappings ?? [], 'runtimeConfig.portMappings'),
    bandwidth: bandwidth === undefined ? undefined : readBandwidth(bandwidth, 'runtimeConfig.bandwidth'),
    rangeSets: readRangeSets(ipRanges ?? [], 'runtimeConfig.ipRanges'),
    ips,
    mac,
    dns: presentDns({ nameservers: dns?.servers, search: dns?.searches, options: dns?.options }),
    aliases: readAliases(aliases, network),
    pod: undefined,
  };
}

/** Without what is empty. */
export function presentDns({ domain = '', ...lists }: Dns): Dns {
  const present = Object.entries(lists).filter(([, list]) => list !== undefined && list.length > 0);
  return { ...Object.fromEntries(present), ...(domain === '' ? {} : { domain }) };
}

function distinct(addresses: readonly IpAddress[]): readonly IpAddress[] {
  return [...new Map(addresses.map((address) => [address.toString(), address])).values()];
}

const aliasPath = 'runtimeConfig.aliases';

/** A list (the conventions of CNI) or a map from networks to lists (podman). */
function readAliases(value: unknown, network: string): readonly string[] {
  if (value === undefined || Array.isArray(value)) return parsePart(texts, value, aliasPath);
  const byNetwork = parsePart(z.record(z.string(), texts), value, aliasPath);
  return Object.hasOwn(byNetwork, network) ? (byNetwork[network] ?? []) : [];
}
