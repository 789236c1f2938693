// The result of ADD: made of what was wired, merged with those of earlier plugins, and asked about one interface. Reading and
// writing it is prev-result.ts's and result-text.ts's.
import type { PodRoute } from '../agent/wiring/pod-plan.ts';
import type { WiredPod } from '../agent/wiring/wire-request.ts';
import { IpAddress } from '../net/address.ts';
import { Mac } from '../net/mac.ts';
import { Prefix } from '../net/prefix.ts';
import type { Dns } from './pod-network.ts';
import type { CniResult } from './prev-result.ts';

export { type CniResult, readPrevResult } from './prev-result.ts';
export { formatResult } from './result-text.ts';

export interface ResultOptions {
  /** Path of the pod's namespace. */
  readonly netns: string;
  readonly dns: Dns;
}

/** Bridge, host's end, pod's end; the addresses belong to the third. */
export function resultOf(wired: WiredPod, { netns, dns }: ResultOptions): CniResult {
  const { bridge, host, pod, addresses, routes } = wired;
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
    routes: routes.map(routeEntry),
    dns: { ...dns },
  };
}

/** A route without what is not given: for table and scope, 0 is. */
function routeEntry({ destination, gateway, mtu, advmss, priority, table, scope }: PodRoute) {
  return {
    dst: destination.toString(),
    ...(gateway === undefined ? {} : { gw: gateway.toString() }),
    ...given({ mtu, advmss, priority, table, scope }),
  };
}

function given(
  numbers: Readonly<Record<string, number | undefined>>,
): Readonly<Record<string, number | undefined>> {
  return Object.fromEntries(Object.entries(numbers).filter(([, value]) => value !== undefined));
}

/** "lo" as the reference plugin reports it. */
export function loopbackResult(netns: string): CniResult {
  return {
    interfaces: [{ name: 'lo', mac: '00:00:00:00:00:00', sandbox: netns }],
    ips: [
      { address: '127.0.0.1/8', interface: 0 },
      { address: '::1/128', interface: 0 },
    ],
    routes: [],
    dns: {},
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
  const place = placeOf(result, ifname);
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

/** An interface that an earlier plugin of the chain made in the pod. */
export interface ChainedInterface {
  readonly name: string;
  /** Undefined: the result has none that could be read. */
  readonly mac: Mac | undefined;
  /** Path of the pod's namespace. */
  readonly sandbox: string;
  /** Also those that name no interface: address managers leave that out. */
  readonly addresses: readonly { readonly address: Prefix; readonly gateway: IpAddress | undefined }[];
}

/** Undefined when the result has no interface of that name in a namespace: then it is ours to make. */
export function chainedInterface(result: CniResult, ifname: string): ChainedInterface | undefined {
  const place = placeOf(result, ifname);
  const found = result.interfaces[place];
  if (found === undefined) return undefined;
  return {
    name: ifname,
    mac: Mac.tryParse(found.mac ?? ''),
    sandbox: found.sandbox ?? '',
    addresses: result.ips
      .filter((ip) => ip.interface === undefined || ip.interface === place)
      .map(({ address, gateway }) => ({
        address: Prefix.parse(address),
        gateway: IpAddress.tryParse(gateway ?? ''),
      })),
  };
}

/** -1: not there. Entries without a sandbox are links of the node. */
function placeOf({ interfaces }: CniResult, ifname: string): number {
  return interfaces.findIndex(({ name, sandbox }) => name === ifname && (sandbox ?? '') !== '');
}
