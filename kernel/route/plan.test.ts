import { describe, expect, test } from '@jest/globals';
import { IpAddress } from '../../net/address.ts';
import { Mac } from '../../net/mac.ts';
import { Prefix } from '../../net/prefix.ts';
import { scope, states } from './driver-cases.ts';
import {
  type FdbEntry,
  type Link,
  type Route,
  type RouteObjects,
  routeKey,
  routeKeyAt,
  routeState,
} from './objects.ts';
import { planRoute } from './plan.ts';
import { keyRoutes } from './plan-routes.ts';
import { routeStepText } from './text.ts';

const ip = IpAddress.parse;
const prefix = Prefix.parse;
const mac = Mac.parse('02:00:00:00:00:01');

function plan(desired: RouteObjects, actual: RouteObjects): readonly string[] {
  return planRoute(routeState(desired), routeState(actual), scope).map(routeStepText);
}

const vxlan: Link = {
  name: 'flannel.1',
  detail: { kind: 'vxlan', vni: 1, port: 8472, local: ip('192.0.2.1'), underlay: 'eth0', learning: false },
  up: true,
};
const eth0: Link = { name: 'eth0', detail: { kind: 'other', type: '' }, up: true };
const row: FdbEntry = { link: 'flannel.1', mac, remote: ip('192.0.2.2'), self: true, state: 'permanent' };

function route(gateway: string, protocol = 78): Route {
  return {
    destination: prefix('10.1.2.0/24'),
    table: 254,
    priority: 0,
    protocol,
    type: 'unicast',
    hops: [{ gateway: ip(gateway) }],
  };
}

describe('the order', () => {
  test('parents before children, neighbour and FDB row before route; deletions the other way round', () => {
    const full = states[1]?.desired ?? routeState({});
    const kinds = (steps: readonly { readonly kind: string }[]): readonly string[] => [
      ...new Set(steps.map(({ kind }) => kind)),
    ];
    const added = planRoute(full, routeState({ links: [eth0] }), scope);
    expect(kinds(added)).toEqual([
      'link-add',
      'port-set',
      'address-add',
      'rule-add',
      'neighbour-set',
      'fdb-set',
      'route-set',
    ]);
    expect(added.flatMap((step) => (step.kind === 'link-add' ? [step.link.name] : []))).toEqual([
      'flannel.1',
      'cni0',
      'veth1',
    ]);
    const kept = { ...scope, links: new Set<string>() };
    expect(kinds(planRoute(routeState({}), full, kept))).toEqual([
      'route-delete',
      'fdb-delete',
      'neighbour-delete',
      'rule-delete',
      'address-delete',
    ]);
  });

  test('a route that makes a gateway reachable comes before the route through it', () => {
    const direct: Route = {
      ...route('10.0.0.1'),
      destination: prefix('192.0.2.9/32'),
      hops: [{ link: 'eth0' }],
    };
    expect(plan({ routes: [route('192.0.2.9'), direct] }, {})).toEqual([
      'ip route replace 192.0.2.9 dev eth0 proto 78',
      'ip route replace 10.1.2.0/24 via 192.0.2.9 proto 78',
    ]);
    expect(plan({}, { routes: [direct, route('192.0.2.9')] })).toEqual([
      'ip route delete 10.1.2.0/24 via 192.0.2.9 proto 78',
      'ip route delete 192.0.2.9 dev eth0 proto 78',
    ]);
  });
});

describe('links', () => {
  test('a VXLAN device in the way of another of its VNI and port goes first', () => {
    const renamed: Link = { ...vxlan, name: 'tun0' };
    expect(plan({ links: [eth0, renamed] }, { links: [eth0, vxlan] })).toEqual([
      'ip link delete flannel.1',
      'ip link add tun0 up type vxlan id 1 local 192.0.2.1 dev eth0 dstport 8472 nolearning',
    ]);
  });

  test('a foreign link of our name is not deleted: adding ours will say that it is there', () => {
    const foreign: Link = { name: 'eth1', detail: { kind: 'bridge' } };
    const wanted: Link = { name: 'eth1', detail: { kind: 'dummy' } };
    expect(plan({ links: [wanted] }, { links: [foreign] })).toEqual(['ip link add eth1 type dummy']);
  });

  test('a device whose underlay is made anew needs no step to go with it', () => {
    const base: Link = { name: 'cni0', detail: { kind: 'bridge' } };
    const onBase: Link = {
      ...vxlan,
      detail: { kind: 'vxlan', vni: 1, port: 8472, underlay: 'cni0', learning: false },
    };
    expect(
      plan(
        { links: [onBase, { ...base, detail: { kind: 'dummy' } }], fdb: [row] },
        { links: [base, onBase], fdb: [row] },
      ),
    ).toEqual([
      'ip link delete cni0',
      'ip link add cni0 type dummy',
      'ip link add flannel.1 up type vxlan id 1 dev cni0 dstport 8472 nolearning',
      'bridge fdb replace 02:00:00:00:00:01 dev flannel.1 dst 192.0.2.2 self permanent',
    ]);
  });

  test('what a link that was down has lost is set again, even if an old reading shows it', () => {
    const neighbour = { link: 'flannel.1', address: ip('10.1.2.0'), mac, state: 'permanent' } as const;
    const objects: RouteObjects = { links: [vxlan], neighbours: [neighbour], fdb: [row] };
    expect(plan(objects, { ...objects, links: [{ ...vxlan, up: false }] })).toEqual([
      'ip link set flannel.1 up',
      'ip neigh replace 10.1.2.0 lladdr 02:00:00:00:00:01 dev flannel.1 nud permanent',
    ]);
  });
});

describe('FDB rows', () => {
  test('a MAC at another VTEP is one step, without a deletion that would hit the new row', () => {
    expect(
      plan({ links: [vxlan], fdb: [{ ...row, remote: ip('192.0.2.3') }] }, { links: [vxlan], fdb: [row] }),
    ).toEqual(['bridge fdb replace 02:00:00:00:00:01 dev flannel.1 dst 192.0.2.3 self permanent']);
  });

  test('of the all-zero MAC each remote is a row of its own', () => {
    const any = { ...row, mac: Mac.parse('00:00:00:00:00:00') };
    expect(
      plan({ links: [vxlan], fdb: [{ ...any, remote: ip('192.0.2.3') }] }, { links: [vxlan], fdb: [any] }),
    ).toEqual([
      'bridge fdb append 00:00:00:00:00:00 dev flannel.1 dst 192.0.2.3 self permanent',
      'bridge fdb delete 00:00:00:00:00:00 dev flannel.1 dst 192.0.2.2 self permanent',
    ]);
  });

  test('learned rows and rows of links that are not ours stay', () => {
    expect(
      plan(
        { links: [vxlan] },
        {
          links: [vxlan],
          fdb: [
            { ...row, state: 'reachable' },
            { ...row, link: 'eth0' },
          ],
        },
      ),
    ).toEqual([]);
  });
});

describe('routes', () => {
  const planned = (wanted: readonly Route[], actual: readonly Route[]): readonly string[] =>
    planRoute(routeState({ routes: wanted }), { ...routeState({}), routes: keyRoutes(actual) }, scope).map(
      routeStepText,
    );

  test('the wanted one behind a foreign one: the foreign one goes, so that ours is in force', () => {
    expect(planned([route('192.0.2.2')], [route('192.0.2.9', 4), route('192.0.2.2')])).toEqual([
      'ip route delete 10.1.2.0/24 via 192.0.2.9 proto static',
    ]);
  });

  test('a foreign one behind the wanted one stays, an old one of ours goes', () => {
    const three = [route('192.0.2.2'), route('192.0.2.9', 4), route('192.0.2.8')];
    expect(planned([route('192.0.2.2')], three)).toEqual([
      'ip route delete 10.1.2.0/24 via 192.0.2.8 proto 78',
    ]);
    expect([...keyRoutes(three).keys()]).toEqual(
      [1, 2, 3].map((place) => routeKeyAt(routeKey(three[0] ?? route('::')), place)),
    );
  });

  test('a scope counts for IPv4 only', () => {
    const wanted = { ...route('192.0.2.2'), scope: 'link' } as const;
    expect(planned([wanted], [{ ...wanted, scope: 'global' }])).toHaveLength(1);
    const six = { ...wanted, destination: prefix('2001:db8::/64'), hops: [{ link: 'eth0' }] };
    expect(planned([six], [{ ...six, scope: undefined }])).toEqual([]);
  });

  test('hops of a multipath route count in any order', () => {
    const many = (...gateways: readonly string[]): Route => ({
      ...route('192.0.2.2'),
      hops: gateways.map((gateway) => ({ gateway: ip(gateway), weight: 1 })),
    });
    expect(planned([many('192.0.2.2', '192.0.2.3')], [many('192.0.2.3', '192.0.2.2')])).toEqual([]);
    expect(planned([many('192.0.2.2', '192.0.2.2')], [many('192.0.2.3', '192.0.2.2')])).toHaveLength(1);
  });
});

describe('addresses', () => {
  const on = (link: string, text: string) => ({ link, prefix: prefix(text) });

  test('the new one first when both can stand beside each other', () => {
    expect(
      plan(
        { links: [vxlan], addresses: [on('flannel.1', '10.1.2.0/32')] },
        { links: [vxlan], addresses: [on('flannel.1', '10.1.0.0/32')] },
      ),
    ).toEqual(['ip address add 10.1.2.0/32 dev flannel.1', 'ip address delete 10.1.0.0/32 dev flannel.1']);
  });

  test('the old one first when the new one would be its secondary; routes that go with it are set again', () => {
    const bridge: Link = { name: 'cni0', detail: { kind: 'bridge' }, up: true };
    const via: Route = { ...route('10.1.0.9'), hops: [{ gateway: ip('10.1.0.9'), link: 'cni0' }] };
    expect(
      plan(
        { links: [bridge], addresses: [on('cni0', '10.1.0.5/24')], routes: [via] },
        { links: [bridge], addresses: [on('cni0', '10.1.0.1/24')], routes: [via] },
      ),
    ).toEqual([
      'ip address delete 10.1.0.1/24 dev cni0',
      'ip address add 10.1.0.5/24 dev cni0',
      'ip route replace 10.1.2.0/24 via 10.1.0.9 dev cni0 proto 78',
    ]);
  });

  test('link-local addresses of IPv6 and addresses of links that are not ours stay', () => {
    expect(
      plan(
        { links: [vxlan] },
        { links: [vxlan], addresses: [on('flannel.1', 'fe80::1/64'), on('eth0', '192.0.2.1/24')] },
      ),
    ).toEqual([]);
  });
});

describe('rules', () => {
  const rule = { family: 4, priority: 100, table: 300, protocol: 78, action: 'lookup' } as const;

  test('a rule that does something else is deleted before ours is added; ours that nobody wants goes', () => {
    expect(plan({ rules: [rule] }, { rules: [{ ...rule, action: 'prohibit', protocol: 4 }] })).toEqual([
      'ip rule delete priority 100 from all prohibit protocol static',
      'ip rule add priority 100 from all lookup 300 protocol 78',
    ]);
    expect(plan({}, { rules: [rule, { ...rule, priority: 101, protocol: 4 }] })).toEqual([
      'ip rule delete priority 100 from all lookup 300 protocol 78',
    ]);
  });
});
