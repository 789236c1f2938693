// The way itself, with hooks that are functions, and with both fakes.
import { describe, expect, test } from '@jest/globals';
import { IpAddress } from '../net/address.ts';
import { Prefix } from '../net/prefix.ts';
import type { HookOutcome } from './hook-outcome.ts';
import { FakeIptablesKernel } from './iptables/fake.ts';
import { baseChain, rule, table } from './nft/declare.ts';
import { flowText } from './nft/evaluate.ts';
import { FakeNftKernel } from './nft/fake.ts';
import { ct, ip, meta } from './nft/fields.ts';
import { nftState } from './nft/objects.ts';
import { type Packet, packet } from './nft/packet.ts';
import { planNft } from './nft/plan.ts';
import { dnat, masquerade } from './nft/statement.ts';
import { protocol } from './nft/value-text.ts';
import { walkPacket } from './packet-way.ts';

const address = (text: string) => IpAddress.parse(text);
const node = address('192.0.2.1');
const localAddresses = [node, Prefix.parse('10.0.0.1/32')];
const linkTo = (to: IpAddress) => (to.toString().startsWith('10.') ? 'cni0' : 'eth0');

const from = (hook: 'prerouting' | 'output', to: string, more: Partial<Packet> = {}) =>
  packet({ hook, saddr: address('198.51.100.7'), daddr: address(to), protocol: 6, dport: 80, ...more });

function passing(change: (now: Packet) => Packet = (now) => now) {
  return (now: Packet): HookOutcome<string> => ({
    verdict: 'accept',
    packet: change(now),
    trace: [`${now.hook} ${now.iif ?? '-'} ${now.oif ?? '-'}`],
  });
}

const traceOf = (way: { readonly hops: readonly HookOutcome<string>[] }) =>
  way.hops.flatMap(({ trace }) => trace);

describe('walkPacket', () => {
  test.each([
    ['prerouting', '10.0.0.9', ['prerouting eth0 -', 'forward eth0 cni0', 'postrouting eth0 cni0']],
    ['prerouting', '192.0.2.1', ['prerouting eth0 -', 'input eth0 -']],
    ['prerouting', '10.0.0.1', ['prerouting eth0 -', 'input eth0 -']],
    ['output', '10.0.0.9', ['output - cni0', 'postrouting - cni0']],
    ['output', '127.0.0.5', ['output - lo', 'postrouting - lo', 'prerouting lo -', 'input lo -']],
  ] as const)('from %s to %s', (hook, to, trace) => {
    const way = walkPacket(passing(), {
      packet: from(hook, to, { iif: 'eth0' }),
      localAddresses,
      linkTo,
    });
    expect(way.verdict).toBe('accept');
    expect(traceOf(way)).toEqual(trace);
    expect(way.masqueraded).toBe(false);
  });

  test('is routed by what the rules made of it', () => {
    const toPod = passing((now) =>
      now.hook === 'output' || now.hook === 'prerouting' ? { ...now, daddr: address('10.0.0.9') } : now,
    );
    for (const hook of ['output', 'prerouting'] as const) {
      const way = walkPacket(toPod, { packet: from(hook, '192.0.2.1'), localAddresses, linkTo });
      expect(traceOf(way).at(-1)).toBe('postrouting - cni0');
    }
  });

  test('ends where it is dropped', () => {
    const way = walkPacket((now) => ({ verdict: 'reject', packet: now, trace: ['no'] }), {
      packet: from('prerouting', '10.0.0.9'),
      localAddresses,
    });
    expect(way).toMatchObject({ verdict: 'reject', packet: { hook: 'prerouting' } });
    expect(way.hops).toHaveLength(1);
  });

  test('begins at prerouting or output', () => {
    expect(() =>
      walkPacket(passing(), { packet: { ...from('output', '10.0.0.9'), hook: 'forward' }, localAddresses }),
    ).toThrow(/from hook forward/);
  });
});

const rules = `*nat
-A PREROUTING -d 203.0.113.1 -p tcp -j DNAT --to-destination 10.0.0.9:8080
-A OUTPUT -d 203.0.113.1 -p tcp -j DNAT --to-destination 127.0.0.1:8080
-A PREROUTING -i lo -p tcp -j DNAT --to-destination 10.9.9.9
-A POSTROUTING -m conntrack --ctstate DNAT -j MASQUERADE
COMMIT
`;

async function iptablesHook() {
  const kernel = new FakeIptablesKernel();
  await kernel.access(4).restore(rules);
  return (now: Packet) => kernel.evaluate(now, { addressOf: () => node });
}

function nftHook() {
  const kernel = new FakeNftKernel();
  const chain = (name: 'prerouting' | 'output' | 'postrouting', at: number) =>
    baseChain(name, { type: 'nat', hook: name, priority: at });
  const service = [...ip.daddr.in(Prefix.parse('203.0.113.1/32')), ...meta.l4proto.in([protocol.tcp])];
  const state = nftState([
    table({
      family: 'ip',
      name: 'way',
      chains: [chain('prerouting', -100), chain('output', -100), chain('postrouting', 100)],
      rules: [
        rule('prerouting', [service, dnat({ address: address('10.0.0.9'), port: 8080 })]),
        rule('output', [service, dnat({ address: address('127.0.0.1'), port: 8080 })]),
        rule('prerouting', [meta.iifname.equals('lo'), dnat({ address: address('10.9.9.9') })]),
        rule('postrouting', [ct.status('dnat'), masquerade()]),
      ],
    }),
  ]);
  expect(kernel.apply(planNft(state, nftState([]))).kind).toBe('done');
  return (now: Packet) => kernel.evaluate(now, { random: () => 0, addressOf: () => node });
}

describe.each([
  ['the fake of iptables', iptablesHook],
  ['the fake of nft', async () => nftHook()],
])('with %s', (_name, hook) => {
  test('what comes in is translated, sent on and masqueraded', async () => {
    const way = walkPacket(await hook(), {
      packet: from('prerouting', '203.0.113.1', { iif: 'eth0' }),
      localAddresses,
      linkTo,
    });
    expect(way).toMatchObject({ verdict: 'accept', masqueraded: true });
    expect(flowText(way.packet)).toBe('192.0.2.1:40000 > 10.0.0.9:8080');
    expect(way.packet.oif).toBe('cni0');
    expect(way.hops.map((hop) => hop.hook)).toEqual(['prerouting', 'forward', 'postrouting']);
  });

  test('what goes to this machine itself is translated once', async () => {
    const way = walkPacket(await hook(), { packet: from('output', '203.0.113.1'), localAddresses, linkTo });
    expect(flowText(way.packet)).toBe('192.0.2.1:40000 > 127.0.0.1:8080');
    expect(way.hops.map((hop) => hop.hook)).toEqual(['output', 'postrouting', 'prerouting', 'input']);
  });
});
