import { expect, test } from '@jest/globals';
import { createFakeRouteDriver } from '../kernel/route/fake.ts';
import type { RouteStep } from '../kernel/route/step.ts';
import { routeStepText } from '../kernel/route/text.ts';
import { advertise } from './backend/choose-backend.ts';
import { hashedMac } from './device-macs.ts';
import { makeDevicesFirst } from './devices-first.ts';
import { routeLookup } from './route-lookup.ts';
import { sampleConfig, sampleLease, sampleMachine, sampleUnderlay } from './sample-cluster.ts';

function makeFirst(driver: ReturnType<typeof createFakeRouteDriver>): readonly RouteStep[] {
  const actual = driver.read();
  const config = sampleConfig({});
  const underlay = sampleUnderlay();
  const advertisement = advertise({
    config,
    underlay,
    macs: (link) => hashedMac('node-1', link),
    wireguardKey: () => {
      throw new Error('not asked for');
    },
  });
  return makeDevicesFirst(
    { read: () => driver.read(), apply: (steps) => driver.apply(steps) },
    {
      config,
      own: { ...sampleLease({ number: 1, backend: 'host-gw' }), ...advertisement },
      underlay,
      routeTo: routeLookup(actual),
      actual,
    },
  );
}

test('makes the devices that are missing and their addresses, and nothing that leads through them', () => {
  const driver = createFakeRouteDriver(sampleMachine());
  expect(makeFirst(driver).map(routeStepText)).toEqual([
    `ip link add flannel.1 address ${hashedMac('node-1', 'flannel.1')} mtu 1450 up type vxlan id 1 local 192.0.2.1 dev eth0 dstport 8472 nolearning && ip link set flannel.1 alias "netloom"`,
    'ip address add 10.244.1.0/32 dev flannel.1',
  ]);
  expect(makeFirst(driver)).toEqual([]);
});

test('leaves alone what is there, whatever it is', () => {
  const link = { name: 'flannel.1', detail: { kind: 'dummy' }, mtu: 1500, up: false } as const;
  const driver = createFakeRouteDriver(sampleMachine({ links: [link] }));
  expect(makeFirst(driver)).toEqual([]);
});
