import { describe, expect, test } from '@jest/globals';
import { type InterfaceAddress, type Route, routeState } from '../kernel/route/objects.ts';
import type { RouteChange } from '../kernel/route/watch.ts';
import { IpAddress } from '../net/address.ts';
import { Prefix } from '../net/prefix.ts';
import { defaultLinks, nodeAddresses } from './node-addresses.ts';
import { matters } from './node-watch.ts';

const ip = (text: string): IpAddress => IpAddress.parse(text);

function address(link: string, prefix: string, more: Partial<InterfaceAddress> = {}): InterfaceAddress {
  return { link, prefix: Prefix.parse(prefix), scope: 'global', ...more };
}

function route(destination: string, link: string, more: Partial<Route> = {}): Route {
  return {
    destination: Prefix.parse(destination),
    table: 254,
    priority: 0,
    protocol: 4,
    type: 'unicast',
    hops: [{ link }],
    ...more,
  };
}

const up = (name: string, isUp = true) => ({ name, up: isUp, detail: { kind: 'other', type: '' } }) as const;

const state = routeState({
  links: [up('lo'), up('eth0'), up('eth1'), up('cni0'), up('eth9', false)],
  addresses: [
    address('lo', '127.0.0.1/8'),
    address('eth1', '198.51.100.7/24'),
    address('eth0', '192.0.2.20/24'),
    address('eth0', '192.0.2.3/24'),
    address('cni0', '10.244.1.1/24'),
    address('dummy', '192.0.2.3/32'),
    address('lo', '::1/128'),
    address('eth0', 'fe80::1/64', { scope: 'link' }),
    address('eth0', '2001:db8::5/64', { temporary: true }),
    address('eth0', '2001:db8::1/64'),
  ],
  routes: [
    route('0.0.0.0/0', 'eth9', { priority: 0 }),
    route('0.0.0.0/0', 'eth1', { priority: 200 }),
    route('0.0.0.0/0', 'eth0', { priority: 100 }),
    route('0.0.0.0/0', 'eth1', { table: 7 }),
    route('10.0.0.0/8', 'eth1'),
    route('::/0', 'eth0', { priority: 1024 }),
  ],
});

describe('nodeAddresses', () => {
  test('all but loopback and link-local ones, sorted, each once', () => {
    const four = nodeAddresses(state, { family: 4, nodeIps: [] });
    expect(four.all.map(String)).toEqual(['10.244.1.1', '192.0.2.3', '192.0.2.20', '198.51.100.7']);
    const six = nodeAddresses(state, { family: 6, nodeIps: [] });
    expect(six.all.map(String)).toEqual(['2001:db8::1', '2001:db8::5']);
  });

  test('the primary one is on the best default route that is up', () => {
    expect(String(nodeAddresses(state, { family: 4, nodeIps: [] }).primary)).toBe('192.0.2.20');
    expect(String(nodeAddresses(state, { family: 6, nodeIps: [] }).primary)).toBe('2001:db8::1');
    expect(defaultLinks(state, 4)).toEqual(['eth0']);
  });

  test("the route's own source goes first, and what the operator said before that", () => {
    const withSource = routeState({
      ...{ links: [...state.links.values()], addresses: [...state.addresses.values()] },
      routes: [route('0.0.0.0/0', 'eth0', { source: ip('192.0.2.3') })],
    });
    expect(String(nodeAddresses(withSource, { family: 4, nodeIps: [] }).primary)).toBe('192.0.2.3');
    const nodeIps = [ip('2001:db8::77'), ip('203.0.113.9')];
    expect(String(nodeAddresses(withSource, { family: 4, nodeIps }).primary)).toBe('203.0.113.9');
  });

  test("addresses of services are not the node's", () => {
    const bound = routeState({
      addresses: [address('kube-ipvs0', '10.96.0.1/32'), address('eth0', '192.0.2.9/24')],
    });
    expect(nodeAddresses(bound, { family: 4, nodeIps: [] }).all.map(String)).toEqual(['192.0.2.9']);
  });

  test('without a default route there is none', () => {
    expect(nodeAddresses(routeState({}), { family: 4, nodeIps: [] })).toEqual({
      all: [],
      primary: undefined,
    });
  });
});

describe('a change is read for', () => {
  const change = (one: object): RouteChange => ({ op: 'new', flags: 0, ...one }) as RouteChange; // the fields that count are there
  test.each([
    ['an address', { kind: 'address', object: address('eth0', '192.0.2.9/24') }, true],
    ['an address of a service', { kind: 'address', object: address('kube-ipvs0', '10.96.0.1/32') }, false],
    ['a link-local address of a pod', { kind: 'address', object: address('veth1', 'fe80::9/64') }, false],
    ['a default route', { kind: 'route', object: route('::/0', 'eth0') }, true],
    ['a route to a pod', { kind: 'route', object: route('10.244.0.5/32', 'veth1') }, false],
    ['the link of the default route', { kind: 'link', object: up('eth0') }, true],
    ["a pod's link", { kind: 'link', object: up('veth1') }, false],
    ['a link that had another name', { kind: 'link', object: up('wan'), formerName: 'eth0' }, true],
    ['a neighbour', { kind: 'neighbour', object: {} }, false],
    ['lost messages', { kind: 'overrun' }, true],
  ])('%s', (_, one, expected) => {
    expect(matters(change(one), new Set(['eth0']))).toBe(expected);
  });
});
