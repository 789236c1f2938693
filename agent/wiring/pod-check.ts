// Compares an attachment with the kernel, for CHECK: only what Netloom made and what the result said of it. Changes nothing.

import type { Netns } from '../../kernel/netns.ts';
import { openRouteDriver } from '../../kernel/route/driver.ts';
import type { RouteState } from '../../kernel/route/objects.ts';
import type { IpAddress } from '../../net/address.ts';
import type { Mac } from '../../net/mac.ts';
import type { Prefix } from '../../net/prefix.ts';
import { type Attachment, hostLinkName, podMac } from './attachment.ts';
import type { Host } from './pod-links.ts';

/** What ADD answered, as later plugins of the chain left it. */
export interface ExpectedPod {
  /** Undefined: as ADD set it. Another plugin may have changed it and said so. */
  readonly mac?: Mac | undefined;
  /** Of the interface. */
  readonly addresses: readonly Prefix[];
  readonly routes: readonly { readonly destination: Prefix; readonly gateway: IpAddress | undefined }[];
}

export interface PodCheckInput {
  readonly attachment: Attachment;
  readonly bridge: string;
  /** What the IPAM has reserved for it; undefined: it takes no addresses. */
  readonly reserved: readonly IpAddress[] | undefined;
  readonly expected: ExpectedPod;
}

/** All that is not as it should be, in words. Empty: all is well. */
export function checkPod(
  input: PodCheckInput,
  { host, pod }: { readonly host: Host; readonly pod: Netns },
): readonly string[] {
  const route = openRouteDriver({ netns: pod });
  try {
    return [...hostProblems(input, host), ...podProblems(input, route.read())];
  } finally {
    route.close();
  }
}

function hostProblems({ attachment, bridge }: PodCheckInput, { route }: Host): readonly string[] {
  const name = hostLinkName(attachment);
  const link = route.link(name);
  if (link === undefined) return [`link "${name}" is missing on the host`];
  return [
    ...(link.up === true ? [] : [`link "${name}" is down`]),
    ...(link.master === bridge ? [] : [`link "${name}" is not a port of bridge "${bridge}"`]),
  ];
}

/** Pure: the pod's state is handed in. */
export function podProblems(
  { attachment, reserved, expected }: PodCheckInput,
  state: RouteState,
): readonly string[] {
  const { ifname } = attachment;
  const link = state.links.get(ifname);
  if (link === undefined) return [`interface "${ifname}" is missing in the pod`];
  const mac = expected.mac ?? podMac(attachment);
  const present = [...state.addresses.values()].filter((address) => address.link === ifname);
  const has = (wanted: Prefix) => present.some(({ prefix }) => prefix.equals(wanted));
  const problems = [
    ...(link.up === true ? [] : [`interface "${ifname}" is down`]),
    ...(link.mac?.equals(mac) === true
      ? []
      : [`interface "${ifname}" has MAC address ${link.mac ?? 'none'}, not ${mac}`]),
    ...(reserved?.length === 0 ? ['no address is reserved for it'] : []),
    ...expected.addresses
      .filter((address) => !has(address))
      .map((address) => `address ${address} is missing on "${ifname}"`),
    ...(reserved ?? [])
      .filter((address) => !expected.addresses.some((other) => other.address.equals(address)))
      .map((address) => `address ${address} is reserved for it, but the result does not have it`),
    ...expected.routes
      .filter((route) => !hasRoute(state, route))
      .map(({ destination, gateway }) => `the route to ${destination} via ${gateway ?? ifname} is missing`),
  ];
  return problems;
}

function hasRoute(
  state: RouteState,
  { destination, gateway }: { readonly destination: Prefix; readonly gateway: IpAddress | undefined },
): boolean {
  return [...state.routes.values()].some(
    (route) =>
      route.destination.equals(destination) &&
      (gateway === undefined || route.hops.some((hop) => hop.gateway?.equals(gateway) === true)),
  );
}
