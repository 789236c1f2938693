// The test node and all who send it packets or answer them, as network namespaces: links, addresses and routes of test-node.ts. Every
// flow passes the node, also between pods of one bridge. Nothing of the proxy is in it.
import { execFileSync } from 'node:child_process';
import type { Netns } from '../../kernel/netns.ts';
import { writeSysctl } from '../../kernel/sysctl.ts';
import { IpAddress } from '../../net/address.ts';
import { Prefix } from '../../net/prefix.ts';
import { type TestNetns, testNetns } from '../sandbox.ts';
import type { Origin } from './packet-row.ts';
import { isOwnAddress } from './test-node.ts';

/** Local pods have these last numbers: 10.180.0.N and fd00:10:180::N. */
const podNumbers: readonly number[] = [1, 2, 3, 4, 5, 6, 7, 8];

const pod4 = Prefix.parse('10.180.0.0/24');
const pod6 = Prefix.parse('fd00:10:180::/64');

/** Addresses of the namespaces behind vx0: other nodes' pods, and another node. */
const remotes = [
  { name: 'endpoints', addresses: ['10.180.1.1', '10.180.1.2', '192.168.0.3', 'fd00:10:180:1::1'] },
  { name: 'clients', addresses: ['10.180.2.5', 'fd00:10:180:2::5'] },
] as const;

/** Behind eth0 one namespace plays all clients, and another one all the rest of the world, service networks that nobody has among it. */
const neighbours = [
  {
    networks: ['203.0.113.0/24', '198.18.0.0/24', '2001:db8:113::/64', '2001:db8:18::/64'],
    addresses: ['192.168.0.1', '2001:db8:168::1'],
  },
  {
    networks: ['172.30.0.0/15', '198.51.100.0/24', 'fd00:172:30::/112', '2001:db8:51::/64'],
    addresses: ['192.168.0.254', '2001:db8:168::fe'],
  },
] as const;
const clientNetworks = neighbours[0].networks.map((network) => Prefix.parse(network));

export interface RealNode extends Disposable {
  readonly node: TestNetns;
  /** Has every address of 203.0.113.0/24, 198.18.0.0/24 and two networks of IPv6. */
  readonly clients: TestNetns;
  readonly pods: readonly TestNetns[];
  /** The namespace that has the address, as the node's routes see it. */
  holder(address: IpAddress): Netns;
  /** Whether somebody at the origin can send from the address. */
  hasSender(from: Origin, address: IpAddress): boolean;
}

export function realNode(): RealNode {
  const node = testNetns();
  const clients = testNetns();
  const world = testNetns();
  const outside = [clients, world];
  const pods = podNumbers.map(() => testNetns());
  const others = remotes.map(({ addresses }) => ({ place: testNetns(), addresses }));
  const all = [...pods, ...others.map(({ place }) => place), ...outside, node];
  // Else links are silent in IPv6 for their first second.
  for (const { netns } of all)
    sysctls(netns, { 'net/ipv6/conf/all/accept_dad': '0', 'net/ipv6/conf/default/accept_dad': '0' });
  ip(node, [
    'link set lo up',
    ...['eth0', 'cni0', 'vx0'].flatMap((link) => [`link add ${link} type bridge`, `link set ${link} up`]),
    ...outside.flatMap(({ name }, i) => attach(`out${i + 1}`, { bridge: 'eth0', name })),
    ...pods.flatMap(({ name }, i) => attach(`cni${i + 1}`, { bridge: 'cni0', name })),
    ...others.flatMap(({ place: { name } }, i) => attach(`vx${i + 1}`, { bridge: 'vx0', name })),
    ...addressed('eth0', ['192.168.0.2/24', '192.168.1.2/24', '2001:db8:168::2/64']),
    ...addressed('cni0', ['10.180.0.254/24', 'fd00:10:180::fe/64']),
    ...addressed('vx0', ['10.180.255.254/16', 'fd00:10:180:ff::fe/48']),
    'route add 192.168.0.3/32 dev vx0',
    ...clientNetworks.map(
      (network) => `route add ${network} via ${ofFamily(neighbours[0].addresses, network)}`,
    ),
    ...neighbours[1].addresses.map((gateway) => `route add default via ${gateway}`),
  ]);
  sysctls(node.netns, {
    'net/ipv4/ip_forward': '1',
    'net/ipv6/conf/all/forwarding': '1',
    ...Object.fromEntries(
      ['all', 'eth0', 'cni0', 'vx0'].map((link) => [`net/ipv4/conf/${link}/send_redirects`, '0']),
    ),
    // Each client is refused many times a second here.
    'net/ipv4/icmp_ratelimit': '0',
    'net/ipv6/icmp/ratelimit': '0',
  });
  for (const [i, place] of outside.entries()) {
    // Of IPv4 whatever is routed to lo may be bound to; of IPv6 only with this.
    sysctls(place.netns, { 'net/ipv6/ip_nonlocal_bind': '1' });
    ip(place, [
      'link set lo up',
      'link set eth0 up',
      ...addressed(
        'eth0',
        (neighbours[i]?.addresses ?? []).map((one) => `${one}/${one.includes(':') ? 64 : 24}`),
      ),
      ...(neighbours[i]?.networks ?? []).map((network) => `route add local ${network} dev lo`),
      'route add default via 192.168.0.2',
      'route add default via 2001:db8:168::2',
    ]);
  }
  for (const [i, place] of pods.entries())
    single(place, {
      addresses: [`10.180.0.${podNumbers[i]}`, `fd00:10:180::${podNumbers[i]}`],
      gateways: ['10.180.0.254', 'fd00:10:180::fe'],
    });
  for (const { place, addresses } of others)
    single(place, { addresses, gateways: ['10.180.255.254', 'fd00:10:180:ff::fe'] });
  const held = new Map(
    others.flatMap(({ place, addresses }) => addresses.map((one) => [one as string, place.netns] as const)),
  );
  return {
    node,
    clients,
    pods,
    holder(address) {
      if (isOwnAddress(address)) return node.netns;
      const pod = pods[podNumbers.indexOf(address.bytes.at(-1) ?? 0)];
      if (pod !== undefined && (pod4.contains(address) || pod6.contains(address))) return pod.netns;
      return held.get(address.toString()) ?? (isClient(address) ? clients : world).netns;
    },
    hasSender(from, address) {
      const holder = this.holder(address);
      switch (from) {
        case 'node':
          return holder === node.netns;
        case 'pod':
          return pods.some(({ netns }) => netns === holder);
        case 'remote':
          return held.has(address.toString());
        case 'outside':
          return isClient(address);
        default:
          return from satisfies never;
      }
    },
    [Symbol.dispose]() {
      for (const place of all) place[Symbol.dispose]();
    },
  };
}

/** A namespace with addresses of its own and one gateway a family for everything else: neighbours are reached through the node. */
function single(
  place: TestNetns,
  { addresses, gateways }: { readonly addresses: readonly string[]; readonly gateways: readonly string[] },
): void {
  ip(place, [
    'link set lo up',
    'link set eth0 up',
    ...addressed(
      'eth0',
      addresses.map((one) => Prefix.host(IpAddress.parse(one)).toString()),
    ),
    ...gateways.flatMap((gateway) => [`route add ${gateway} dev eth0`, `route add default via ${gateway}`]),
  ]);
  sysctls(place.netns, {
    'net/ipv6/conf/all/accept_redirects': '0',
    'net/ipv6/conf/eth0/accept_redirects': '0',
  });
}

function isClient(address: IpAddress): boolean {
  return clientNetworks.some((network) => network.contains(address));
}

function ofFamily(addresses: readonly string[], { family }: Prefix): string | undefined {
  return addresses.find((one) => IpAddress.parse(one).family === family);
}

function attach(
  link: string,
  { bridge, name }: { readonly bridge: string; readonly name: string },
): readonly string[] {
  return [
    `link add ${link} type veth peer name eth0 netns ${name}`,
    `link set ${link} master ${bridge} up`,
    // As CNI's bridge has it: with br_netfilter a pod that reaches itself by a service never leaves the bridge.
    `link set ${link} type bridge_slave hairpin on`,
  ];
}

function addressed(link: string, prefixes: readonly string[]): readonly string[] {
  return prefixes.map((one) => `address add ${one} dev ${link}${one.includes(':') ? ' nodad' : ''}`);
}

function sysctls(netns: Netns, values: Readonly<Record<string, string>>): void {
  for (const [key, value] of Object.entries(values)) writeSysctl(key, value, { netns });
}

function ip({ name }: TestNetns, lines: readonly string[]): void {
  execFileSync('ip', ['-n', name, '-batch', '-'], {
    input: lines.map((line) => `${line}\n`).join(''),
    stdio: ['pipe', 'ignore', 'inherit'],
  });
}
