// The rtnetlink driver, watch and mirror on the real kernel: the same cases as the fake, and what `ip` and `bridge` print.
import { execFileSync } from 'node:child_process';
import { setTimeout } from 'node:timers/promises';
import { isDeepStrictEqual } from 'node:util';
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test } from '@jest/globals';
import { Poller } from '../../kernel/poller.ts';
import { openRouteDriver, type RouteAccess } from '../../kernel/route/driver.ts';
import {
  disturbances,
  refusals,
  scope,
  show,
  states,
  surroundings,
  vlanStates,
  vlanSurroundings,
} from '../../kernel/route/driver-cases.ts';
import { RouteMirror } from '../../kernel/route/mirror.ts';
import { type Link, type Route, type RouteState, routeKey, routeState } from '../../kernel/route/objects.ts';
import { planRoute } from '../../kernel/route/plan.ts';
import { planVlans } from '../../kernel/route/plan-vlans.ts';
import type { StepResult } from '../../kernel/route/step.ts';
import {
  addressText,
  fdbText,
  linkText,
  neighbourText,
  portText,
  routeStepText,
  routeText,
  ruleText,
} from '../../kernel/route/text.ts';
import { type RouteChange, watchRoutes } from '../../kernel/route/watch.ts';
import { IpAddress } from '../../net/address.ts';
import { Mac } from '../../net/mac.ts';
import { Prefix } from '../../net/prefix.ts';
import { refuseRoot, type TestNetns, testNetns } from '../sandbox.ts';

const two = 'vxlan with two peers, a bridge and a pod';
const hostGateway = 'host-gw in both families, metrics, multipath, routes that lead nowhere';

let place: TestNetns;
let driver: RouteAccess;

beforeAll(refuseRoot);

beforeEach(() => {
  place = testNetns();
  driver = openRouteDriver({ netns: place.netns });
  expect(failures(driver.apply(surroundings))).toEqual([]);
});

afterEach(() => {
  driver.close();
  place[Symbol.dispose]();
});

function failures(results: readonly StepResult[]): readonly string[] {
  return results.flatMap(({ error }) => (error === undefined ? [] : [error.message]));
}

function stateOf(name: string): (typeof states)[number] {
  const state = states.find((each) => each.name === name);
  if (state === undefined) throw new TypeError(`Cannot find state "${name}"`);
  return state;
}

function reconcile(name: string): void {
  const state = stateOf(name);
  expect(failures(driver.apply(planRoute(state.desired, driver.read(), scope)))).toEqual([]);
  expect(show(driver)).toEqual(state.shown);
  expect(planRoute(state.desired, driver.read(), scope).map(routeStepText)).toEqual([]);
}

/** What a program of iproute2 prints in the namespace, one line an object, with single spaces. */
function printed(command: string): readonly string[] {
  const [program = '', ...words] = command.split(' ');
  const output = execFileSync(program, ['-n', place.name, ...words], { encoding: 'utf8' });
  return output
    .split('\n')
    .flatMap((line) => (line.trim() === '' ? [] : [line.trim().replaceAll(/\s+/g, ' ')]));
}

/** Runs a command of iproute2 in the namespace. */
function run(command: string): void {
  const [program = '', ...words] = command.split(' ');
  execFileSync(program, ['-n', place.name, ...words]);
}

describe('the kernel', () => {
  test.each(states.flatMap((from) => states.map((to) => [from.name, to.name] as const)))(
    'from "%s" to "%s"',
    (from, to) => {
      reconcile(from);
      reconcile(to);
    },
  );

  test.each(disturbances)('heals: $name', ({ to, steps, lost, instead = [] }) => {
    reconcile(to);
    const before = show(driver);
    expect(failures(driver.apply(steps))).toEqual([]);
    const left = before.filter((line) => !lost.includes(line));
    expect(show(driver).toSorted()).toEqual([...left, ...instead].toSorted());
    reconcile(to);
  });

  test.each(refusals)('answers to $name', ({ step, error }) => {
    const [result] = driver.apply([step]);
    expect(result?.error?.message).toBe(error);
  });

  test('names a kind of link that it does not have', () => {
    const [result] = driver.apply([
      { kind: 'link-add', link: { name: 'x0', detail: { kind: 'other', type: 'netloomless' } } },
    ]);
    expect(result?.error?.message).toBe(
      'Cannot add link "x0 type netloomless": operation not supported on socket (EOPNOTSUPP): this kernel has no netloomless',
    );
  });

  test('says which capability is missing', () => {
    process.seteuid?.(65_534);
    try {
      const [result] = driver.apply([
        { kind: 'link-add', link: { name: 'br0', detail: { kind: 'bridge' } } },
      ]);
      expect(result?.error?.message).toBe(
        'Cannot add link "br0 type bridge": operation not permitted (EPERM): the capability CAP_NET_ADMIN is needed',
      );
      expect(driver.read().links.has('u0')).toBe(true);
    } finally {
      process.seteuid?.(0);
    }
  });

  test('knows the way to an address and a link by name', () => {
    reconcile(hostGateway);
    const way = driver.routeTo(IpAddress.parse('10.1.3.7'));
    expect(way?.hops).toEqual([{ gateway: IpAddress.parse('192.0.2.3'), link: 'u0', onlink: false }]);
    expect(way?.source?.toString()).toBe('192.0.2.1');
    expect(driver.routeTo(IpAddress.parse('198.51.100.1'))).toBeUndefined();
    expect(driver.routeTo(IpAddress.parse('2001:db8:3::1'))?.hops[0]?.gateway?.toString()).toBe(
      '2001:db8::3',
    );
    expect(driver.link('u0')?.running).toBe(true);
    expect(driver.link('u9')).toBeUndefined();
  });

  test('puts a veth peer into another namespace, and options of its port, in one batch', () => {
    using other = testNetns();
    using there = closing(openRouteDriver({ netns: other.netns }));
    reconcile(two);
    const peer = { name: 'eth0', mac: Mac.parse('02:00:00:00:0e:01'), mtu: 1450, netns: other.netns };
    const results = driver.apply([
      {
        kind: 'link-add',
        link: { name: 'veth9', detail: { kind: 'veth', peer }, mtu: 1450, up: true, master: 'cni0' },
      },
      { kind: 'port-set', port: { link: 'veth9', hairpin: true } },
    ]);
    expect(failures(results)).toEqual([]);
    expect(there.driver.link('eth0')).toMatchObject({ mtu: 1450, up: false, mac: peer.mac });
    expect(driver.read().ports.get('veth9')).toMatchObject({ hairpin: true, isolated: false });
  });

  test('makes TUN devices', () => {
    const desired = routeState({
      links: [{ name: 'tun0', detail: { kind: 'tun' }, mtu: 1400, up: true }],
      addresses: [{ link: 'tun0', prefix: Prefix.parse('10.1.0.0/32') }],
    });
    expect(failures(driver.apply(planRoute(desired, driver.read(), scope)))).toEqual([]);
    expect(planRoute(desired, driver.read(), scope)).toEqual([]);
    expect(printed('ip -d link show tun0')[2]).toMatch(/^tun type tun pi off vnet_hdr off persist on /);
  });

  test('makes an IFB device with a queue of its own, and changes it while it lives', () => {
    const name = 'a bridge that takes in all frames, an IFB device with a queue of its own';
    reconcile(name);
    expect(printed('ip -d link show ifb1').slice(0, 3).join(' ')).toMatch(
      /ifb1: <BROADCAST,NOARP,UP,LOWER_UP> mtu 1500 .* qlen 64 link\/ether 02:00:00:00:00:f1 .* ifb /,
    );
    expect(printed('ip link show cni0')[0]).toContain('BROADCAST,MULTICAST,PROMISC,UP');
    const { index } = driver.link('ifb1') ?? {};
    const longer: Link = { name: 'ifb1', detail: { kind: 'ifb' }, txQueueLength: 500 };
    const steps = planRoute(routeState({ links: [longer] }), driver.read(), { ...scope, links: new Set() });
    expect(steps.map(routeStepText)).toEqual(['ip link set ifb1 txqueuelen 500']);
    expect(failures(driver.apply(steps))).toEqual([]);
    expect(driver.link('ifb1')).toMatchObject({ txQueueLength: 500, index });
  });

  test('of two routes of one destination only the first counts: a foreign one before ours is replaced', () => {
    reconcile(hostGateway);
    execFileSync('ip', [
      '-n',
      place.name,
      'route',
      'prepend',
      '10.1.2.0/24',
      'via',
      '192.0.2.99',
      'proto',
      'static',
    ]);
    expect(printed('ip route show 10.1.2.0/24')).toEqual([
      '10.1.2.0/24 via 192.0.2.99 dev u0 proto static',
      '10.1.2.0/24 via 192.0.2.2 dev u0 proto 78',
    ]);
    reconcile(hostGateway);
    expect(printed('ip route show 10.1.2.0/24')).toEqual(['10.1.2.0/24 via 192.0.2.2 dev u0 proto 78']);
  });
});

const supportsVlans = probeVlans();

/** Kernels without CONFIG_BRIDGE_VLAN_FILTERING refuse such a bridge. */
function probeVlans(): boolean {
  using probed = testNetns();
  using opened = closing(openRouteDriver({ netns: probed.netns }));
  return opened.driver.apply(vlanSurroundings).every(({ error }) => error === undefined);
}

describe('VLANs of bridge ports', () => {
  (supportsVlans ? test.skip : test)('a kernel that has none says so', () => {
    expect(failures(driver.apply(vlanSurroundings.slice(0, 1)))).toEqual([
      'Cannot add link "cni0 up type bridge vlan_filtering 1": operation not supported on socket (EOPNOTSUPP): this kernel has no bridge with VLAN filtering',
    ]);
    reconcile(two);
    expect(driver.portVlans('veth1')).toEqual([]);
  });

  const onSuch = (name: string, body: () => void): void => {
    if (supportsVlans) test(name, body);
    else test.skip(`${name}: this kernel has no bridges with VLAN filtering`, body);
  };

  onSuch('of a port and of the bridge itself, from any state to any', () => {
    expect(failures(driver.apply(vlanSurroundings))).toEqual([]);
    for (const port of [
      { link: 'veth1', self: false },
      { link: 'cni0', self: true },
    ]) {
      expect(driver.portVlans(port.link)).toEqual(vlanStates[1]?.vlans);
      for (const from of vlanStates) {
        for (const { vlans } of [from, ...vlanStates]) {
          const steps = planVlans(vlans, driver.portVlans(port.link), port);
          expect(failures(driver.apply(steps))).toEqual([]);
          expect(driver.portVlans(port.link)).toEqual(vlans);
          expect(failures(driver.apply(planVlans(from.vlans, vlans, port)))).toEqual([]);
        }
      }
    }
    expect(driver.portVlans('u0')).toEqual([]);
    expect(driver.portVlans('nope')).toEqual([]);
  });

  onSuch('are done by the commands that a plan prints', () => {
    for (const step of vlanSurroundings) run(routeStepText(step));
    for (const { vlans } of vlanStates) {
      for (const port of [
        { link: 'veth1', self: false },
        { link: 'cni0', self: true },
      ]) {
        for (const step of planVlans(vlans, driver.portVlans(port.link), port)) run(routeStepText(step));
        expect(driver.portVlans(port.link)).toEqual(vlans);
      }
    }
  });

  onSuch('count or not, as the bridge is told while it lives', () => {
    expect(failures(driver.apply(vlanSurroundings))).toEqual([]);
    const index = driver.link('cni0')?.index;
    for (const vlanFiltering of [false, true]) {
      const desired = routeState({ links: [{ name: 'cni0', detail: { kind: 'bridge', vlanFiltering } }] });
      const steps = planRoute(desired, driver.read(), { ...scope, links: new Set(['cni0']) });
      expect(steps.map(routeStepText)).toEqual([
        `ip link set cni0 type bridge vlan_filtering ${vlanFiltering ? 1 : 0}`,
      ]);
      expect(failures(driver.apply(steps))).toEqual([]);
      expect(driver.link('cni0')).toMatchObject({ index, detail: { kind: 'bridge', vlanFiltering } });
    }
  });
});

describe('routes of a pod', () => {
  const destination = (family: 4 | 6, last: number) =>
    Prefix.parse(family === 4 ? `10.9.${last}.0/24` : `2001:db8:9:${last}::/64`);
  const gateway = { 4: IpAddress.parse('192.0.2.9'), 6: IpAddress.parse('2001:db8::9') };

  /** What a CNI configuration can ask for, each alone and all together; with a gateway and without. */
  const routesOf = (family: 4 | 6): readonly Route[] =>
    [{ link: 'u0' }, { link: 'u0', gateway: gateway[family] }]
      .flatMap((hop) => {
        const all = { mtu: 1400, advmss: 1340, priority: 50, table: 500 };
        return [{ mtu: 1400 }, { advmss: 1340 }, { priority: 50 }, { table: 500 }, all].map((more) => ({
          hops: [hop],
          ...more,
        }));
      })
      .map((options, last) => ({
        destination: destination(family, last),
        table: 254,
        priority: family === 4 ? 0 : 1024,
        protocol: 3,
        type: 'unicast',
        ...options,
      }));

  test.each([4, 6] as const)('are read as they were written: IPv%d', (family) => {
    const desired = routeState({ routes: routesOf(family) });
    expect(desired.routes.size).toBe(10);
    const bare = { ...scope, protocol: 3 };
    expect(failures(driver.apply(planRoute(desired, driver.read(), bare)))).toEqual([]);
    const actual = driver.read();
    expect(planRoute(desired, actual, bare).map(routeStepText)).toEqual([]);
    for (const [key, { mtu = 0, advmss = 0 }] of desired.routes)
      expect(actual.routes.get(key)).toMatchObject({ mtu, advmss });
    const shown = printed(`ip ${family === 4 ? '-4' : '-6'} route show table 500`);
    expect(shown.map((line) => line.replace(' pref medium', ''))).toEqual(
      family === 4
        ? [
            '10.9.3.0/24 dev u0 scope link',
            '10.9.4.0/24 dev u0 scope link metric 50 mtu 1400 advmss 1340',
            '10.9.8.0/24 via 192.0.2.9 dev u0',
            '10.9.9.0/24 via 192.0.2.9 dev u0 metric 50 mtu 1400 advmss 1340',
          ]
        : [
            '2001:db8:9:3::/64 dev u0 metric 1024',
            '2001:db8:9:4::/64 dev u0 metric 50 mtu 1400 advmss 1340',
            '2001:db8:9:8::/64 via 2001:db8::9 dev u0 metric 1024',
            '2001:db8:9:9::/64 via 2001:db8::9 dev u0 metric 50 mtu 1400 advmss 1340',
          ],
    );
    expect(failures(driver.apply(planRoute(routeState({}), actual, bare)))).toEqual([]);
    expect(printed(`ip -${family} route show table all proto boot`)).toEqual([]);
  });

  test('of IPv4 have the scope that was asked for, and without one that of their hop', () => {
    const [first] = routesOf(4);
    if (first === undefined) throw new TypeError('Cannot make a route');
    for (const scopeWanted of ['global', 'link', 'host', undefined] as const) {
      const route: Route = { ...first, scope: scopeWanted };
      expect(failures(driver.apply([{ kind: 'route-set', route }]))).toEqual([]);
      expect(driver.read().routes.get(routeKey(route))?.scope).toBe(scopeWanted ?? 'link');
      expect(failures(driver.apply([{ kind: 'route-delete', route }]))).toEqual([]);
    }
  });

  test('of IPv6 have no scope, whatever was asked for', () => {
    const [first] = routesOf(6);
    if (first === undefined) throw new TypeError('Cannot make a route');
    const desired = routeState({ routes: [{ ...first, scope: 'link' }] });
    expect(failures(driver.apply(planRoute(desired, driver.read(), scope)))).toEqual([]);
    expect(planRoute(desired, driver.read(), scope).map(routeStepText)).toEqual([]);
  });
});

describe('what iproute2 prints', () => {
  test('of the VXLAN objects is what it prints of flannel', () => {
    reconcile(two);
    expect(printed('ip -d link show flannel.1')[2]).toMatch(
      /^vxlan id 1 local 192.0.2.1 dev u0 srcport 0 0 dstport 8472 nolearning ttl auto ageing 300 udpcsum noudp6zerocsumtx noudp6zerocsumrx /,
    );
    expect(printed('ip -4 addr show dev flannel.1')[1]).toBe('inet 10.1.0.0/32 scope global flannel.1');
    expect(printed('ip route show dev flannel.1')).toEqual([
      '10.1.2.0/24 via 10.1.2.0 proto 78 onlink',
      '10.1.3.0/24 via 10.1.3.0 proto 78 onlink',
    ]);
    expect(printed('ip neigh show dev flannel.1').toSorted()).toEqual([
      '10.1.2.0 lladdr 02:00:00:00:00:12 PERMANENT',
      '10.1.3.0 lladdr 02:00:00:00:00:13 PERMANENT',
    ]);
    expect(printed('bridge fdb show dev flannel.1').toSorted()).toEqual([
      '02:00:00:00:00:12 dst 192.0.2.2 self permanent',
      '02:00:00:00:00:13 dst 192.0.2.3 self permanent',
    ]);
  });

  test('of host-gw routes', () => {
    reconcile(hostGateway);
    expect(printed('ip route show proto 78')).toEqual([
      '10.1.2.0/24 via 192.0.2.2 dev u0',
      '10.1.3.0/24 via 192.0.2.3 dev u0 mtu 1400 advmss 1360',
      '10.1.4.0/24',
      'nexthop via 192.0.2.4 dev u0 weight 3',
      'nexthop via 192.0.2.5 dev u0 weight 1',
      '10.1.5.0/24 via 10.200.0.1 dev u0 src 192.0.2.1 metric 20',
      '10.200.0.0/24 dev u0 scope link',
    ]);
    expect(printed('ip -6 route show proto 78')).toEqual([
      '2001:db8:3::/64 via 2001:db8::3 dev u0 metric 1024 mtu 1400 pref medium',
      'unreachable 2001:db8:4::/64 dev lo metric 1024 pref medium',
    ]);
  });

  test('is done by the commands that a plan prints', () => {
    const { desired, shown } = stateOf(two);
    for (const step of planRoute(desired, driver.read(), scope)) {
      run(routeStepText(step));
    }
    expect(show(driver)).toEqual(shown);
    expect(planRoute(desired, driver.read(), scope).map(routeStepText)).toEqual([]);
  });
});

/**
 * A state as lines, so that two readings can be compared whatever the order of equal keys; without what the kernel does in its
 * own time: carrier, and addresses, routes and neighbours of IPv6 link-local and multicast.
 */
function lines(state: RouteState): readonly string[] {
  return [
    ...[...state.links.values()].map((link) => `${linkText(link)} ${link.index}`),
    ...[...state.ports.values()].map(portText),
    ...[...state.addresses.values()].filter(({ prefix }) => !prefix.address.isLinkLocal).map(addressText),
    ...[...state.neighbours.values()].filter((each) => each.state === 'permanent').map(neighbourText),
    ...[...state.fdb.values()].map(fdbText),
    ...[...state.routes.values()]
      .filter(({ destination: { address } }) => !address.isLinkLocal && !address.isMulticast)
      .map(routeText),
    ...[...state.rules.values()].map(ruleText),
  ].toSorted();
}

describe('the mirror', () => {
  test('is as the kernel after every change, without reading it all again', async () => {
    using mirror = new RouteMirror({ netns: place.netns });
    const same = async (): Promise<void> => {
      // Of a new IPv6 address the kernel tells from a work queue: a moment later.
      for (let i = 0; i < 100 && !isDeepStrictEqual(lines(mirror.state()), lines(driver.read())); i++)
        await setTimeout(10);
      expect(lines(mirror.state())).toEqual(lines(driver.read()));
    };
    await same();
    for (const { name, desired } of [...states, ...states.toReversed()]) {
      driver.apply(planRoute(desired, mirror.state(), scope));
      await same();
      expect(planRoute(desired, mirror.state(), scope).map(routeStepText)).toEqual([]);
      for (const { to, steps } of disturbances) {
        if (to !== name) continue;
        driver.apply(steps);
        await same();
        driver.apply(planRoute(desired, mirror.state(), scope));
        await same();
      }
    }
  });

  test('keeps its snapshots as they were', () => {
    using mirror = new RouteMirror({ netns: place.netns });
    const before = mirror.state();
    const seen = lines(before);
    reconcile(two);
    expect(lines(before)).toEqual(seen);
    expect(mirror.state().links.has('flannel.1')).toBe(true);
  });

  test('follows a link to its new name', () => {
    using mirror = new RouteMirror({ netns: place.netns });
    expect(mirror.state().links.has('u1')).toBe(true);
    // Kernels before 6.2 rename no link that is up.
    run('ip link set u1 down');
    run('ip link set u1 name renamed');
    expect(mirror.state().links.has('u1')).toBe(false);
    expect(lines(mirror.state())).toEqual(lines(driver.read()));
  });
});

describe('the watch', () => {
  const poller = new Poller();
  afterAll(() => poller.close());

  test('tells of each kind of object', async () => {
    const seen: string[] = [];
    using watch = watchRoutes({
      netns: place.netns,
      poller,
      onChange: (change) => seen.push(told(change)),
    });
    reconcile(two);
    for (let i = 0; i < 100 && !seen.includes('route new'); i++) await setTimeout(10);
    expect(seen).toContain('route new');
    watch.drain();
    reconcile('nothing');
    watch.drain();
    expect(new Set(seen)).toEqual(
      new Set(
        ['link', 'port', 'address', 'route', 'neighbour', 'fdb', 'rule'].flatMap((kind) => [
          `${kind} new`,
          `${kind} delete`,
        ]),
      ),
    );
  });

  test('says when something was lost, and goes on', () => {
    const seen: string[] = [];
    using watch = watchRoutes({
      netns: place.netns,
      receiveBuffer: 4096,
      onChange: (change) => seen.push(told(change)),
    });
    const peers = Array.from({ length: 300 }, (_, i) => IpAddress.parse('10.0.0.0').plus(i));
    driver.apply(
      peers.map((address) => ({
        kind: 'neighbour-set',
        neighbour: { link: 'u0', address, mac: Mac.parse('02:00:00:00:00:01'), state: 'permanent' },
      })),
    );
    watch.drain();
    expect(seen.filter((text) => text === 'overrun')).toHaveLength(1);
    seen.length = 0;
    driver.apply([{ kind: 'link-delete', link: { name: 'u1', detail: { kind: 'veth' } } }]);
    watch.drain();
    expect(seen.length).toBeGreaterThan(0);
  });
});

function told(change: RouteChange): string {
  return change.kind === 'overrun' ? 'overrun' : `${change.kind} ${change.op}`;
}

function closing(opened: RouteAccess): Disposable & { readonly driver: RouteAccess } {
  return { driver: opened, [Symbol.dispose]: () => opened.close() };
}
