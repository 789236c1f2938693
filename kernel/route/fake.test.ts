import { describe, expect, test } from '@jest/globals';
import fc from 'fast-check';
import { IpAddress } from '../../net/address.ts';
import { Prefix } from '../../net/prefix.ts';
import {
  disturbances,
  refusals,
  scope,
  show,
  states,
  surroundings,
  vlanStates,
  vlanSurroundings,
} from './driver-cases.ts';
import { createFakeRouteDriver, type FakeRouteDriver } from './fake.ts';
import { routeState } from './objects.ts';
import { planRoute } from './plan.ts';
import { planVlans } from './plan-vlans.ts';
import type { RouteDriver } from './step.ts';
import { routeStepText } from './text.ts';

function prepared(): FakeRouteDriver {
  const driver = createFakeRouteDriver();
  expect(failures(driver.apply(surroundings))).toEqual([]);
  return driver;
}

function failures(results: ReturnType<RouteDriver['apply']>): readonly (string | undefined)[] {
  return results.flatMap(({ error }) => (error === undefined ? [] : [error.message]));
}

function reconcile(driver: RouteDriver, name: string): void {
  const state = stateOf(name);
  expect(failures(driver.apply(planRoute(state.desired, driver.read(), scope)))).toEqual([]);
  expect(show(driver)).toEqual(state.shown);
  expect(planRoute(state.desired, driver.read(), scope).map(routeStepText)).toEqual([]);
}

function stateOf(name: string): (typeof states)[number] {
  const state = states.find((each) => each.name === name);
  if (state === undefined) throw new TypeError(`Cannot find state "${name}"`);
  return state;
}

describe('the fake kernel', () => {
  test.each(states.map(({ name }) => name))('from nothing: %s', (name) => {
    reconcile(prepared(), name);
  });

  test.each(states.flatMap((from) => states.map((to) => [from.name, to.name] as const)))(
    'from "%s" to "%s"',
    (from, to) => {
      const driver = prepared();
      reconcile(driver, from);
      reconcile(driver, to);
    },
  );

  test.each(disturbances)('heals: $name', ({ to, steps, lost, instead = [] }) => {
    const driver = prepared();
    reconcile(driver, to);
    const before = show(driver);
    expect(failures(driver.apply(steps))).toEqual([]);
    const left = before.filter((line) => !lost.includes(line));
    expect(show(driver).toSorted()).toEqual([...left, ...instead].toSorted());
    expect(left.length).toBe(before.length - lost.length);
    reconcile(driver, to);
  });

  test.each(refusals)('answers to $name', ({ step, error }) => {
    const [result] = prepared().apply([step]);
    expect(result?.error?.message).toBe(error);
  });

  test.each(vlanStates)('VLANs of a port and of a bridge, from any to $name', ({ vlans: wanted }) => {
    for (const { vlans: before } of vlanStates) {
      const driver = prepared();
      expect(failures(driver.apply(vlanSurroundings))).toEqual([]);
      for (const place of [
        { link: 'veth1', self: false },
        { link: 'cni0', self: true },
      ]) {
        expect(driver.portVlans(place.link)).toEqual(vlanStates[1]?.vlans);
        driver.apply(planVlans(before, driver.portVlans(place.link), place));
        expect(failures(driver.apply(planVlans(wanted, before, place)))).toEqual([]);
        expect(driver.portVlans(place.link)).toEqual(wanted);
      }
    }
    expect(prepared().portVlans('u0')).toEqual([]);
  });

  test('names a kind of link that the kernel does not have', () => {
    const driver = createFakeRouteDriver(routeState({}), { missingKinds: ['dummy'] });
    const [result] = driver.apply([{ kind: 'link-add', link: { name: 'd0', detail: { kind: 'dummy' } } }]);
    expect(result?.error?.message).toBe(
      'Cannot add link "d0 type dummy": operation not supported on socket (EOPNOTSUPP): this kernel has no dummy',
    );
  });

  test('fails the steps that it is told to, and goes on with the others', () => {
    const driver = prepared();
    const stop = driver.fail((step) => step.kind === 'neighbour-set', 'EPERM');
    const { desired } = stateOf('vxlan with two peers, a bridge and a pod');
    expect(failures(driver.apply(planRoute(desired, driver.read(), scope)))).toEqual([
      'Cannot set neighbour "10.1.2.0 lladdr 02:00:00:00:00:12 dev flannel.1 nud permanent": operation not permitted (EPERM): the capability CAP_NET_ADMIN is needed',
      'Cannot set neighbour "10.1.3.0 lladdr 02:00:00:00:00:13 dev flannel.1 nud permanent": operation not permitted (EPERM): the capability CAP_NET_ADMIN is needed',
    ]);
    stop();
    expect(planRoute(desired, driver.read(), scope).map(routeStepText)).toEqual([
      'ip neigh replace 10.1.2.0 lladdr 02:00:00:00:00:12 dev flannel.1 nud permanent',
      'ip neigh replace 10.1.3.0 lladdr 02:00:00:00:00:13 dev flannel.1 nud permanent',
    ]);
  });

  test('knows the way to an address', () => {
    const driver = prepared();
    reconcile(driver, 'host-gw in both families, metrics, multipath, routes that lead nowhere');
    const way = driver.routeTo(IpAddress.parse('10.1.3.7'));
    expect(way?.hops).toEqual([{ gateway: IpAddress.parse('192.0.2.3'), link: 'u0' }]);
    expect(way?.source?.toString()).toBe('192.0.2.1');
    expect(driver.routeTo(IpAddress.parse('198.51.100.1'))).toBeUndefined();
    expect(driver.link('u0')?.up).toBe(true);
    expect(driver.link('u9')).toBeUndefined();
  });

  test('deletes a VXLAN device with its underlay, and a veth with its peer', () => {
    const driver = prepared();
    reconcile(driver, 'a peer with another MAC and VTEP, a smaller MTU');
    driver.apply([{ kind: 'link-delete', link: { name: 'u1', detail: { kind: 'veth' } } }]);
    expect([...driver.read().links.keys()]).toEqual(['lo']);
    expect(show(driver)).toEqual([]);
  });
});

describe('a plan', () => {
  test('for any sequence of states and disturbances leads to the last state', () => {
    const names = states.map(({ name }) => name);
    const happenings = fc.array(
      fc.oneof(
        fc.constantFrom(...names).map((name) => ({ name, steps: undefined })),
        fc.constantFrom(...disturbances).map(({ name, steps }) => ({ name, steps })),
      ),
      { maxLength: 8 },
    );
    fc.assert(
      fc.property(happenings, fc.constantFrom(...names), (sequence, last) => {
        const driver = prepared();
        for (const { name, steps } of sequence) {
          // Some do not apply to the state of the moment: what can be done is done.
          driver.apply(steps ?? planRoute(stateOf(name).desired, driver.read(), scope));
        }
        const { desired, shown } = stateOf(last);
        expect(failures(driver.apply(planRoute(desired, driver.read(), scope)))).toEqual([]);
        // Foreign routes that were put where we want none stay.
        expect(show(driver).filter((line) => !line.includes('proto static'))).toEqual(shown);
        expect(planRoute(desired, driver.read(), scope).map(routeStepText)).toEqual([]);
      }),
      { numRuns: 60 },
    );
  });

  test('is empty for two equal states', () => {
    for (const { desired } of states) expect(planRoute(desired, desired, scope)).toEqual([]);
  });

  test('leaves what is not ours alone', () => {
    const driver = prepared();
    const foreign = {
      destination: Prefix.parse('10.50.0.0/24'),
      table: 254,
      priority: 0,
      type: 'unicast',
    } as const;
    driver.apply([
      { kind: 'link-add', link: { name: 'docker0', detail: { kind: 'bridge' }, up: true } },
      { kind: 'address-add', address: { link: 'docker0', prefix: Prefix.parse('172.17.0.1/16') } },
      { kind: 'route-set', route: { ...foreign, protocol: 4, hops: [{ link: 'u0' }] } },
      { kind: 'route-set', route: { ...foreign, protocol: 78, priority: 9, hops: [{ link: 'u0' }] } },
    ]);
    const nothing = routeState({});
    expect(planRoute(nothing, driver.read(), scope).map(routeStepText)).toEqual([
      'ip route delete 10.50.0.0/24 dev u0 proto 78 scope link metric 9',
    ]);
  });
});
