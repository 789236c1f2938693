import { describe, expect, test } from '@jest/globals';
import { IpAddress } from '../../net/address.ts';
import { everyOutcome } from '../every-outcome.ts';
import { FakeIpsetKernel } from '../ipset/fake.ts';
import type { Ipset, IpsetEntry } from '../ipset/objects.ts';
import { flowText } from '../nft/evaluate.ts';
import { type Packet, packet } from '../nft/packet.ts';
import { walkPacket } from '../packet-way.ts';
import { FakeIptablesKernel } from './fake.ts';
import type { IptablesSurroundings } from './match-packet.ts';
import { recentListSize } from './recent-lists.ts';

const address = (text: string) => IpAddress.parse(text);
const node = address('192.0.2.1');
const local: IptablesSurroundings = {
  addressType: (one) => (one.equals(node) || one.isLoopback ? 'local' : 'unicast'),
  addressOf: () => node,
};

const tcp = (to: string, more: Partial<Packet> = {}) =>
  packet({
    hook: 'prerouting',
    saddr: address('10.180.0.9'),
    daddr: address(to),
    protocol: 6,
    dport: 80,
    iif: 'eth0',
    ...more,
  });

async function kernelWith(text: string, family: 4 | 6 = 4): Promise<FakeIptablesKernel> {
  const kernel = new FakeIptablesKernel();
  await kernel.access(family).restore(text);
  return kernel;
}

/** A rule that drops what it fits, in filter FORWARD. */
async function dropping(rule: string): Promise<(packet: Packet, more?: IptablesSurroundings) => boolean> {
  const kernel = await kernelWith(`*filter\n-A FORWARD ${rule} -j DROP\nCOMMIT\n`);
  return (one, more = local) => kernel.evaluate({ ...one, hook: 'forward' }, more).verdict === 'drop';
}

describe('what rules ask', () => {
  const to80 = tcp('10.0.0.1', { oif: 'cni0', mark: 0x4001 });
  test.each([
    ['', true],
    ['-s 10.180.0.0/16', true],
    ['! -s 10.180.0.0/16', false],
    ['-d 10.0.0.1', true],
    ['-d 10.0.0.2', false],
    ['-i eth+', true],
    ['-i eth', false],
    ['! -i lo', true],
    ['-o cni0', true],
    ['! -o cni+', false],
    ['-p tcp', true],
    ['! -p tcp', false],
    ['-p tcp -m tcp --dport 80', true],
    ['-p tcp -m tcp --dport 81:', false],
    ['-p tcp -m tcp ! --dport 79:80', false],
    ['-p tcp -m tcp --sport 40000', true],
    ['-p udp -m udp --dport 80', false],
    ['-m comment --comment "any thing"', true],
    ['-m mark --mark 0x4000/0x4000', true],
    ['-m mark ! --mark 0x4000/0x4000', false],
    ['-m mark --mark 0x4000', false],
    ['-m mark --mark 0x8/0x4', false],
    ['-m conntrack --ctstate NEW', true],
    ['-m conntrack --ctstate RELATED,ESTABLISHED', false],
    ['-m conntrack ! --ctstate INVALID', true],
    ['-m conntrack --ctorigdstport 80', true],
    ['-m conntrack ! --ctorigdstport 1:1000', false],
    ['-m addrtype --dst-type LOCAL', false],
    ['-m physdev --physdev-is-in', false],
    ['-m physdev ! --physdev-is-in', true],
    ['-m ipvs --ipvs', false],
    ['-m ipvs ! --ipvs', true],
    ['-m ipvs ! --vport 81', false],
    ['-m addrtype ! --dst-type LOCAL --src-type UNICAST', true],
  ])('%s', async (rule, fits) => {
    expect((await dropping(rule))(to80)).toBe(fits);
  });

  test('of connections that were translated, or are none', async () => {
    const translated = tcp('10.0.0.1', {
      dport: 8080,
      ct: {
        state: 'established',
        dnat: true,
        original: { saddr: node, daddr: address('10.9.9.9'), sport: 1, dport: 53 },
      },
    });
    expect((await dropping('-m conntrack --ctstate DNAT'))(translated)).toBe(true);
    expect((await dropping('-m conntrack ! --ctstate RELATED,ESTABLISHED,DNAT'))(translated)).toBe(false);
    expect((await dropping('-m conntrack --ctorigdstport 53'))(translated)).toBe(true);
    const invalid = tcp('10.0.0.1', { ct: { state: 'invalid' } });
    expect((await dropping('-m conntrack --ctstate INVALID'))(invalid)).toBe(true);
    expect((await dropping('-m conntrack --ctorigdstport 80'))(invalid)).toBe(false);
  });

  test('what the machine knows of the packet', async () => {
    const server = { protocol: 'tcp', address: address('10.9.0.1'), port: 443 } as const;
    const more: IptablesSurroundings = { cameOverBridge: () => true, virtualServerOf: () => server };
    const fits = async (rule: string) => (await dropping(rule))(to80, more);
    expect(await fits('-m physdev --physdev-is-in')).toBe(true);
    expect(await fits('-m ipvs --ipvs')).toBe(true);
    expect(await fits('-m ipvs --vproto tcp --vaddr 10.9.0.1 --vport 443')).toBe(true);
    expect(await fits('-m ipvs --vaddr 10.0.0.0/8 ! --vport 80')).toBe(true);
    expect(await fits('-m ipvs --vproto udp --vport 443')).toBe(false);
  });

  test('sets', async () => {
    const sets: FakeIpsetKernel = new FakeIpsetKernel({ references: (name) => kernel.asking(name) });
    const kernel = new FakeIptablesKernel({ sets });
    const set: Ipset = { name: 'S', type: 'hash:ip,port', family: 4, maxElements: 9 };
    const entry: IpsetEntry = { address: address('10.0.0.1'), protocol: 'tcp', port: 80 };
    sets.access().apply([{ kind: 'set-create', set }]);
    await kernel
      .access(4)
      .restore(
        '*filter\n-A FORWARD -m set --match-set S dst,dst -j DROP\n-A FORWARD -p udp -m set ! --match-set S dst,dst -j DROP\nCOMMIT\n',
      );
    const verdict = (more: IptablesSurroundings = {}) =>
      kernel.evaluate({ ...to80, hook: 'forward' }, more).verdict;
    expect(verdict()).toBe('accept');
    sets.access().apply([{ kind: 'entry-add', set, entry }]);
    expect(verdict()).toBe('drop');
    expect(verdict({ inSet: () => false })).toBe('accept');
    expect(kernel.asking('S')).toBe(2);
    const six = '*filter\n-A FORWARD -m set --match-set S dst,dst -j DROP\nCOMMIT\n';
    await expect(kernel.access(6).restore(six)).rejects.toThrow(/family of set S is IPv4/);
    await expect(new FakeIptablesKernel().access(4).restore(six)).rejects.toThrow(/Set S doesn't exist/);
    const [refused] = sets.access().apply([{ kind: 'set-destroy', name: 'S' }]);
    expect(refused?.error?.message).toMatch(/in use by a rule/);
    await kernel.access(4).restore('*filter\n-F FORWARD\nCOMMIT\n');
    expect(kernel.asking('S')).toBe(0);
  });

  test('chance', async () => {
    const drops = await dropping('-m statistic --mode random --probability 0.25');
    expect(everyOutcome((chance) => drops(to80, chance))).toEqual([
      { probability: 0.25, result: true },
      { probability: 0.75, result: false },
    ]);
    expect(drops(to80, { random: () => 2 ** 29 - 1 })).toBe(true);
    expect(drops(to80, { random: () => 2 ** 29 })).toBe(false);
    expect(() => drops(to80, {})).toThrow(/no random numbers/);
  });
});

describe('recent lists', () => {
  const text = `*filter
:TO-A - [0:0]
:TO-B - [0:0]
-A FORWARD -m recent --name A --rcheck --seconds 10 --reap -j TO-A
-A FORWARD -j TO-B
-A TO-A -p tcp -m recent --name A --set -j ACCEPT
-A TO-B -p tcp -m recent --name A --set -j DROP
COMMIT
`;
  const from = (saddr: string) => tcp('10.0.0.1', { hook: 'forward', saddr: address(saddr) });

  test('remember who came, for a while', async () => {
    const kernel = await kernelWith(text);
    const at = (seconds: number, saddr = '10.1.1.1') =>
      kernel.evaluate(from(saddr), { now: () => seconds * 1000 }).verdict;
    expect(at(0)).toBe('drop');
    expect(at(10)).toBe('accept');
    // Renewed by the packet before.
    expect(at(20)).toBe('accept');
    expect(at(20, '10.1.1.2')).toBe('drop');
    expect(at(30.5)).toBe('drop');
    expect(kernel.recentAddresses('A')).toEqual(['10.1.1.2', '10.1.1.1']);
    // Its own check reaps the oldest.
    expect(at(40, '10.1.1.2')).toBe('drop');
  });

  test('hold a hundred, and go with their last rule', async () => {
    const kernel = await kernelWith(text);
    for (let i = 0; i <= recentListSize; i++) kernel.evaluate(from(`10.2.0.${i}`), {});
    expect(kernel.recentAddresses('A')).toHaveLength(recentListSize);
    expect(kernel.recentAddresses('A')).not.toContain('10.2.0.0');
    // The same rules again, in one transaction: the list stays.
    await kernel.access(4).restore(text.replaceAll(/^-A FORWARD.*\n/gm, ''));
    expect(kernel.recentAddresses('A')).toHaveLength(recentListSize);
    await kernel.access(4).restore('*filter\n-F\nCOMMIT\n');
    expect(kernel.recentAddresses('A')).toEqual([]);
  });
});

describe('the way through chains', () => {
  test('jump, goto, return and policies', async () => {
    const kernel = await kernelWith(`*filter
:A - [0:0]
:B - [0:0]
:C - [0:0]
:FORWARD DROP [0:0]
-A FORWARD -j A
-A FORWARD -p udp -j ACCEPT
-A FORWARD -j MARK --or-mark 0x8
-A A -p tcp -g B
-A A -j REJECT
-A B -j C
-A B -j MARK --or-mark 0x4
-A C -j MARK --or-mark 0x2
-A C -j RETURN
-A C -j ACCEPT
COMMIT
`);
    const walk = kernel.evaluate(tcp('10.0.0.1', { hook: 'forward' }));
    expect(walk).toMatchObject({ verdict: 'drop', packet: { mark: 0xe } });
    expect(walk.trace.map(({ rule }) => rule)).toEqual([
      '-A FORWARD -j A',
      '-A A -p tcp -g B',
      '-A B -j C',
      '-A C -j MARK --set-xmark 0x2/0x2',
      '-A C -j RETURN',
      '-A B -j MARK --set-xmark 0x4/0x4',
      '-A FORWARD -j MARK --set-xmark 0x8/0x8',
      'policy DROP',
    ]);
    expect(kernel.evaluate(tcp('10.0.0.1', { hook: 'forward', protocol: 17 })).verdict).toBe('reject');
  });

  test('raw, mangle, nat, filter; nat only for the first packet of a connection', async () => {
    const kernel = await kernelWith(`*filter
-A OUTPUT -m mark --mark 0x7 -d 10.9.9.9 -j DROP
COMMIT
*nat
-A OUTPUT -p tcp -m mark --mark 0x3 -j DNAT --to-destination 10.9.9.9
COMMIT
*mangle
-A OUTPUT -m mark --mark 0x1 -j MARK --or-mark 0x2
-A OUTPUT -m mark --mark 0x2 -j MARK --set-mark 0x7
COMMIT
*raw
-A OUTPUT -m conntrack --ctstate NEW -j DROP
-A OUTPUT -j MARK --set-mark 0x1
COMMIT
`);
    const out = (state: 'new' | 'established') =>
      kernel.evaluate(tcp('10.0.0.1', { hook: 'output', iif: undefined, ct: { state } }));
    expect(out('new').trace.map(({ table }) => table)).toEqual(['raw', 'mangle', 'nat']);
    expect(flowText(out('new').packet)).toBe('10.180.0.9:40000 > 10.9.9.9:80');
    expect(out('established').trace.map(({ table }) => table)).toEqual(['raw', 'mangle']);
  });

  test('refuses hooks without chains', async () => {
    const kernel = new FakeIptablesKernel();
    expect(() => kernel.evaluate(tcp('10.0.0.1', { hook: 'ingress' }))).toThrow(/hook ingress/);
  });
});

test("a service in kube-proxy's layout, from end to end", async () => {
  const kernel = await kernelWith(`*nat
:KUBE-SERVICES - [0:0]
:KUBE-POSTROUTING - [0:0]
:KUBE-MARK-MASQ - [0:0]
:KUBE-SVC - [0:0]
:KUBE-SEP-1 - [0:0]
:KUBE-SEP-2 - [0:0]
:KUBE-SEP-3 - [0:0]
-A PREROUTING -j KUBE-SERVICES
-A OUTPUT -j KUBE-SERVICES
-A POSTROUTING -j KUBE-POSTROUTING
-A KUBE-POSTROUTING -m mark ! --mark 0x4000/0x4000 -j RETURN
-A KUBE-POSTROUTING -j MARK --xor-mark 0x4000
-A KUBE-POSTROUTING -j MASQUERADE --random-fully
-A KUBE-MARK-MASQ -j MARK --or-mark 0x4000
-A KUBE-SERVICES -m tcp -p tcp -d 172.30.0.41 --dport 80 -j KUBE-SVC
-A KUBE-SVC -m tcp -p tcp -d 172.30.0.41 --dport 80 ! -s 10.0.0.0/8 -j KUBE-MARK-MASQ
-A KUBE-SVC -m statistic --mode random --probability 0.3333333333 -j KUBE-SEP-1
-A KUBE-SVC -m statistic --mode random --probability 0.5000000000 -j KUBE-SEP-2
-A KUBE-SVC -j KUBE-SEP-3
-A KUBE-SEP-1 -s 10.180.0.1 -j KUBE-MARK-MASQ
-A KUBE-SEP-1 -m tcp -p tcp -j DNAT --to-destination 10.180.0.1:8080
-A KUBE-SEP-2 -s 10.180.0.2 -j KUBE-MARK-MASQ
-A KUBE-SEP-2 -m tcp -p tcp -j DNAT --to-destination 10.180.0.2:8080
-A KUBE-SEP-3 -s 10.180.0.3 -j KUBE-MARK-MASQ
-A KUBE-SEP-3 -m tcp -p tcp -j DNAT --to-destination 10.180.0.3:8080
COMMIT
`);
  const ways = (from: string, hook: 'prerouting' | 'output') =>
    everyOutcome((chance) => {
      const { packet: end, masqueraded } = walkPacket(
        (now) => kernel.evaluate(now, { ...local, ...chance }),
        {
          packet: tcp('172.30.0.41', { hook, saddr: address(from) }),
          localAddresses: [node],
        },
      );
      return `${flowText(end)}${masqueraded ? ' masqueraded' : ''} ${end.mark}`;
    });
  const pod = ways('10.180.0.2', 'prerouting');
  expect(pod.map(({ result }) => result)).toEqual([
    '10.180.0.2:40000 > 10.180.0.1:8080 0',
    '192.0.2.1:40000 > 10.180.0.2:8080 masqueraded 0',
    '10.180.0.2:40000 > 10.180.0.3:8080 0',
  ]);
  for (const { probability } of pod) expect(probability).toBeCloseTo(1 / 3, 8);
  expect(ways('192.0.2.1', 'output').map(({ result }) => result)).toEqual(
    [1, 2, 3].map((i) => `192.0.2.1:40000 > 10.180.0.${i}:8080 masqueraded 0`),
  );
});

test('IPv6 has tables of its own', async () => {
  const kernel = await kernelWith(
    '*nat\n-A PREROUTING -p tcp -j DNAT --to-destination [fd00::5]:80\nCOMMIT\n',
    6,
  );
  const six = packet({
    hook: 'prerouting',
    saddr: address('fd00::1'),
    daddr: address('fd00::2'),
    protocol: 6,
  });
  expect(flowText(kernel.evaluate(six).packet)).toBe('fd00::1:40000 > fd00::5:80');
  expect(kernel.evaluate(tcp('10.0.0.1')).trace).toEqual([]);
});
