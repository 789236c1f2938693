import { expect, test } from '@jest/globals';
import { type RouteObjects, routeState } from '../../kernel/route/objects.ts';
import { IpAddress } from '../../net/address.ts';
import { Mac } from '../../net/mac.ts';
import { Prefix } from '../../net/prefix.ts';
import { podMac } from './attachment.ts';
import { type PodCheckInput, podProblems } from './pod-check.ts';
import { defaultDestination } from './pod-plan.ts';

const attachment = { network: 'cbr0', containerId: 'abc', ifname: 'eth0' };
const address = Prefix.parse('10.0.0.2/24');
const gateway = IpAddress.parse('10.0.0.1');
const mac = podMac(attachment);
const route = { destination: defaultDestination(4), gateway };
const input: PodCheckInput = {
  attachment,
  bridge: 'cni0',
  reserved: [address.address],
  expected: { addresses: [address], routes: [route] },
};
const whole = {
  links: [{ name: 'eth0', detail: { kind: 'veth' }, mac, up: true }],
  addresses: [{ link: 'eth0', prefix: address }],
  routes: [
    {
      destination: route.destination,
      table: 254,
      priority: 0,
      protocol: 3,
      type: 'unicast',
      hops: [{ gateway, link: 'eth0' }],
    },
  ],
} as const satisfies RouteObjects;
const [link] = whole.links;
const other = Mac.parse('02:00:00:00:00:01');

test.each<[string, RouteObjects, Partial<PodCheckInput>, readonly string[]]>([
  ['as ADD left it', whole, {}, []],
  ['another route beside it', { ...whole, links: [link, { ...link, name: 'eth1' }] }, {}, []],
  ['no interface', { ...whole, links: [] }, {}, ['interface "eth0" is missing in the pod']],
  ['down', { ...whole, links: [{ ...link, up: false }] }, {}, ['interface "eth0" is down']],
  [
    'another MAC',
    { ...whole, links: [{ ...link, mac: other }] },
    {},
    [`interface "eth0" has MAC address 02:00:00:00:00:01, not ${mac}`],
  ],
  [
    'another MAC that the result knows of',
    { ...whole, links: [{ ...link, mac: other }] },
    { expected: { ...input.expected, mac: other } },
    [],
  ],
  ['no address', { ...whole, addresses: [] }, {}, ['address 10.0.0.2/24 is missing on "eth0"']],
  [
    'its address elsewhere',
    { ...whole, addresses: [{ link: 'lo', prefix: address }] },
    {},
    ['address 10.0.0.2/24 is missing on "eth0"'],
  ],
  ['no route', { ...whole, routes: [] }, {}, ['the route to 0.0.0.0/0 via 10.0.0.1 is missing']],
  ['nothing reserved', whole, { reserved: [] }, ['no address is reserved for it']],
  [
    'another address reserved',
    whole,
    { reserved: [IpAddress.parse('10.0.0.3')] },
    ['address 10.0.0.3 is reserved for it, but the result does not have it'],
  ],
])('%s', (_, objects, changed, problems) => {
  expect(podProblems({ ...input, ...changed }, routeState(objects))).toEqual(problems);
});
