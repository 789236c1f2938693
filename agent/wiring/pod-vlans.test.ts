import { expect, test } from '@jest/globals';
import { Netns } from '../../kernel/netns.ts';
import { createFakeRouteDriver } from '../../kernel/route/fake.ts';
import { routeStepText } from '../../kernel/route/text.ts';
import type { PortWish } from './pod-plan.ts';
import { vlanGateway, vlanSteps } from './pod-vlans.ts';

const port: PortWish = {
  hairpin: false,
  isolated: false,
  vlan: undefined,
  vlanTrunk: [],
  preserveDefaultVlan: true,
};

test.each<[string, Partial<PortWish>, readonly string[]]>([
  ['none', {}, []],
  ['one', { vlan: 10 }, ['bridge vlan add dev veth1 vid 10 pvid untagged']],
  [
    'one, and not the kernel’s own',
    { vlan: 10, preserveDefaultVlan: false },
    ['bridge vlan delete dev veth1 vid 1 pvid untagged', 'bridge vlan add dev veth1 vid 10 pvid untagged'],
  ],
  [
    'the kernel’s own',
    { vlan: 1, preserveDefaultVlan: false },
    ['bridge vlan add dev veth1 vid 1 pvid untagged'],
  ],
  [
    'a trunk',
    {
      vlanTrunk: [
        { first: 10, last: 12 },
        { first: 20, last: 20 },
      ],
      preserveDefaultVlan: false,
    },
    [
      'bridge vlan delete dev veth1 vid 1 pvid untagged',
      'bridge vlan add dev veth1 vid 10-12',
      'bridge vlan add dev veth1 vid 20',
    ],
  ],
])('%s', (_what, wish, expected) => {
  expect(vlanSteps({ hostLink: 'veth1', port: { ...port, ...wish } }).map(routeStepText)).toEqual(expected);
});

test('a name that is too long for a gateway is refused before anything is made', () => {
  const route = createFakeRouteDriver();
  const bridge = { name: 'a-long-bridge', detail: { kind: 'bridge' } } as const;
  using netns = Netns.current();
  expect(() => vlanGateway(bridge, { vlan: 4094, host: { route, netns } })).toThrow(
    /"a-long-bridge.4094".*too long/,
  );
  expect([...route.read().links.keys()]).toEqual(['lo']);
});
