// The objects of one pod's wiring, as steps for the host's and for the pod's namespace. Pure; pod-links.ts executes it.
import type { Netns } from '../../kernel/netns.ts';
import type { RouteStep } from '../../kernel/route/step.ts';
import { type Family, IpAddress } from '../../net/address.ts';
import type { Mac } from '../../net/mac.ts';
import { Prefix } from '../../net/prefix.ts';
import { type Attachment, hostLinkName, hostMac, podMac } from './attachment.ts';

/** An address of a pod, with its subnet's length, and the way out. */
export interface PodAddress {
  readonly address: Prefix;
  readonly gateway: IpAddress;
}

export interface PodPlan {
  readonly bridge: string;
  readonly hostLink: string;
  readonly hostMac: Mac;
  readonly ifname: string;
  readonly podMac: Mac;
  readonly mtu: number;
  readonly hairpin: boolean;
  readonly addresses: readonly PodAddress[];
}

export function planPod(
  attachment: Attachment,
  options: Pick<PodPlan, 'bridge' | 'mtu' | 'hairpin' | 'addresses'>,
): PodPlan {
  const { bridge, mtu, hairpin, addresses } = options;
  return {
    bridge,
    hostLink: hostLinkName(attachment),
    hostMac: hostMac(attachment),
    ifname: attachment.ifname,
    podMac: podMac(attachment),
    mtu,
    hairpin,
    addresses,
  };
}

/** One batch: the pair, its pod's end made in the pod's namespace, and the port's options. */
export function hostSteps(plan: PodPlan, pod: Netns): readonly RouteStep[] {
  const { hostLink: name, mtu } = plan;
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
    { kind: 'port-set', port: { link: name, hairpin: plan.hairpin } },
  ];
}

/** Removes both ends. */
export function hostDeleteStep(attachment: Attachment): RouteStep {
  return { kind: 'link-delete', link: { name: hostLinkName(attachment), detail: { kind: 'veth' } } };
}

const mainTable = 254;
/** RTPROT_BOOT, as `ip route add` has it: inside a pod nothing is told apart by it. */
const protocolBoot = 3;

/** One batch, once the sysctls are set: loopback and interface up, addresses, default routes. */
export function podSteps({ ifname, addresses }: PodPlan): readonly RouteStep[] {
  return [
    up('lo', { kind: 'other', type: '' }),
    up(ifname, { kind: 'veth' }),
    ...addresses.map(
      ({ address }): RouteStep => ({
        kind: 'address-add',
        address: {
          link: ifname,
          prefix: address,
          scope: 'global',
          ...(address.family === 6 ? { noDad: true } : { broadcast: address.last() }),
        },
      }),
    ),
    ...addresses.map(
      ({ gateway }): RouteStep => ({
        kind: 'route-set',
        route: {
          destination: defaultDestination(gateway.family),
          table: mainTable,
          priority: gateway.family === 4 ? 0 : 1024,
          protocol: protocolBoot,
          type: 'unicast',
          hops: [{ gateway, link: ifname }],
        },
      }),
    ),
  ];
}

function up(
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
 * address that changed hands, and with IPv6 addresses no time goes by for duplicate address detection, which a node's own
 * subnet does not need.
 */
export function podSysctls({ ifname, addresses }: PodPlan): readonly PodSysctl[] {
  const of = (key: string, value: string): PodSysctl => ({
    key: `net/${key}`,
    value,
    optional: key.startsWith('ipv6/'),
  });
  const always = [of(`ipv6/conf/${ifname}/accept_ra`, '0'), of(`ipv4/conf/${ifname}/arp_notify`, '1')];
  if (!addresses.some(({ address }) => address.family === 6)) return always;
  // Runtimes switch IPv6 off in namespaces for which they expect none.
  return [
    of('ipv6/conf/lo/disable_ipv6', '0'),
    of(`ipv6/conf/${ifname}/disable_ipv6`, '0'),
    of(`ipv6/conf/${ifname}/accept_dad`, '0'),
    of(`ipv6/conf/${ifname}/keep_addr_on_down`, '1'),
    ...always,
  ];
}
