// Whatever of ours is changed by hand on the real kernel is put back, and counted as a repair. How long that took is printed,
// not asserted.
import { readFileSync, rmSync, writeFileSync } from 'node:fs';
import { afterAll, beforeAll, describe, expect, test } from '@jest/globals';
import { agentTable } from '../../agent/masquerade-nftables.ts';
import { openNftDriver } from '../../kernel/nft/driver.ts';
import type { NftDriver } from '../../kernel/nft/step.ts';
import { openRouteDriver } from '../../kernel/route/driver.ts';
import type { RouteDriver } from '../../kernel/route/step.ts';
import { addressText, fdbText, linkText, neighbourText, routeText } from '../../kernel/route/text.ts';
import { readSysctl } from '../../kernel/sysctl.ts';
import {
  gatewayOf,
  logOf,
  nodeState,
  ping,
  run,
  statusOf,
  TestCluster,
  type TestNode,
  until,
  untilStatus,
} from './cluster.ts';

let cluster: TestCluster;
let first: TestNode;
let second: TestNode;
let routes: RouteDriver;
let nft: NftDriver;
let peerMac = '';
let peerZero = '';
const times: string[] = [];

const ip = (words: string): string => run(`ip -n ${first.place.name} ${words}`);
const bridge = (words: string): string => run(`bridge -n ${first.place.name} ${words}`);
const inside = (words: string): string => run(`ip netns exec ${first.place.name} ${words}`);

type Kind = 'link' | 'address' | 'route' | 'neighbour' | 'fdb' | 'sysctl' | 'firewall' | 'file';

const matrix: readonly (readonly [what: string, kind: Kind, harm: () => void])[] = [
  ['route deleted', 'route', () => ip(`route del ${peerZero}/24`)],
  [
    'route replaced by another gateway',
    'route',
    () => ip(`route replace ${peerZero}/24 via 192.0.2.2 dev eth0`),
  ],
  ['neighbour deleted', 'neighbour', () => ip(`neigh del ${peerZero} dev flannel.1`)],
  [
    'neighbour replaced',
    'neighbour',
    () => ip(`neigh replace ${peerZero} lladdr 02:00:00:00:00:99 dev flannel.1 nud permanent`),
  ],
  ['FDB row deleted', 'fdb', () => bridge(`fdb del ${peerMac} dev flannel.1 dst 192.0.2.2 self`)],
  [
    'FDB row replaced',
    'fdb',
    () => bridge(`fdb replace ${peerMac} dev flannel.1 dst 192.0.2.99 self permanent`),
  ],
  [
    'an FDB row too many',
    'fdb',
    () => bridge('fdb add 02:00:00:00:00:98 dev flannel.1 dst 192.0.2.98 self permanent'),
  ],
  ['a route of ours too many', 'route', () => ip('route add 10.244.254.0/24 via 192.0.2.2 proto 78')],
  ['device deleted', 'link', () => ip('link del flannel.1')],
  ['device down', 'link', () => ip('link set flannel.1 down')],
  [
    'device down and up',
    'route',
    () => {
      ip('link set flannel.1 down');
      ip('link set flannel.1 up');
    },
  ],
  ['device with another MTU', 'link', () => ip('link set flannel.1 mtu 1400')],
  ['device with another MAC', 'link', () => ip('link set flannel.1 address 02:00:00:00:00:97')],
  ['address of the device removed', 'address', () => ip('-4 address flush dev flannel.1')],
  ['an address on the device too many', 'address', () => ip('address add 10.244.255.0/32 dev flannel.1')],
  [
    'device of our name with other parameters',
    'link',
    () => {
      ip('link del flannel.1');
      run(
        `ip -n ${first.place.name} link add flannel.1 type vxlan id 1 dstport 4789 local 192.0.2.1 dev eth0`,
        { quiet: true },
      );
    },
  ],
  ['bridge deleted', 'link', () => ip('link del cni0')],
  ['bridge down', 'link', () => ip('link set cni0 down')],
  ['bridge with another MTU', 'link', () => ip('link set cni0 mtu 1300')],
  ['address of the bridge removed', 'address', () => ip('-4 address flush dev cni0')],
  ['ip_forward off', 'sysctl', () => inside('sysctl -qw net.ipv4.ip_forward=0')],
  ['accept_ra on', 'sysctl', () => inside('sysctl -qw net/ipv6/conf/flannel.1/accept_ra=1')],
  ['nftables: ruleset flushed', 'firewall', () => inside('nft flush ruleset')],
  ['nftables: table deleted', 'firewall', () => inside('nft delete table inet netloom')],
  ['nftables: chain flushed', 'firewall', () => inside('nft flush chain inet netloom postrouting')],
  [
    'nftables: a rule too many',
    'firewall',
    () => inside('nft add rule inet netloom postrouting counter accept'),
  ],
  ['subnet.env removed', 'file', () => rmSync(first.subnetFile)],
  ['subnet.env overwritten', 'file', () => writeFileSync(first.subnetFile, 'FLANNEL_MTU=9000\n')],
];

/** What a kind of harm shows in, quick to read: milliseconds are counted with it. The judge is nodeState. */
function glance(kind: Kind): string {
  switch (kind) {
    case 'sysctl': {
      const { netns } = first.place;
      return [
        readSysctl('net/ipv4/ip_forward', { netns }),
        readSysctl('net/ipv6/conf/flannel.1/accept_ra', { netns }),
      ].join();
    }
    case 'file':
      try {
        return readFileSync(first.subnetFile, 'utf8');
      } catch {
        return '';
      }
    case 'firewall':
      return JSON.stringify(
        [...nft.read([agentTable]).state.values()].map(({ rules }) =>
          [...rules.values()].map((list) => list.map(({ expressions }) => expressions.length)),
        ),
      );
    case 'link':
    case 'address':
    case 'route':
    case 'neighbour':
    case 'fdb':
      return routeGlance();
    default:
      return kind satisfies never;
  }
}

function routeGlance(): string {
  const state = routes.read();
  const ours = (link: string | undefined): boolean => link === 'flannel.1' || link === 'cni0';
  return [
    ...[...state.links.values()].filter(({ name }) => ours(name)).map(linkText),
    ...[...state.addresses.values()]
      .filter(({ link, prefix }) => ours(link) && prefix.family === 4)
      .map(addressText),
    ...[...state.routes.values()]
      .filter(
        ({ protocol, destination, hops }) =>
          protocol === 78 || (destination.family === 4 && ours(hops[0]?.link)),
      )
      .map(routeText),
    ...[...state.neighbours.values()]
      .filter(({ link, state: nud }) => ours(link) && nud === 'permanent')
      .map(neighbourText),
    ...[...state.fdb.values()].filter(({ link }) => link === 'flannel.1').map(fdbText),
  ]
    .sort()
    .join('\n');
}

function note(what: string, milliseconds: number): void {
  times.push(`${Math.round(milliseconds).toString().padStart(6)}  ${what}`);
}

beforeAll(async () => {
  cluster = new TestCluster({ nodes: 2 });
  const [one, two] = cluster.nodes;
  if (one === undefined || two === undefined) throw new Error('Cannot make two nodes');
  [first, second] = [one, two];
  routes = openRouteDriver({ netns: first.place.netns });
  nft = openNftDriver({ netns: first.place.netns });
  await cluster.up();
  peerMac = (await statusOf(second))?.lease?.vtepMac ?? '';
  peerZero = gatewayOf(second).replace(/\.1$/, '.0');
});

afterAll(async () => {
  routes.close();
  nft.close();
  await cluster.close();
  process.stderr.write(`\nHealed after (ms):\n${times.join('\n')}\n`);
});

async function repairsOf(kind: Kind): Promise<number> {
  return (await statusOf(first))?.repaired[kind] ?? 0;
}

describe('what is changed by hand is put back', () => {
  test.each(matrix)('%s', async (what, kind, harm) => {
    const before = nodeState(first);
    const seen = glance(kind);
    const count = await repairsOf(kind);
    harm();
    const start = performance.now();
    await until(
      () => glance(kind) === seen,
      () => `${before}\n--- is now\n${nodeState(first)}\n${logOf(first).slice(-6000)}`,
    );
    note(what, performance.now() - start);
    // A glance may have been too early to see the harm: the count tells, and nodeState that all is as before.
    await until(
      async () => (await repairsOf(kind)) > count && nodeState(first) === before,
      () => `${before}\n--- is now\n${nodeState(first)}\n${logOf(first).slice(-6000)}`,
    );
    await cluster.ready(first, 1);
    expect(ping(first, gatewayOf(second))).toBe(true);
  });
});

describe('what becomes of the underlay is followed', () => {
  test.each<readonly [string, () => void]>([
    [
      'interface down and up',
      () => {
        ip('link set eth0 down');
        ip('link set eth0 up');
        cluster.address(first.place.name, 1);
      },
    ],
    [
      'address removed and given again',
      () => {
        ip('address flush dev eth0');
        cluster.address(first.place.name, 1);
      },
    ],
    [
      'interface deleted and made anew',
      () => {
        ip('link del eth0');
        cluster.wire(first);
      },
    ],
  ])('%s', async (what, harm) => {
    const before = nodeState(first);
    const seen = routeGlance();
    harm();
    note(
      `underlay: ${what}`,
      await until(
        () => routeGlance() === seen,
        () => `${before}\n--- is now\n${nodeState(first)}\n${logOf(first).slice(-6000)}`,
      ),
    );
    await until(
      () => nodeState(first) === before && ping(first, gatewayOf(second)),
      () => `${before}\n--- is now\n${nodeState(first)}\n${logOf(first).slice(-6000)}`,
    );
  });

  test('an underlay that is gone: not ready, and nothing is torn down', async () => {
    const before = nodeState(first);
    ip('address flush dev eth0');
    const status = await untilStatus(first, ({ ready }) => !ready);
    expect(status.blockers.join()).toContain(
      'Cannot use interface "eth0" as the underlay: it has no IPv4 address',
    );
    expect(nodeState(first)).toBe(before);
    expect(status.lease?.subnet).toBeDefined();
    expect(status.peers.map(({ programmed }) => programmed)).toEqual([false]);
    cluster.address(first.place.name, 1);
    await cluster.ready(first, 1);
    await until(
      () => ping(first, gatewayOf(second)),
      () => 'no answer',
    );
  });

  test('another public address and MTU are told to the others', async () => {
    ip('address add 192.0.2.201/24 dev eth0');
    ip('address del 192.0.2.1/24 dev eth0');
    ip('address replace 192.0.2.201/24 dev eth0');
    ip('link set eth0 mtu 1400');
    await untilStatus(first, ({ mtu, ready }) => mtu === 1350 && ready);
    await untilStatus(second, ({ ready, peers }) => ready && peers[0]?.publicIp === '192.0.2.201');
    expect(run(`bridge -n ${second.place.name} fdb show dev flannel.1`)).toContain('dst 192.0.2.201');
    await until(
      () => ping(first, gatewayOf(second)),
      () => 'no answer',
    );
  });
});
