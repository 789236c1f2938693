// The node of the packet table: its links, addresses and routes, the same in memory (walk-packet.ts) and as a namespace (real-node.ts),
// and what a mode is told about it. Its pods have 10.180.0.0/24; the rest of 10.180.0.0/16 is behind the link vx0, everybody else behind eth0.
import { type Family, IpAddress } from '../../net/address.ts';
import { Prefix } from '../../net/prefix.ts';
import type { ProxyModeName } from '../../proxy/proxy-mode.ts';
import type { LocalDetector, RuleContext } from '../../proxy/rule-context.ts';
import type { Origin, TestPacket } from './packet-row.ts';
import { type NodeChoices, usualChoices } from './packet-state.ts';

export const nodeName = 'test-node';

export type NodeLink = 'lo' | 'eth0' | 'cni0' | 'vx0';

/** The first of a family is what masquerading over the link takes; the first of eth0 is the node's own. */
export const linkAddresses: Readonly<Record<NodeLink, readonly IpAddress[]>> = {
  lo: addresses('127.0.0.1', '::1'),
  eth0: addresses('192.168.0.2', '192.168.1.2', '2001:db8:168::2'),
  cni0: addresses('10.180.0.254', 'fd00:10:180::fe'),
  vx0: addresses('10.180.255.254', 'fd00:10:180:ff::fe'),
};

/** Networks and the links they are behind; what is in none of them goes by eth0. */
const routes: readonly (readonly [Prefix, NodeLink])[] = [
  [Prefix.parse('127.0.0.0/8'), 'lo'],
  [Prefix.parse('10.180.0.0/24'), 'cni0'],
  [Prefix.parse('10.180.0.0/16'), 'vx0'],
  [Prefix.parse('192.168.0.3/32'), 'vx0'],
  [Prefix.parse('fd00:10:180::/64'), 'cni0'],
  [Prefix.parse('fd00:10:180::/48'), 'vx0'],
];

const linkOfOrigin: Readonly<Record<Origin, NodeLink>> = {
  pod: 'cni0',
  remote: 'vx0',
  node: 'lo',
  outside: 'eth0',
};

const loopback = Prefix.parse('127.0.0.0/8');
export const ownAddresses = Object.values(linkAddresses).flat();

export function isOwnAddress(address: IpAddress): boolean {
  return loopback.contains(address) || ownAddresses.some((own) => own.equals(address));
}

export function linkTo(address: IpAddress): NodeLink {
  if (isOwnAddress(address)) return 'lo';
  return routes.find(([network]) => network.contains(address))?.[1] ?? 'eth0';
}

export function linkOf({ from, link }: Pick<TestPacket, 'from' | 'link'>): string {
  return link ?? linkOfOrigin[from];
}

export function addressOfLink(link: string | undefined, family: Family): IpAddress {
  const found = Object.entries(linkAddresses)
    .find(([name]) => name === link)?.[1]
    .find((address) => address.family === family);
  if (found === undefined) throw new TypeError(`Cannot find an address of "${link}": no such link`);
  return found;
}

/** What rules depend on, as the daemon would work it out from the choices. */
export function ruleContext(
  choices: NodeChoices,
  { family, mode }: { readonly family: Family; readonly mode: ProxyModeName },
): RuleContext {
  const all = { ...usualChoices, ...choices };
  const own = ownAddresses.filter((address) => address.family === family);
  const ports = all.nodePortIps === 'default' ? (mode === 'nftables' ? undefined : 'all') : all.nodePortIps;
  const primary = [addressOfLink('eth0', family)];
  return {
    family,
    nodeIps: own.filter((address) => !address.isLoopback),
    nodePortIps:
      ports === 'all'
        ? 'all'
        : (ports?.map((text) => IpAddress.parse(text)).filter((ip) => ip.family === family) ?? primary),
    localhostNodePorts: all.localhostNodePorts === 'default' ? mode === 'iptables' : all.localhostNodePorts,
    localDetector: detector(all.detector, family),
    masqueradeAll: all.masqueradeAll,
    masqueradeMark: all.masqueradeMark,
    serviceNetworks: all.serviceNetworks
      .map((text) => Prefix.parse(text))
      .filter((network) => network.family === family),
    dropInvalid: all.dropInvalid,
  };
}

function detector(kind: Required<NodeChoices>['detector'], family: Family): LocalDetector {
  switch (kind) {
    case 'prefix':
      return { kind: 'prefix', prefix: Prefix.parse(family === 4 ? '10.0.0.0/8' : 'fd00:10::/32') };
    case 'node-prefix':
      return { kind: 'prefix', prefix: Prefix.parse(family === 4 ? '10.180.0.0/24' : 'fd00:10:180::/64') };
    case 'bridge cni0':
      return { kind: 'bridge', link: 'cni0' };
    case 'links cn':
      return { kind: 'link-prefix', prefix: 'cn' };
    case 'none':
      return { kind: 'none' };
    default:
      return kind satisfies never;
  }
}

function addresses(...texts: readonly string[]): readonly IpAddress[] {
  return texts.map((text) => IpAddress.parse(text));
}
