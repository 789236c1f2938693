// The objects of one pod's wiring, as steps for the host's and for the pod's namespace. Pure; pod-links.ts executes it.
import type { Netns } from '../../kernel/netns.ts';
import type { Scope } from '../../kernel/route/objects.ts';
import type { RouteStep } from '../../kernel/route/step.ts';
import { type Family, IpAddress } from '../../net/address.ts';
import type { Mac } from '../../net/mac.ts';
import { Prefix } from '../../net/prefix.ts';
import { type Attachment, hostLinkName, hostMac, podMac } from './attachment.ts';

/** Of a link whose MTU nobody says (ETH_DATA_LEN). */
export const ethernetMtu = 1500;

/** An address of a pod, with its subnet's length, and the way out of the subnet. */
export interface PodAddress {
  readonly address: Prefix;
  readonly gateway: IpAddress;
}

/** A route of a pod through its interface. */
export interface PodRoute {
  readonly destination: Prefix;
  /** Undefined: the gateway of the pod's first address of the family. */
  readonly gateway: IpAddress | undefined;
  readonly mtu?: number | undefined;
  readonly advmss?: number | undefined;
  readonly priority?: number | undefined;
  readonly table?: number | undefined;
  /** The kernel's number: 0 global, 253 link (no gateway), 254 host. */
  readonly scope?: number | undefined;
}

/** What the pod's port of the bridge is like. */
export interface PortWish {
  readonly hairpin: boolean;
  readonly isolated: boolean;
  /** The VLAN of what the pod sends untagged; undefined: the bridge knows no VLANs. */
  readonly vlan: number | undefined;
  /** VLANs that pass with their tags. */
  readonly vlanTrunk: readonly { readonly first: number; readonly last: number }[];
  /** Leave the port in VLAN 1, where the kernel puts it. */
  readonly preserveDefaultVlan: boolean;
}

export interface PodPlan {
  readonly bridge: string;
  readonly hostLink: string;
  readonly hostMac: Mac;
  readonly ifname: string;
  readonly podMac: Mac;
  readonly mtu: number;
  readonly port: PortWish;
  readonly addresses: readonly PodAddress[];
  readonly routes: readonly PodRoute[];
  readonly enableDad: boolean;
}

export type PodPlanOptions = Pick<
  PodPlan,
  'bridge' | 'mtu' | 'port' | 'addresses' | 'routes' | 'enableDad'
> & { readonly mac?: Mac | undefined };

export function planPod(attachment: Attachment, { mac, ...options }: PodPlanOptions): PodPlan {
  return {
    ...options,
    hostLink: hostLinkName(attachment),
    hostMac: hostMac(attachment),
    ifname: attachment.ifname,
    podMac: mac ?? podMac(attachment),
  };
}

/**
 * The routes with their gateways, and the default route of each family for which none is wished. Those of a family that the pod
 * has no address of are left out.
 */
export function podRoutes(
  addresses: readonly PodAddress[],
  { routes, isDefaultGateway }: { readonly routes: readonly PodRoute[]; readonly isDefaultGateway: boolean },
): readonly PodRoute[] {
  const gatewayOf = (family: Family) => addresses.find(({ gateway }) => gateway.family === family)?.gateway;
  const wished = routes.flatMap((route): readonly PodRoute[] => {
    const { family } = route.destination;
    if (route.gateway !== undefined || isOnLink(route)) return [route];
    const gateway = gatewayOf(family);
    return gateway === undefined ? [] : [{ ...route, gateway }];
  });
  if (!isDefaultGateway) return wished;
  const defaults = ([4, 6] as const).flatMap((family): readonly PodRoute[] => {
    const gateway = gatewayOf(family);
    const destination = defaultDestination(family);
    const isWished = wished.some((route) => route.destination.equals(destination));
    return gateway === undefined || isWished ? [] : [{ destination, gateway }];
  });
  return [...wished, ...defaults];
}

const scopes: ReadonlyMap<number, Scope> = new Map([
  [0, 'global'],
  [253, 'link'],
  [254, 'host'],
]);

function isOnLink({ scope }: PodRoute): boolean {
  return scope === 253 || scope === 254;
}

/** One batch: the pair, its pod's end made in the pod's namespace, and the port's options. */
export function hostSteps(plan: PodPlan, pod: Netns): readonly RouteStep[] {
  const { hostLink: name, mtu, port } = plan;
  const peer = { name: plan.ifname, mac: plan.podMac, mtu, netns: pod };
  return [
    {
      kind: 'link-add',
      link: {
        name,
        detail: { kind: 'veth', peer },
        mac: plan.hostMac,
        mtu,
        master: plan.bridge,
        up: true,
      },
    },
    {
      kind: 'port-set',
      port: { link: name, hairpin: port.hairpin, ...(port.isolated ? { isolated: true } : {}) },
    },
  ];
}

/** RT_TABLE_MAIN */
export const mainTable = 254;
/** RTPROT_BOOT, as `ip route add` has it: inside a pod nothing is told apart by it. */
const protocolBoot = 3;

/** One batch, once the sysctls are set: loopback and interface up, addresses, routes. */
export function podSteps({ ifname, addresses, routes, enableDad }: PodPlan): readonly RouteStep[] {
  return [
    linkUp('lo', { kind: 'other', type: '' }),
    linkUp(ifname, { kind: 'veth' }),
    ...addresses.map(
      ({ address }): RouteStep => ({
        kind: 'address-add',
        address: {
          link: ifname,
          prefix: address,
          scope: 'global',
          ...(address.family === 6 ? { noDad: !enableDad } : { broadcast: address.last() }),
        },
      }),
    ),
    ...routes.map((route) => routeStep(route, ifname)),
  ];
}

function routeStep(
  { destination, gateway, mtu, advmss, priority, table, scope }: PodRoute,
  link: string,
): RouteStep {
  const kernelScope = scope === undefined ? undefined : scopes.get(scope);
  return {
    kind: 'route-set',
    route: {
      destination,
      table: table ?? mainTable,
      priority: priority ?? (destination.family === 4 ? 0 : 1024),
      protocol: protocolBoot,
      type: 'unicast',
      // IPv6 has no scopes of routes.
      ...(kernelScope === undefined || destination.family === 6 ? {} : { scope: kernelScope }),
      ...(mtu === undefined ? {} : { mtu }),
      ...(advmss === undefined ? {} : { advmss }),
      hops: [gateway === undefined ? { link } : { gateway, link }],
    },
  };
}

/** Sets a link up that is there. */
export function linkUp(
  name: string,
  detail: { readonly kind: 'veth' } | { readonly kind: 'other'; readonly type: string },
): RouteStep {
  return { kind: 'link-set', link: { name, detail, up: true }, was: { name, detail, up: false } };
}

/** "0.0.0.0/0" or "::/0". */
export function defaultDestination(family: Family): Prefix {
  return new Prefix(IpAddress.fromBytes(new Uint8Array(family === 4 ? 4 : 16)), 0);
}

/** A sysctl of the pod's namespace. */
export interface PodSysctl {
  readonly key: string;
  readonly value: string;
  /** It is missing on a kernel without IPv6 (or with ipv6.disable=1), and then nothing is lost. */
  readonly optional: boolean;
}

/**
 * To be set before the interface is up: no router may change the pod's routes (CVE-2020-10749), other hosts hear at once of an
 * address that changed hands, and unless it is asked for no time goes by for duplicate address detection: who has which
 * address, the IPAM knows.
 */
export function podSysctls({ ifname, addresses, enableDad }: PodPlan): readonly PodSysctl[] {
  const of = (key: string, value: string): PodSysctl => ({
    key: `net/${key}`,
    value,
    optional: key.startsWith('ipv6/'),
  });
  const always = [of(`ipv6/conf/${ifname}/accept_ra`, '0'), of(`ipv4/conf/${ifname}/arp_notify`, '1')];
  if (!addresses.some(({ address }) => address.family === 6)) return always;
  const dad = enableDad
    ? [of(`ipv6/conf/${ifname}/enhanced_dad`, '1'), of(`ipv6/conf/${ifname}/accept_dad`, '1')]
    : [of(`ipv6/conf/${ifname}/accept_dad`, '0')];
  // Runtimes switch IPv6 off in namespaces for which they expect none.
  return [
    of('ipv6/conf/lo/disable_ipv6', '0'),
    of(`ipv6/conf/${ifname}/disable_ipv6`, '0'),
    ...dad,
    of(`ipv6/conf/${ifname}/keep_addr_on_down`, '1'),
    ...always,
  ];
}
