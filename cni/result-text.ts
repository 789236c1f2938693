// A result as text, in the shape of each version of the specification ("Success" and its forerunners).
import { CniError, cniCodes } from '../agent/wiring/cni-error.ts';
import type { CniResult } from './prev-result.ts';
import { type CniVersion, isAtLeast } from './versions.ts';

type Entry = Readonly<Record<string, unknown>>;

/** Keys that came with 1.1.0. */
const newInterfaceKeys: readonly string[] = ['mtu', 'socketPath', 'pciID'];
const newRouteKeys: readonly string[] = ['mtu', 'advmss', 'priority', 'table', 'scope'];

/** One JSON document. Throws CniError (invalid configuration) for a result without addresses before 0.3.0. */
export function formatResult(result: CniResult, version: CniVersion): string {
  if (!isAtLeast(version, '0.3.0')) return formatFamilies(result, version);
  const { interfaces, ips, routes, dns, ...foreign } = result;
  const has11 = isAtLeast(version, '1.1.0');
  return JSON.stringify({
    ...foreign,
    cniVersion: version,
    interfaces: has11 ? interfaces : interfaces.map((entry) => without(entry, newInterfaceKeys)),
    ips: ips.map((ip) => {
      const bare = without(ip, ['version']);
      return isAtLeast(version, '1.0.0') ? bare : { version: String(familyOf(ip.address)), ...bare };
    }),
    routes: has11 ? routes : routes.map(oldRoute),
    dns,
  });
}

/** 0.1.0 and 0.2.0: one address of a family, each with its routes, and no interfaces. */
function formatFamilies({ ips, routes, dns }: CniResult, version: CniVersion): string {
  const [ip4, ip6] = ([4, 6] as const).map((family) => {
    const ip = ips.find(({ address }) => familyOf(address) === family);
    if (ip === undefined) return undefined;
    const own = routes.filter(({ dst }) => familyOf(dst) === family).map(oldRoute);
    return { ip: ip.address, gateway: ip.gateway, routes: own.length === 0 ? undefined : own };
  });
  if (ip4 === undefined && ip6 === undefined) {
    throw new CniError(
      cniCodes.invalidConfig,
      `Cannot answer in version "${version}": its results have an address, and the pod got none`,
    );
  }
  return JSON.stringify({ cniVersion: version, ip4, ip6, dns });
}

function oldRoute(route: Entry): Entry {
  return without(route, newRouteKeys);
}

function familyOf(address: string): 4 | 6 {
  return address.includes(':') ? 6 : 4;
}

function without(entry: Entry, keys: readonly string[]): Entry {
  return Object.fromEntries(Object.entries(entry).filter(([key]) => !keys.includes(key)));
}
