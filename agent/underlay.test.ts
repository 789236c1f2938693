import { describe, expect, test } from '@jest/globals';
import type { RouteObjects } from '../kernel/route/objects.ts';
import { IpAddress } from '../net/address.ts';
import { Prefix } from '../net/prefix.ts';
import { routeLookup } from './route-lookup.ts';
import { sampleMachine } from './sample-cluster.ts';
import { chooseUnderlay, type UnderlayInput, type UnderlaySettings } from './underlay.ts';

const nothingSaid: UnderlaySettings = {
  interfaces: [],
  patterns: [],
  canReach: undefined,
  publicIp: undefined,
  publicIp6: undefined,
};

function choose(
  settings: Partial<UnderlaySettings>,
  options: { readonly families?: UnderlayInput['families']; readonly more?: RouteObjects } = {},
): string {
  const state = sampleMachine(options.more);
  const choice = chooseUnderlay(state, {
    settings: { ...nothingSaid, ...settings },
    families: options.families ?? [4],
    routeTo: routeLookup(state),
    ownLinks: new Set(['flannel.1', 'cni0']),
  });
  if (choice.kind === 'missing') return choice.reason;
  const { link, mtu, ip4, ip6 } = choice.underlay;
  const parts = [ip4, ip6].flatMap((family) =>
    family === undefined
      ? []
      : [
          family.address.equals(family.publicIp)
            ? `${family.address}`
            : `${family.address} as ${family.publicIp}`,
        ],
  );
  return `${link} mtu ${mtu} ${parts.join(' and ')}`;
}

const onEth1 = (text: string, extra: object = {}) => ({
  link: 'eth1',
  prefix: Prefix.parse(text),
  scope: 'global' as const,
  permanent: true,
  ...extra,
});
const ip = IpAddress.parse;

describe('the interface and the public address', () => {
  test.each<readonly [string, Partial<UnderlaySettings>, string]>([
    ['nothing said: the default route', {}, 'eth0 mtu 1500 192.0.2.1'],
    ['a name', { interfaces: ['eth1'] }, 'eth1 mtu 9000 198.51.100.1'],
    ['the first name that is there', { interfaces: ['eth7', 'eth1'] }, 'eth1 mtu 9000 198.51.100.1'],
    ['an address', { interfaces: ['198.51.100.1'] }, 'eth1 mtu 9000 198.51.100.1'],
    ['a pattern of addresses', { patterns: [/^198\./] }, 'eth1 mtu 9000 198.51.100.1'],
    ['a pattern of names', { patterns: [/1$/] }, 'eth0 mtu 1500 192.0.2.1'],
    ['a pattern that only a name matches', { patterns: [/^eth1$/] }, 'eth1 mtu 9000 198.51.100.1'],
    [
      'a name goes before a pattern',
      { interfaces: ['eth0'], patterns: [/^eth1$/] },
      'eth0 mtu 1500 192.0.2.1',
    ],
    ['can reach', { canReach: ip('198.51.100.77') }, 'eth1 mtu 9000 198.51.100.1'],
    ['can reach, by the default route', { canReach: ip('203.0.113.1') }, 'eth0 mtu 1500 192.0.2.1'],
    ['public-ip alone finds the interface', { publicIp: ip('198.51.100.1') }, 'eth1 mtu 9000 198.51.100.1'],
    [
      'public-ip beside a name may be translated',
      { interfaces: ['eth1'], publicIp: ip('203.0.113.9') },
      'eth1 mtu 9000 198.51.100.1 as 203.0.113.9',
    ],
  ])('%s', (_, settings, expected) => {
    expect(choose(settings)).toBe(expected);
  });

  test('both families on one interface', () => {
    expect(choose({}, { families: [4, 6] })).toBe('eth0 mtu 1500 192.0.2.1 and 2001:db8::1');
    expect(choose({}, { families: [6] })).toBe('eth0 mtu 1500 2001:db8::1');
  });

  test('the best address: global, then lasting, then permanent, then the first', () => {
    const more = (...addresses: ReturnType<typeof onEth1>[]) => ({
      more: { addresses },
      families: [6] as const,
    });
    const named = { interfaces: ['eth1'] };
    const dynamic = onEth1('2001:db8:1::d/64', { permanent: false });
    const temporary = onEth1('2001:db8:1::e/64', { temporary: true });
    const deprecated = onEth1('2001:db8:1::f/64', { deprecated: true });
    const local = onEth1('fe80::1/64', { scope: 'link' });
    const plain = onEth1('2001:db8:1::1/64');
    expect(choose(named, more(local, deprecated, temporary, dynamic, plain))).toContain('2001:db8:1::1');
    expect(choose(named, more(local, deprecated, temporary, dynamic))).toContain('2001:db8:1::d');
    expect(choose(named, more(local, deprecated, temporary))).toContain('2001:db8:1::e');
    expect(choose(named, more(local, deprecated))).toContain('2001:db8:1::f');
    expect(choose(named, more(local))).toContain('fe80::1');
  });

  test('a link of our own is never chosen', () => {
    const more: RouteObjects = {
      links: [
        { name: 'cni0', detail: { kind: 'bridge' }, mtu: 1450, up: true },
        { name: 'veth1', detail: { kind: 'veth' }, mtu: 1450, up: true, master: 'cni0' },
      ],
      addresses: [{ link: 'cni0', prefix: Prefix.parse('10.244.1.1/24'), scope: 'global', permanent: true }],
    };
    expect(choose({ patterns: [/^10\./, /^veth/, /^eth1$/] }, { more })).toBe('eth1 mtu 9000 198.51.100.1');
    const services: RouteObjects = {
      links: [{ name: 'kube-ipvs0', detail: { kind: 'dummy' }, mtu: 1500, up: false }],
      addresses: [{ link: 'kube-ipvs0', prefix: Prefix.parse('10.96.0.1/32') }],
    };
    expect(choose({ patterns: [/^10\.96\./, /^eth1$/] }, { more: services })).toBe(
      'eth1 mtu 9000 198.51.100.1',
    );
  });
});

describe('no underlay: the message names the setting and what there is', () => {
  const there = 'the interfaces are: eth0 192.0.2.1 2001:db8::1, eth1 198.51.100.1';
  test.each<readonly [string, Partial<UnderlaySettings>, string]>([
    [
      'a name',
      { interfaces: ['eth7', 'x'] },
      `Cannot find an interface for setting "iface" ("eth7", "x"); ${there}`,
    ],
    [
      'a pattern',
      { patterns: [/^bond/] },
      `Cannot find an interface for setting "iface-regex" ("^bond"); ${there}`,
    ],
    ['can reach', { canReach: ip('2001:db8:9::1'), publicIp: ip('192.0.2.1') }, 'eth0 mtu 1500 192.0.2.1'],
    [
      'public-ip',
      { publicIp: ip('203.0.113.9') },
      `Cannot find the interface that has the address of setting "public-ip" ("203.0.113.9"): if it is translated on the way, name the interface with setting "iface"; ${there}`,
    ],
  ])('%s', (_, settings, expected) => {
    expect(choose(settings)).toBe(expected);
  });

  test('no address of the family', () => {
    expect(choose({ interfaces: ['eth1'] }, { families: [4, 6] })).toBe(
      `Cannot use interface "eth1" as the underlay: it has no IPv6 address; ${there}`,
    );
  });

  test('no default route', () => {
    const state = sampleMachine();
    const bare = { ...state, routes: new Map() };
    const choice = chooseUnderlay(bare, {
      settings: nothingSaid,
      families: [4],
      routeTo: routeLookup(bare),
      ownLinks: new Set(),
    });
    expect(choice).toEqual({
      kind: 'missing',
      reason: `Cannot find the underlay: there is no IPv4 default route, and none of the settings "iface", "iface-regex", "iface-can-reach" and "public-ip" names an interface; ${there}`,
    });
  });
});
