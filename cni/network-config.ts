// The network configuration that a runtime gives on standard input, put together from its parts. What is not ours in it (other
// plugins' keys, capabilities) is let through.
import { z } from 'zod';
import { CniError, cniCodes } from '../agent/wiring/cni-error.ts';
import { isIdentifier } from '../net/names.ts';
import { readBandwidth } from './bandwidth-options.ts';
import { readBridge } from './bridge-options.ts';
import { withCanonicalKeys } from './canonical-keys.ts';
import { parsePart, quote } from './config-error.ts';
import { absolutePath, goObject, optionalMac, plainText } from './config-shape.ts';
import type { Environment } from './environment.ts';
import { flannelLink, readFlannel } from './flannel-config.ts';
import { readIpam } from './ipam-options.ts';
import type { Dns, FlannelConfig, NetworkConfig } from './pod-network.ts';
import { readPortOptions } from './port-options.ts';
import { noWishes, type PodWishes, presentDns, readPodWishes } from './runtime-config.ts';
import { type CniVersion, isSupportedVersion, supportedVersions, unnamedVersion } from './versions.ts';

export const defaultRunDirectory = '/run/netloom';
export const defaultStateDirectory = '/var/lib/netloom';

/** A configuration's members; those that are read here under their own names. */
export type DecodedConfig = Readonly<Record<string, unknown>>;

const decodedKeys = [
  'cniVersion',
  'name',
  'type',
  'ipam',
  'delegate',
  'dataDir',
  'dns',
  'runtimeConfig',
  'args',
  'prevResult',
];

/** Deepest nesting taken: far above any configuration, far below what overflows a stack. */
const deepest = 64;

/** Throws CniError (decoding) for what is no JSON object. */
export function decodeConfig(stdin: string): DecodedConfig {
  let value: unknown;
  try {
    value = JSON.parse(stdin);
  } catch (cause) {
    throw undecodable('it is not JSON', cause);
  }
  if (isTooDeep(value)) throw undecodable(`it is nested more than ${deepest} deep`);
  const object = withCanonicalKeys(value, decodedKeys);
  if (!isRecord(object)) throw undecodable('it is not an object');
  return object;
}

function undecodable(why: string, cause?: unknown): CniError {
  return new CniError(cniCodes.decoding, `Cannot decode the network configuration: ${why}`, {
    details: cause === undefined ? '' : String(cause),
    cause,
  });
}

/** Level by level: a walk that calls itself would overflow before it could tell. */
function isTooDeep(root: unknown): boolean {
  let level: readonly unknown[] = [root];
  for (let depth = 0; depth < deepest; depth++) {
    const below: unknown[] = [];
    for (const value of level) {
      if (typeof value !== 'object' || value === null) continue;
      for (const inner of Object.values(value)) if (typeof inner === 'object') below.push(inner);
    }
    if (below.length === 0) return false;
    level = below;
  }
  return true;
}

function isRecord(value: unknown): value is Readonly<Record<string, unknown>> {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}

/** The version that the configuration is written in, or undefined when we do not speak it. */
export function versionOf({ cniVersion = '' }: DecodedConfig): CniVersion | undefined {
  if (cniVersion === '') return unnamedVersion;
  return typeof cniVersion === 'string' && isSupportedVersion(cniVersion) ? cniVersion : undefined;
}

/** Throws CniError (invalid configuration). */
export function nameOf({ name = '' }: DecodedConfig): string {
  if (name === '') throw new CniError(cniCodes.invalidConfig, 'missing network name');
  if (typeof name === 'string' && isIdentifier(name)) return name;
  throw new CniError(cniCodes.invalidConfig, `invalid network name ${quote(name)}`);
}

const shape = goObject({
  runDirectory: absolutePath(defaultRunDirectory),
  stateDirectory: absolutePath(defaultStateDirectory),
  subnetFile: absolutePath('/run/flannel/subnet.env'),
  mac: optionalMac,
});

const dnsList = z.array(plainText).optional();
const dnsShape = goObject({
  nameservers: dnsList,
  domain: plainText.optional(),
  search: dnsList,
  options: dnsList,
});

/**
 * Throws CniError: incompatible version; invalid configuration or unsupported field, which names the key and quotes its value;
 * invalid environment (CNI_ARGS).
 */
export function readConfig(decoded: DecodedConfig, environment: Environment): NetworkConfig {
  const name = nameOf(decoded);
  const cniVersion = versionOf(decoded);
  if (cniVersion === undefined) throw incompatible(decoded['cniVersion']);
  const role = roleOf(decoded, environment);
  const { mac, ...paths } = parsePart(shape, decoded);
  const wishes = role === 'loopback' ? noWishes : wishesOf(decoded, { environment, network: name });
  const flannel = role === 'flannel' ? readFlannel(decoded, wishes.rangeSets) : undefined;
  return {
    cniVersion,
    name,
    role,
    ...linkOf(decoded, { role, flannel, cniVersion, wishes }),
    ports: { ...readPortOptions(decoded), mappings: wishes.ports },
    bandwidth: wishes.bandwidth ?? readBandwidth(decoded),
    mac: wishes.mac ?? mac,
    requested: wishes.ips,
    dns: { ...dnsOf(decoded, flannel), ...wishes.dns },
    aliases: wishes.aliases,
    pod: wishes.pod,
    ...paths,
    flannelDirectory: flannelDirectoryOf(flannel === undefined ? {} : decoded),
    ...(flannel === undefined ? {} : { flannel }),
    prevResult: decoded['prevResult'],
  };
}

/** flannel does not hand its own on. */
function dnsOf(decoded: DecodedConfig, flannel: FlannelConfig | undefined): Dns {
  const [value, path] =
    flannel === undefined ? [decoded['dns'], 'dns'] : [flannel.delegate['dns'], 'delegate.dns'];
  return value === undefined ? {} : presentDns(parsePart(dnsShape, value, path));
}

const flannelPath = absolutePath('/var/lib/cni/flannel');

function flannelDirectoryOf({ dataDir = '' }: DecodedConfig): string {
  return parsePart(flannelPath, dataDir, 'dataDir');
}

const typeShape = z
  .string()
  .regex(/^[^/\\]*$/, { message: 'want a name without "/"' })
  .default('');

function roleOf(decoded: DecodedConfig, environment: Environment): NetworkConfig['role'] {
  const type = parsePart(typeShape, decoded['type'], 'type');
  if (type === 'loopback' || environment['CNI_IFNAME'] === 'lo') return 'loopback';
  return type === 'flannel' || decoded['delegate'] !== undefined ? 'flannel' : 'pod';
}

/**
 * DEL goes on without them when they are wrong: ADD refused them and made nothing, and a runtime calls DEL after that until it
 * succeeds.
 */
function wishesOf(
  decoded: DecodedConfig,
  { environment, network }: { readonly environment: Environment; readonly network: string },
): PodWishes {
  const command = environment['CNI_COMMAND'];
  const ofOnePod = command !== 'GC' && command !== 'STATUS';
  try {
    return readPodWishes({
      runtimeConfig: decoded['runtimeConfig'],
      args: decoded['args'],
      cniArgs: ofOnePod ? (environment['CNI_ARGS'] ?? '') : '',
      network,
    });
  } catch (error) {
    if (command === 'DEL' && error instanceof CniError) return noWishes;
    throw error;
  }
}

interface LinkInput {
  readonly role: NetworkConfig['role'];
  readonly flannel: FlannelConfig | undefined;
  readonly cniVersion: CniVersion;
  readonly wishes: PodWishes;
}

function linkOf(
  decoded: DecodedConfig,
  { role, flannel, cniVersion, wishes }: LinkInput,
): Pick<NetworkConfig, 'bridge' | 'ipam'> {
  if (role === 'loopback') return { bridge: readBridge({}, { ofNode: true }), ipam: { kind: 'none' } };
  if (flannel !== undefined) return flannelLink(flannel, cniVersion);
  const ipam = readIpam(decoded['ipam'], { cniVersion, runtimeSets: wishes.rangeSets });
  return { bridge: readBridge(decoded, { ofNode: ipam.kind === 'node' }), ipam };
}

function incompatible(version: unknown): CniError {
  return new CniError(cniCodes.incompatibleVersion, 'incompatible CNI versions', {
    details: `config is ${quote(version)}, plugin supports ${JSON.stringify(supportedVersions)}`,
  });
}
