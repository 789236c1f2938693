import { expect, test } from '@jest/globals';
import { createFakeRouteDriver, type FakeRouteDriver } from '../kernel/route/fake.ts';
import { routeStepText } from '../kernel/route/text.ts';
import { WireguardKey } from '../net/wireguard-key.ts';
import { advertise } from './backend/choose-backend.ts';
import type { Carrier } from './carrier/carrier.ts';
import { hashedMac } from './device-macs.ts';
import { makeDevicesFirst } from './devices-first.ts';
import { routeLookup } from './route-lookup.ts';
import { sampleConfig, sampleLease, sampleMachine, sampleUnderlay } from './sample-cluster.ts';

interface Made {
  readonly steps: readonly string[];
  /** Links that carriers were told of. */
  readonly carried: readonly string[];
}

async function makeFirst(driver: FakeRouteDriver, backend = { Type: 'vxlan' }): Promise<Made> {
  const actual = driver.read();
  const config = sampleConfig({ backend });
  const underlay = sampleUnderlay();
  const advertisement = advertise({
    config,
    underlay,
    macs: (link) => hashedMac('node-1', link),
    wireguardKey: () => WireguardKey.parse('yAnz5TF+lXXJte14tji3zlMNq+hd2rYUIgJBgB3fBmk='),
  });
  const carried: string[] = [];
  const carrier: Carrier = {
    async ensure({ devices }) {
      carried.push(...devices.flatMap((each) => ('link' in each ? [each.link] : [])));
      return { changes: [], failed: new Map() };
    },
    changed: () => false,
    close: async () => {},
  };
  const steps = await makeDevicesFirst(
    { route: { read: () => driver.read(), apply: (all) => driver.apply(all) }, carrier },
    {
      config,
      own: { ...sampleLease({ number: 1, backend: 'host-gw' }), ...advertisement },
      underlay,
      routeTo: routeLookup(actual),
      actual,
      signal: new AbortController().signal,
    },
  );
  return { steps: steps.map(routeStepText), carried };
}

test('makes the devices that are missing and their addresses, and nothing that leads through them', async () => {
  const driver = createFakeRouteDriver(sampleMachine());
  expect(await makeFirst(driver)).toEqual({
    carried: [],
    steps: [
      `ip link add flannel.1 address ${hashedMac('node-1', 'flannel.1')} mtu 1450 up type vxlan id 1 local 192.0.2.1 dev eth0 dstport 8472 nolearning && ip link set flannel.1 alias "netloom"`,
      'ip address add 10.244.1.0/32 dev flannel.1',
    ],
  });
  expect(await makeFirst(driver)).toEqual({ carried: [], steps: [] });
});

test('leaves alone what is there, whatever it is', async () => {
  const link = { name: 'flannel.1', detail: { kind: 'dummy' }, mtu: 1500, up: false } as const;
  const driver = createFakeRouteDriver(sampleMachine({ links: [link] }));
  expect(await makeFirst(driver)).toEqual({ carried: [], steps: [] });
});

test('what carries the packets of a device begins with it, and is not begun anew', async () => {
  const driver = createFakeRouteDriver(sampleMachine());
  const wireguard = { Type: 'wireguard' };
  expect((await makeFirst(driver, wireguard)).carried).toEqual(['flannel-wg']);
  expect(await makeFirst(driver, wireguard)).toEqual({ carried: [], steps: [] });
});
