import { describe, expect, test } from '@jest/globals';
import { IpAddress } from '../../net/address.ts';
import { Prefix } from '../../net/prefix.ts';
import type { AccessFaultKind } from '../../store/store-access.ts';
import type { AttachmentLife } from '../ipam/life-survey.ts';
import { hostLinkName } from '../wiring/attachment.ts';
import { runChecks } from './checks.ts';
import type { Forwarding, LeftFile, NodeFacts, Surroundings } from './node-facts.ts';
import { sampleAttachment, sampleFacts, sampleRoute } from './sample-facts.ts';

/** "SEVERITY CHECK OBJECT -> what mends it". */
function told(more: Partial<NodeFacts>): readonly string[] {
  return runChecks({ ...sampleFacts, ...more }).map(
    ({ severity, check, object, mend }) => `${severity} ${check} ${object} -> ${mend?.kind ?? 'nothing'}`,
  );
}

test('nothing is found where nothing is wrong', () => {
  expect(told({})).toEqual([]);
});

test('every finding says what, why and what to do', () => {
  const facts: NodeFacts = {
    ...sampleFacts,
    survey: { attachments: [life('dead', true), life('dead', false), life('unknown', false)], ownerless: [] },
    spoilt: [{ path: '/run/x.json', problem: 'SyntaxError: no\n  JSON' }],
    claimedLinks: new Set(),
    strayRules: ['00112233445566778899aabbccddeeff'],
    leftFiles: [file('temporary'), file('lock')],
    queue: [file('queued'), file('bad')],
    conflists: { ...sampleFacts.conflists, names: ['05-b.conf', '10-netloom.conflist'] },
    forwarding: {
      ...sampleFacts.forwarding,
      filters: [{ family: 4, variant: 'nft', hasOurs: false, forwardPolicy: 'DROP', rules: [] }],
      sysctls: new Map([['net/ipv4/ip_forward', '0']]),
    },
  };
  const findings = runChecks(facts);
  expect(findings).toHaveLength(13);
  for (const finding of findings) {
    for (const text of [finding.object, finding.finding, finding.evidence, finding.remedy]) {
      expect(text).toMatch(/^\S.*\S$/);
    }
  }
});

function life(state: AttachmentLife['life'], recorded: boolean): AttachmentLife {
  return {
    life: state,
    evidence: 'a sign',
    attachment: sampleAttachment,
    record: recorded
      ? {
          attachment: sampleAttachment,
          phase: 'added',
          bootId: '',
          netns: { path: '', identity: '' },
          addresses: [],
          bandwidth: true,
          pod: 'default/web',
          madeAt: 0,
        }
      : undefined,
    addresses: [IpAddress.parse('10.244.1.2')],
    ipamDirectory: '/ipam',
  };
}

describe('pods', () => {
  test.each([
    ['alive', true, []],
    ['alive', false, []],
    ['dead', true, ['error dead-attachment cbr0 eth0 -> attachment-delete']],
    ['dead', false, ['error leaked-address cbr0 10.244.1.2 -> attachment-delete']],
    ['unknown', true, ['hint unknown-pod cbr0 10.244.1.2 -> nothing']],
    ['unknown', false, ['hint unknown-pod cbr0 10.244.1.2 -> nothing']],
  ] as const)('%s, recorded: %s', (state, recorded, expected) => {
    expect(told({ survey: { attachments: [life(state, recorded)], ownerless: [] } })).toEqual(expected);
  });

  test('a dead one is told by its container and pod, with what it holds', () => {
    const [finding] = runChecks({
      ...sampleFacts,
      survey: { attachments: [life('dead', true)], ownerless: [] },
    });
    expect(finding?.finding).toBe(
      'what was made for eth0 of container "one" of pod default/web is still recorded: 10.244.1.2, limits',
    );
  });

  test.each([
    ['dead', 'error ownerless-address cbr0 10.244.1.9 -> address-release'],
    ['alive', 'hint ownerless-address cbr0 10.244.1.9 -> nothing'],
    ['unknown', 'hint ownerless-address cbr0 10.244.1.9 -> nothing'],
  ] as const)('an address without an owner whose pod is %s', (state, expected) => {
    const one = { network: 'cbr0', address: IpAddress.parse('10.244.1.9'), ipamDirectory: '/ipam' };
    const ownerless = [{ ...one, life: state, evidence: 'a sign' }];
    expect(told({ survey: { attachments: [], ownerless } })).toEqual([expected]);
  });
});

test('links of our naming or mark that nobody claims', () => {
  const limiter = { name: 'ifb0123456789ab', detail: { kind: 'ifb' }, alias: 'netloom' } as const;
  const link = hostLinkName(sampleAttachment);
  const links = [...sampleFacts.links, limiter];
  expect(told({ links, claimedLinks: new Set(), usedLinks: new Set([limiter.name, link]) })).toEqual([
    `warning orphan-veth ${link} -> nothing`,
    'warning orphan-limiter ifb0123456789ab -> nothing',
  ]);
  expect(told({ links, claimedLinks: new Set(), usedLinks: new Set() })).toEqual([
    `warning orphan-veth ${link} -> link-delete`,
    'warning orphan-limiter ifb0123456789ab -> link-delete',
  ]);
  expect(told({ links, claimedLinks: new Set([limiter.name, link]) })).toEqual([]);
  expect(told({ links: [{ ...limiter, alias: 'theirs' }] })).toEqual([]);
});

function file(kind: LeftFile['kind'], more: Partial<LeftFile> = {}): LeftFile {
  return { kind, path: `/x/${kind}`, modifiedAt: sampleFacts.now - 61_000, isHeld: false, ...more };
}

describe('files', () => {
  test.each([
    [file('temporary'), ['hint temporary-file /x/temporary -> file-delete']],
    [file('lock'), ['hint stale-lock /x/lock -> lock-delete']],
    [file('lock', { isHeld: true }), []],
    [file('lock', { modifiedAt: sampleFacts.now }), []],
    [file('temporary', { modifiedAt: sampleFacts.now - 59_000 }), []],
  ])('left over: %j', (one, expected) => {
    expect(told({ leftFiles: [one] })).toEqual(expected);
  });

  test.each([
    [file('queued'), ['warning queued-del /x/queued -> nothing']],
    [file('queued', { modifiedAt: sampleFacts.now - 1000 }), []],
    [file('bad', { modifiedAt: sampleFacts.now - 1000 }), ['warning queued-del /x/bad -> file-delete']],
  ])('queued: %j', (one, expected) => {
    expect(told({ queue: [one] })).toEqual(expected);
  });

  test.each([
    [61_000, '1 minute old'],
    [119 * 60_000, '119 minutes old'],
    [120 * 60_000, '2 hours old'],
    [3 * 86_400_000, '3 days old'],
  ])('%d ms is %s', (age, text) => {
    const [finding] = runChecks({
      ...sampleFacts,
      queue: [file('queued', { modifiedAt: sampleFacts.now - age })],
    });
    expect(finding?.evidence).toBe(text);
  });

  test('spoilt records', () => {
    expect(told({ spoilt: [{ path: '/run/x.json', problem: 'no JSON' }] })).toEqual([
      'warning spoilt-record /run/x.json -> file-delete',
    ]);
  });
});

test.each([
  [['05-a.conf', '10-netloom.conflist'], ['error other-conflist /etc/cni/net.d/05-a.conf -> nothing']],
  [['10-a.conf', '10-netloom.conflist'], ['error other-conflist /etc/cni/net.d/10-a.conf -> nothing']],
  [['10-netloom.conflist'], []],
  // Not installed: somebody else does the network here.
  [['05-a.conf'], []],
  [[], []],
])('configurations %j', (names, expected) => {
  expect(told({ conflists: { ...sampleFacts.conflists, names } })).toEqual(expected);
});

describe('forwarding', () => {
  const drop = (family: 4 | 6, ...rules: readonly string[]): Partial<Forwarding> => ({
    filters: [{ family, variant: 'nft', hasOurs: false, forwardPolicy: 'DROP', rules }],
  });
  const dropped = ['error forward-policy iptables FORWARD -> nothing'];

  test.each<readonly [string, Partial<Forwarding>, readonly string[]]>([
    ['drop by policy', drop(4), dropped],
    ['drop by policy, IPv6', drop(6), ['error forward-policy ip6tables FORWARD -> nothing']],
    ['accepted on the way there only', drop(4, '-A FORWARD -s 10.244.0.0/16 -j ACCEPT'), dropped],
    [
      'accepted in both directions',
      drop(
        4,
        '-A X -s 10.244.0.0/16 -m comment --comment "a b" -j ACCEPT',
        '-A X -d 10.244.1.0/24 -j ACCEPT',
      ),
      [],
    ],
    [
      'accepted for another network',
      drop(4, '-A FORWARD -s 10.1.0.0/16 -j ACCEPT', '-A FORWARD -d 10.1.0.0/16 -j ACCEPT'),
      dropped,
    ],
    ['accepted for one port', drop(4, '-A FORWARD -p tcp --dport 80 -j ACCEPT'), dropped],
    ['all accepted', drop(4, '-A FORWARD -j ACCEPT'), []],
    ['all accepted in a chain that nobody may call', drop(4, '-A OTHER -j ACCEPT'), dropped],
    [
      'our rules are in it',
      { filters: [{ family: 4, variant: 'nft', hasOurs: true, forwardPolicy: 'DROP', rules: [] }] },
      [],
    ],
    [
      'dropped by the other variant',
      { filters: [{ family: 4, variant: 'legacy', hasOurs: false, forwardPolicy: 'DROP', rules: [] }] },
      ['error forward-policy iptables-legacy FORWARD -> nothing'],
    ],
    [
      'a chain of somebody else’s drops',
      { dropping: [{ name: 'inet fw forward', families: [4, 6], rules: ['ct state established accept'] }] },
      ['error forward-drop inet fw forward -> nothing'],
    ],
    [
      'one that may accept',
      { dropping: [{ name: 'inet fw forward', families: [4, 6], rules: ['iifname "cni0" accept'] }] },
      [],
    ],
    [
      'one that cannot be read',
      { dropping: [{ name: 'inet fw forward', families: [4, 6], rules: undefined }] },
      ['hint forward-drop inet fw forward -> nothing'],
    ],
    ['no lease', { ...drop(4), podSubnets: [] }, []],
    [
      'IPv4 is not forwarded',
      { sysctls: new Map([['net/ipv4/ip_forward', '0']]) },
      ['error forwarding-off net.ipv4.ip_forward -> sysctl-set'],
    ],
    [
      'IPv6 is not forwarded',
      { sysctls: new Map([['net/ipv6/conf/all/forwarding', '0']]) },
      ['error forwarding-off net.ipv6.conf.all.forwarding -> sysctl-set'],
    ],
    ['not forwarded, and no lease', { podSubnets: [], sysctls: new Map([['net/ipv4/ip_forward', '0']]) }, []],
  ])('%s', (_, more, expected) => {
    expect(told({ forwarding: { ...sampleFacts.forwarding, ...more } })).toEqual(expected);
  });
});

describe('the network around the pods', () => {
  const told1 = (more: Partial<Surroundings>, facts: Partial<NodeFacts> = {}) =>
    told({ ...facts, surroundings: { ...sampleFacts.surroundings, ...more } });
  const tunnel = (mtu: number, underlay: number): Partial<NodeFacts> => ({
    links: [
      { name: 'eth0', detail: { kind: 'other', type: '' }, mtu: underlay },
      {
        name: 'flannel.1',
        alias: 'netloom',
        detail: { kind: 'vxlan', vni: 1, port: 8472, learning: false, underlay: 'eth0' },
        mtu,
      },
    ],
  });

  test.each<readonly [string, readonly string[], readonly string[]]>([
    ['a part of it', ['10.244.7.0/24', 'eth0'], ['error route-conflict 10.244.7.0/24 by eth0 -> nothing']],
    ['all of it and more', ['10.0.0.0/8', 'tun0'], ['hint route-conflict 10.0.0.0/8 by tun0 -> nothing']],
    ['the pods’ own', ['10.244.1.0/24', 'cni0'], []],
    ['the default', ['0.0.0.0/0', 'eth0'], []],
    ['another network', ['192.0.2.0/24', 'eth0'], []],
  ])('a route: %s', (_, [destination = '', link = ''], expected) => {
    expect(told1({ routes: [sampleRoute(destination, link)] })).toEqual(expected);
  });

  test.each([
    ['eth0', '10.244.9.1/24', ['error address-conflict 10.244.9.1/24 on eth0 -> nothing']],
    ['cni0', '10.244.9.1/24', []],
    ['kube-ipvs0', '10.244.9.1/32', []],
    ['eth0', '192.0.2.1/24', []],
  ])('an address on %s: %s', (link, prefix, expected) => {
    expect(told1({ addresses: [{ link, prefix: Prefix.parse(prefix) }] })).toEqual(expected);
  });

  test.each([
    [1450, 1500, 1450, []],
    [1460, 1500, 1450, ['warning mtu flannel.1 -> nothing']],
    [1400, 1500, 1450, ['warning mtu pods’ MTU 1450 -> nothing']],
  ])('a tunnel of %d over %d for pods of %d', (mtu, underlay, pods, expected) => {
    expect(told1({ mtu: pods }, tunnel(mtu, underlay))).toEqual(expected);
  });

  test('IP in IP adds 20 bytes to what the link with its address carries', () => {
    const local = IpAddress.parse('192.0.2.1');
    const facts = (mtu: number): Partial<NodeFacts> => ({
      links: [
        { name: 'eth0', detail: { kind: 'other', type: '' }, mtu: 1500 },
        { name: 'flannel.ipip', detail: { kind: 'ipip', local }, mtu, alias: 'netloom' },
      ],
    });
    const addresses = [{ link: 'eth0', prefix: Prefix.parse('192.0.2.1/24') }];
    expect(told1({ mtu: 1450, addresses }, facts(1480))).toEqual([]);
    expect(told1({ mtu: 1450, addresses }, facts(1481))).toEqual(['warning mtu flannel.ipip -> nothing']);
  });

  test('pods that were made when the MTU was larger', () => {
    const name = hostLinkName(sampleAttachment);
    const links = [{ name, detail: { kind: 'veth' }, mtu: 1500 }] as const;
    expect(told1({}, { links })).toEqual(['hint mtu 1 pod -> nothing']);
  });

  test.each([
    ['1', '0', ['hint reverse-path net.ipv4.conf.cni0.rp_filter -> nothing']],
    ['1', '2', []],
    ['0', '2', []],
  ])('reverse path filters %s and %s', (all, own, expected) => {
    const sysctls = new Map([
      ...sampleFacts.surroundings.sysctls,
      ['net/ipv4/conf/all/rp_filter', all],
      ['net/ipv4/conf/cni0/rp_filter', own],
    ]);
    expect(told1({ sysctls })).toEqual(expected);
  });

  test.each([
    [undefined, true, ['error bridged-answers net.bridge.bridge-nf-call-iptables -> nothing']],
    ['0', true, ['error bridged-answers net.bridge.bridge-nf-call-iptables -> sysctl-set']],
    ['0', false, []],
  ])('bridged packets: %s, with a proxy: %s', (value, hasProxy, expected) => {
    const sysctls = new Map(value === undefined ? [] : [['net/bridge/bridge-nf-call-iptables', value]]);
    expect(told1({ sysctls, hasProxy })).toEqual(expected);
  });

  test('the directory of leases', () => {
    const store = {
      name: '/leases',
      problems: [{ object: '/leases/subnets/x', message: 'no' }],
      leases: [
        { name: 'n2', renewedAt: sampleFacts.now + 120_000 },
        { name: 'n3', renewedAt: sampleFacts.now + 2000 },
      ],
      access: [],
      mount: { type: '9p', options: ['rw', 'trans=virtio', 'cache=loose'] },
    };
    expect(told1({ store })).toEqual([
      'warning lease-store /leases/subnets/x -> nothing',
      'warning clock-skew lease of n2 -> nothing',
      'error stale-mount /leases -> nothing',
    ]);
    expect(told1({ store: { ...store, failure: 'refused', leases: [], mount: undefined } })).toEqual([
      'error lease-store /leases -> nothing',
    ]);
    expect(
      told1({
        store: { ...store, problems: [], leases: [], mount: { type: '9p', options: ['cache=none'] } },
      }),
    ).toEqual([]);
  });

  test('servers of stores: what cuts the node off is an error; what others do in its place is told once', () => {
    const fault = (kind: AccessFaultKind, object: string, isBearable = false) => ({
      ...{ kind, object, isBearable },
      evidence: 'a sign',
    });
    const etcd = {
      kind: 'etcd',
      faults: [fault('unreachable', 'https://etcd-1:2379', true), fault('full', 'write /x/subnets/')],
    } as const;
    const kubernetes = {
      kind: 'kubernetes',
      faults: [
        fault('denied', 'patch nodes/status'),
        fault('denied', 'create events', true),
        fault('denied', 'list nodes'),
        fault('no-network', 'nodes/n1'),
      ],
    } as const;
    const services = { kind: 'kubernetes', faults: [fault('denied', 'list nodes')] } as const;
    const { store } = sampleFacts.surroundings;
    expect(told1({ store: { ...store, access: [etcd, kubernetes, services] } })).toEqual([
      'warning store-access https://etcd-1:2379 -> nothing',
      'error store-access write /x/subnets/ -> nothing',
      'error store-access patch nodes/status -> nothing',
      'hint store-access create events -> nothing',
      'error store-access list nodes -> nothing',
      'error store-access nodes/n1 -> nothing',
    ]);
    const facts = { ...sampleFacts, surroundings: { ...sampleFacts.surroundings } };
    const [bearable] = runChecks({
      ...facts,
      surroundings: { ...facts.surroundings, store: { ...store, access: [etcd] } },
    });
    expect(bearable?.finding).toBe('etcd does not answer: others do in its place');
  });
});
