// The result of ADD (specification, "Success"): as read from prevResult, merged with ours, and written in the shape of each
// version. Entries of other plugins go through with all their keys.
import { z } from 'zod';
import { CniError, cniCodes } from '../agent/wiring/cni-error.ts';
import type { WiredPod } from '../agent/wiring/wiring.ts';
import { IpAddress } from '../net/address.ts';
import { Prefix } from '../net/prefix.ts';
import { withCanonicalKeys } from './canonical-keys.ts';
import type { Dns } from './network-config.ts';
import { type CniVersion, isAtLeast } from './versions.ts';

/** Keys with null are absent, as for Go. */
const entryOf = <T extends z.ZodType>(keys: readonly string[], shape: T) =>
  z.preprocess((value) => withCanonicalKeys(value, keys), shape);
const listOf = <T extends z.ZodType>(entry: T) => z.array(entry).default([]);

const shape = z.looseObject({
  interfaces: listOf(
    entryOf(
      ['name', 'mac', 'sandbox', 'mtu', 'socketPath', 'pciID'],
      z.looseObject({ name: z.string(), mac: z.string().optional(), sandbox: z.string().optional() }),
    ),
  ),
  ips: listOf(
    entryOf(
      ['version', 'address', 'gateway', 'interface'],
      z.looseObject({
        address: z.string().refine((text) => Prefix.tryParse(text) !== undefined, 'must be ADDRESS/LENGTH'),
        gateway: z.string().optional(),
        interface: z.int().optional(),
      }),
    ),
  ),
  routes: listOf(
    entryOf(
      ['dst', 'gw', 'mtu', 'advmss', 'priority', 'table', 'scope'],
      z.looseObject({ dst: z.string(), gw: z.string().optional() }),
    ),
  ),
  dns: z.looseObject({}).default({}),
});

/** The shape of 1.1.0, which holds all that the others do. */
export type CniResult = z.infer<typeof shape>;

const keys = ['cniVersion', 'interfaces', 'ips', 'routes', 'dns'];

/** Undefined when there is none. Throws CniError (decoding) that names what is wrong with it. */
export function readPrevResult(value: unknown): CniResult | undefined {
  if (value === undefined || value === null) return undefined;
  const parsed = shape.safeParse(withCanonicalKeys(value, keys));
  if (parsed.success) return parsed.data;
  const [issue] = parsed.error.issues;
  throw new CniError(
    cniCodes.decoding,
    `Cannot read prevResult: "${issue?.path.join('.')}": ${issue?.message ?? 'invalid'}`,
  );
}

/** Bridge, host's end, pod's end; the addresses belong to the third. */
export function resultOf(
  wired: WiredPod,
  { netns, dns }: { readonly netns: string; readonly dns: Dns },
): CniResult {
  const { bridge, host, pod, addresses } = wired;
  return {
    interfaces: [
      { name: bridge.name, ...(bridge.mac === undefined ? {} : { mac: bridge.mac.toString() }) },
      { name: host.name, mac: host.mac.toString(), mtu: pod.mtu },
      { name: pod.name, mac: pod.mac.toString(), mtu: pod.mtu, sandbox: netns },
    ],
    ips: addresses.map(({ address, gateway }) => ({
      address: address.toString(),
      gateway: gateway.toString(),
      interface: 2,
    })),
    routes: addresses.map(({ gateway }) => ({
      dst: gateway.family === 4 ? '0.0.0.0/0' : '::/0',
      gw: gateway.toString(),
    })),
    dns,
  };
}

/** What earlier plugins of the chain answered, then ours; our numbers of interfaces move on. */
export function mergeResults(previous: CniResult | undefined, ours: CniResult): CniResult {
  if (previous === undefined) return ours;
  const offset = previous.interfaces.length;
  return {
    ...previous,
    interfaces: [...previous.interfaces, ...ours.interfaces],
    ips: [
      ...previous.ips,
      ...ours.ips.map((ip) =>
        ip.interface === undefined ? ip : { ...ip, interface: ip.interface + offset },
      ),
    ],
    routes: [...previous.routes, ...ours.routes],
    dns: Object.keys(ours.dns).length > 0 ? ours.dns : previous.dns,
  };
}

/** Keys that came with 1.1.0. */
const newInterfaceKeys: readonly string[] = ['mtu', 'socketPath', 'pciID'];
const newRouteKeys: readonly string[] = ['mtu', 'advmss', 'priority', 'table', 'scope'];

/** One JSON document in the shape of `version`. */
export function formatResult(result: CniResult, version: CniVersion): string {
  const has11 = isAtLeast(version, '1.1.0');
  const { interfaces, ips, routes, dns } = result;
  return JSON.stringify({
    cniVersion: version,
    interfaces: has11 ? interfaces : interfaces.map((entry) => without(entry, newInterfaceKeys)),
    ips: ips.map((ip) => {
      const bare = without(ip, ['version']);
      return isAtLeast(version, '1.0.0') ? bare : { version: ip.address.includes(':') ? '6' : '4', ...bare };
    }),
    routes: has11 ? routes : routes.map((route) => without(route, newRouteKeys)),
    dns,
  });
}

function without(entry: Readonly<Record<string, unknown>>, keys: readonly string[]): Record<string, unknown> {
  return Object.fromEntries(Object.entries(entry).filter(([key]) => !keys.includes(key)));
}

/** What a result says of one interface of the pod: what CHECK compares. */
export interface ResultOfInterface {
  readonly mac: string | undefined;
  readonly addresses: readonly Prefix[];
  readonly routes: readonly { readonly destination: Prefix; readonly gateway: IpAddress | undefined }[];
}

/**
 * Undefined when the result does not have the interface. Routes that another plugin may have put elsewhere (with a table) or
 * through another interface are left out.
 */
export function ofInterface(result: CniResult, ifname: string): ResultOfInterface | undefined {
  const place = result.interfaces.findIndex(({ name, sandbox }) => name === ifname && (sandbox ?? '') !== '');
  const found = result.interfaces[place];
  if (found === undefined) return undefined;
  const own = result.ips.filter((ip) => ip.interface === place);
  const gateways = own.flatMap(({ gateway }) => (gateway === undefined ? [] : [gateway]));
  return {
    mac: found.mac === '' ? undefined : found.mac,
    addresses: own.map(({ address }) => Prefix.parse(address)),
    routes: result.routes
      .filter(
        (route) => route.gw !== undefined && gateways.includes(route.gw) && route['table'] === undefined,
      )
      .flatMap(({ dst, gw }) => {
        const destination = Prefix.tryParse(dst);
        return destination === undefined ? [] : [{ destination, gateway: IpAddress.tryParse(gw ?? '') }];
      }),
  };
}
