import { expect, test } from '@jest/globals';
import { routeState } from '../../kernel/route/objects.ts';
import { planRoute } from '../../kernel/route/plan.ts';
import { routeStepText } from '../../kernel/route/text.ts';
import { IpAddress } from '../../net/address.ts';
import { Prefix } from '../../net/prefix.ts';
import { peerRoute } from '../backend/peer-route.ts';
import { flannelRoutes } from './flannel-routes.ts';

function route(
  subnet: string,
  more: { gateway?: string; link?: string; onlink?: boolean; protocol?: number } = {},
) {
  const destination = Prefix.parse(subnet);
  const { gateway, link = 'flannel.1', onlink = true, protocol = 3 } = more;
  const through = gateway === undefined ? destination.first() : IpAddress.parse(gateway);
  return { ...peerRoute({ subnet: destination, gateway: through, link, onlink }), protocol };
}

const adopted = route('10.244.2.0/24');
const stale = route('10.244.9.0/24');
const others = [
  route('10.244.10.0/24', { gateway: '10.244.2.0' }),
  route('10.244.11.0/24', { gateway: '192.0.2.9', link: 'eth0', onlink: false }),
  route('10.244.12.0/24', { protocol: 4 }),
  route('10.244.13.0/24', { link: 'flannel.2' }),
];

test('of the routes on our device those of flannel’s form are taken over, or away', () => {
  const actual = routeState({ routes: [adopted, stale, ...others] });
  const desired = routeState({
    routes: [
      peerRoute({
        subnet: adopted.destination,
        gateway: adopted.destination.first(),
        link: 'flannel.1',
        onlink: true,
      }),
    ],
  });
  const none = new Set<string>();
  const steps = planRoute(desired, actual, {
    links: none,
    addressesOn: none,
    neighboursOn: none,
    fdbOn: none,
    protocol: 78,
    routes: flannelRoutes(actual.routes, ['flannel.1']),
  });
  expect(steps.map(routeStepText)).toEqual([
    'ip route replace 10.244.2.0/24 via 10.244.2.0 dev flannel.1 onlink proto 78',
    'ip route delete 10.244.9.0/24 via 10.244.9.0 dev flannel.1 onlink proto boot',
  ]);
});
