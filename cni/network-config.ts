// The network configuration that a runtime gives on standard input: its schema and defaults. What is not ours in it (other
// plugins' keys, capabilities) is let through.
import { z } from 'zod';
import { CniError, cniCodes } from '../agent/wiring/cni-error.ts';
import { isIdentifier, isInterfaceName } from '../net/names.ts';
import { withCanonicalKeys } from './canonical-keys.ts';
import { type CniVersion, isSupportedVersion, supportedVersions } from './versions.ts';

export const defaultRunDirectory = '/run/netloom';

const absolutePath = z
  .string()
  .regex(/^\/[^\0]*$/, 'must be an absolute path')
  .refine((path) => !path.split('/').includes('..'), 'must not contain ".."');

const text = z.string();
const dns = z.preprocess(
  (value) => withCanonicalKeys(value, ['nameservers', 'domain', 'search', 'options']),
  z.looseObject({
    nameservers: z.array(text).optional(),
    domain: text.optional(),
    search: z.array(text).optional(),
    options: z.array(text).optional(),
  }),
);
export type Dns = z.infer<typeof dns>;

const shape = z.looseObject({
  bridge: text.refine(isInterfaceName, 'must be a name of a link').default('cni0'),
  /** Bytes; 0 or absent: the node's. 1280 is IPv6's least, 68 IPv4's. */
  mtu: z.int().min(0).max(65535).default(0),
  hairpinMode: z.boolean().default(true),
  runDirectory: absolutePath.default(defaultRunDirectory),
  subnetFile: absolutePath.default('/run/flannel/subnet.env'),
  ipam: z
    .preprocess(
      (value) => withCanonicalKeys(value, ['type', 'dataDir']),
      z.looseObject({
        type: z.literal(['netloom', 'host-local', '']).optional(),
        dataDir: absolutePath.default('/var/lib/cni/networks'),
      }),
    )
    .default({ dataDir: '/var/lib/cni/networks' }),
  dns: dns.default({}),
});

const knownKeys = [
  ...Object.keys(shape.shape),
  'cniVersion',
  'name',
  'type',
  'prevResult',
  'runtimeConfig',
  'args',
];

export interface NetworkConfig {
  readonly cniVersion: CniVersion;
  readonly name: string;
  readonly bridge: string;
  readonly mtu: number | undefined;
  readonly hairpinMode: boolean;
  readonly runDirectory: string;
  readonly subnetFile: string;
  readonly ipamDirectory: string;
  readonly dns: Dns;
  /** As it came; only ADD and CHECK look into it. */
  readonly prevResult: unknown;
}

/** The configuration's members under their own names. Throws CniError (decoding) for what is no JSON object. */
export function decodeConfig(stdin: string): Readonly<Record<string, unknown>> {
  let value: unknown;
  try {
    value = JSON.parse(stdin);
  } catch (cause) {
    throw new CniError(cniCodes.decoding, 'Cannot decode the network configuration: it is not JSON', {
      details: String(cause),
      cause,
    });
  }
  const object = withCanonicalKeys(value, knownKeys);
  if (!isRecord(object))
    throw new CniError(cniCodes.decoding, 'Cannot decode the network configuration: it is not an object');
  return object;
}

function isRecord(value: unknown): value is Readonly<Record<string, unknown>> {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}

/** The version that the configuration is written in, or undefined when we do not speak it. */
export function versionOf(decoded: Readonly<Record<string, unknown>>): CniVersion | undefined {
  const version = decoded['cniVersion'];
  return typeof version === 'string' && isSupportedVersion(version) ? version : undefined;
}

/** Throws CniError: incompatible version, or invalid configuration that names the key and quotes its value. */
export function readConfig(decoded: Readonly<Record<string, unknown>>): NetworkConfig {
  const { name } = decoded;
  if (name === undefined || name === '') throw new CniError(cniCodes.invalidConfig, 'missing network name');
  if (typeof name !== 'string' || !isIdentifier(name))
    throw new CniError(cniCodes.invalidConfig, `invalid network name ${quote(name)}`);
  const cniVersion = versionOf(decoded);
  if (cniVersion === undefined) throw incompatible(decoded['cniVersion']);
  const parsed = shape.safeParse(decoded);
  if (!parsed.success) throw invalid(parsed.error, decoded);
  const { bridge, mtu, hairpinMode, runDirectory, subnetFile, ipam, dns } = parsed.data;
  return {
    cniVersion,
    name,
    bridge,
    mtu: mtu === 0 ? undefined : mtu,
    hairpinMode,
    runDirectory,
    subnetFile,
    ipamDirectory: ipam.dataDir,
    dns,
    prevResult: decoded['prevResult'],
  };
}

function incompatible(version: unknown): CniError {
  // A configuration without a version is one of 0.1.0.
  const config = version === undefined ? '0.1.0' : version;
  return new CniError(cniCodes.incompatibleVersion, 'incompatible CNI versions', {
    details: `config is ${quote(config)}, plugin supports ${JSON.stringify(supportedVersions)}`,
  });
}

function invalid(error: z.ZodError, decoded: Readonly<Record<string, unknown>>): CniError {
  const [issue] = error.issues;
  const path = issue?.path ?? [];
  const value = path.reduce<unknown>(
    (inside, key) => (isRecord(inside) ? inside[String(key)] : undefined),
    decoded,
  );
  return new CniError(
    cniCodes.invalidConfig,
    `Cannot use the network configuration: "${path.join('.')}" is ${quote(value)}: ${issue?.message ?? 'invalid'}`,
  );
}

/** Short, whatever it is. */
function quote(value: unknown): string {
  const words = JSON.stringify(value) ?? 'absent';
  return words.length > 100 ? `${words.slice(0, 100)}...` : words;
}
