import { expect, test } from '@jest/globals';
import type { Netns } from '../../kernel/netns.ts';
import { routeStepText } from '../../kernel/route/text.ts';
import { IpAddress } from '../../net/address.ts';
import { Prefix } from '../../net/prefix.ts';
import { hostDeleteStep, hostSteps, type PodAddress, planPod, podSteps, podSysctls } from './pod-plan.ts';

const attachment = { network: 'cbr0', containerId: 'abc', ifname: 'eth0' };
const ip4: PodAddress = { address: Prefix.parse('10.244.1.5/24'), gateway: IpAddress.parse('10.244.1.1') };
const ip6: PodAddress = { address: Prefix.parse('fd00:1::5/64'), gateway: IpAddress.parse('fd00:1::1') };
const plan = (...addresses: readonly PodAddress[]) =>
  planPod(attachment, { bridge: 'cni0', mtu: 1450, hairpin: true, addresses });

// Only its path is printed.
const pod = { path: '/run/netns/pod' } as Netns;

test('the host side is one batch', () => {
  expect(hostSteps(plan(ip4), pod).map(routeStepText)).toEqual([
    'ip link add veth5ac3ce7f74a address 32:a3:e1:5a:6d:7f mtu 1450 master cni0 up type veth peer name eth0 address b2:7a:56:a0:1f:15 mtu 1450 netns pod',
    'bridge link set dev veth5ac3ce7f74a hairpin on',
  ]);
  expect(routeStepText(hostDeleteStep(attachment))).toBe('ip link delete veth5ac3ce7f74a');
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
