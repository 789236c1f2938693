import { describe, expect, test } from '@jest/globals';
import type { Netns } from '../../kernel/netns.ts';
import { routeStepText } from '../../kernel/route/text.ts';
import { IpAddress } from '../../net/address.ts';
import { Prefix } from '../../net/prefix.ts';
import {
  hostSteps,
  type PodAddress,
  type PodRoute,
  type PortWish,
  planPod,
  podRoutes,
  podSteps,
  podSysctls,
} from './pod-plan.ts';

const attachment = { network: 'cbr0', containerId: 'abc', ifname: 'eth0' };
const ip4: PodAddress = { address: Prefix.parse('10.244.1.5/24'), gateway: IpAddress.parse('10.244.1.1') };
const ip6: PodAddress = { address: Prefix.parse('fd00:1::5/64'), gateway: IpAddress.parse('fd00:1::1') };
const port: PortWish = {
  hairpin: true,
  isolated: false,
  vlan: undefined,
  vlanTrunk: [],
  preserveDefaultVlan: false,
};
const plan = (...addresses: readonly PodAddress[]) =>
  planPod(attachment, {
    bridge: 'cni0',
    mtu: 1450,
    port,
    addresses,
    routes: podRoutes(addresses, { routes: [], isDefaultGateway: true }),
    enableDad: false,
  });

// Only its path is printed.
const pod = { path: '/run/netns/pod' } as Netns;

test('the host side is one batch', () => {
  expect(hostSteps(plan(ip4), pod).map(routeStepText)).toEqual([
    'ip link add veth5ac3ce7f74a address 32:a3:e1:5a:6d:7f mtu 1450 master cni0 up type veth peer name eth0 address b2:7a:56:a0:1f:15 mtu 1450 netns pod',
    'bridge link set dev veth5ac3ce7f74a hairpin on',
  ]);
});

test('the pod side is one batch', () => {
  expect(podSteps(plan(ip4)).map(routeStepText)).toEqual([
    'ip link set lo up',
    'ip link set eth0 up',
    'ip address add 10.244.1.5/24 brd 10.244.1.255 dev eth0',
    'ip route replace default via 10.244.1.1 dev eth0 proto boot',
  ]);
});

test('with both families', () => {
  expect(podSteps(plan(ip4, ip6)).map(routeStepText)).toEqual([
    'ip link set lo up',
    'ip link set eth0 up',
    'ip address add 10.244.1.5/24 brd 10.244.1.255 dev eth0',
    'ip -6 address add fd00:1::5/64 dev eth0 nodad',
    'ip route replace default via 10.244.1.1 dev eth0 proto boot',
    'ip -6 route replace default via fd00:1::1 dev eth0 proto boot',
  ]);
});

test('sysctls', () => {
  const lines = (...addresses: readonly PodAddress[]) =>
    podSysctls(plan(...addresses)).map(({ key, value }) => `${key} = ${value}`);
  const always = ['net/ipv6/conf/eth0/accept_ra = 0', 'net/ipv4/conf/eth0/arp_notify = 1'];
  expect(lines(ip4)).toEqual(always);
  expect(lines(ip4, ip6)).toEqual([
    'net/ipv6/conf/lo/disable_ipv6 = 0',
    'net/ipv6/conf/eth0/disable_ipv6 = 0',
    'net/ipv6/conf/eth0/accept_dad = 0',
    'net/ipv6/conf/eth0/keep_addr_on_down = 1',
    ...always,
  ]);
});

test('the port may be isolated', () => {
  const isolated = { ...plan(ip4), port: { ...port, hairpin: false, isolated: true } };
  expect(routeStepText(hostSteps(isolated, pod)[1] ?? fail())).toBe(
    'bridge link set dev veth5ac3ce7f74a hairpin off isolated on',
  );
});

function fail(): never {
  throw new Error('Cannot find the step');
}

describe('routes', () => {
  const to = (text: string, more: Partial<PodRoute> = {}): PodRoute => ({
    destination: Prefix.parse(text),
    gateway: undefined,
    ...more,
  });
  const lines = (routes: readonly PodRoute[], isDefaultGateway: boolean, addresses: readonly PodAddress[]) =>
    podSteps({ ...plan(...addresses), routes: podRoutes(addresses, { routes, isDefaultGateway }) })
      .map(routeStepText)
      .filter((line) => line.includes('route'));

  test.each<[string, readonly PodRoute[], boolean, readonly PodAddress[], readonly string[]]>([
    ['none is wished', [], false, [ip4], []],
    [
      'through the gateway',
      [to('10.0.0.0/8')],
      false,
      [ip4],
      ['10.0.0.0/8 via 10.244.1.1 dev eth0 proto boot'],
    ],
    [
      'a default route that is wished is not added twice',
      [to('0.0.0.0/0')],
      true,
      [ip4],
      ['default via 10.244.1.1 dev eth0 proto boot'],
    ],
    ['of a family without address: left out', [to('fd00::/8')], false, [ip4], []],
    [
      'with attributes',
      [
        to('10.0.0.0/8', {
          gateway: IpAddress.parse('10.244.1.9'),
          mtu: 1400,
          advmss: 1360,
          priority: 5,
          table: 100,
        }),
      ],
      false,
      [ip4],
      ['10.0.0.0/8 via 10.244.1.9 dev eth0 table 100 proto boot metric 5 mtu 1400 advmss 1360'],
    ],
    [
      'on the link',
      [to('10.9.0.0/16', { scope: 253 })],
      false,
      [ip4],
      ['10.9.0.0/16 dev eth0 proto boot scope link'],
    ],
  ])('%s', (_what, routes, isDefaultGateway, addresses, expected) => {
    expect(
      lines(routes, isDefaultGateway, addresses).map((line) => line.replace('ip route replace ', '')),
    ).toEqual(expected);
  });
});
