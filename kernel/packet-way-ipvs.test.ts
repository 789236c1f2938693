// Where ip_vs stands, told by what the tables of iptables and nft's chains see of packets that it sends on, delivers and refuses.
import { describe, expect, test } from '@jest/globals';
import { IpAddress } from '../net/address.ts';
import type { HookOutcome } from './hook-outcome.ts';
import { FakeIptablesKernel } from './iptables/fake.ts';
import { baseChain, rule, table } from './nft/declare.ts';
import { flowText } from './nft/evaluate.ts';
import { FakeNftKernel } from './nft/fake.ts';
import { meta } from './nft/fields.ts';
import { nftState } from './nft/objects.ts';
import { type Packet, packet } from './nft/packet.ts';
import { planNft } from './nft/plan.ts';
import { type PacketWay, walkPacket } from './packet-way.ts';
import type { IpvsAnswer } from './packet-way-ipvs.ts';

const address = (text: string) => IpAddress.parse(text);
const node = address('192.0.2.1');
const virtual = address('172.30.0.41');
const pod = { address: address('10.0.0.9'), port: 8080 };
const here = { address: node, port: 8080 };

const from = (hook: 'prerouting' | 'output', more: Partial<Packet> = {}) =>
  packet({ hook, saddr: address('198.51.100.7'), daddr: virtual, protocol: 6, dport: 80, ...more });

const tables = { raw: ['PREROUTING', 'OUTPUT'], filter: ['INPUT', 'FORWARD', 'OUTPUT'] };
const everyChain = ['PREROUTING', 'INPUT', 'FORWARD', 'OUTPUT', 'POSTROUTING'];

/** A rule without a target in every chain, so that the trace names each; and masquerading of what has a mark. */
async function iptables(): Promise<FakeIptablesKernel> {
  const kernel = new FakeIptablesKernel();
  const chains = { raw: tables.raw, mangle: everyChain, nat: everyChain, filter: tables.filter };
  const lines = Object.entries(chains).flatMap(([name, all]) => [
    `*${name}`,
    ...all
      .filter((chain) => name !== 'nat' || chain !== 'FORWARD')
      .map((chain) => `-A ${chain} -m comment --comment seen`),
    ...(name === 'nat' ? ['-A POSTROUTING -m mark --mark 0x4000/0x4000 -j MASQUERADE'] : []),
    'COMMIT',
  ]);
  await kernel.access(4).restore(`${lines.join('\n')}\n`);
  return kernel;
}

type Way = PacketWay<{ readonly table: string; readonly chain: string }>;

async function walk(
  given: Packet,
  answer: (packet: Packet) => IpvsAnswer | undefined,
): Promise<{ readonly way: Way; readonly seen: readonly string[]; readonly asked: readonly string[] }> {
  const kernel = await iptables();
  const asked: string[] = [];
  const way = walkPacket((now, part) => kernel.evaluate(now, { part, addressOf: () => node }), {
    packet: given,
    localAddresses: [node, virtual],
    linkTo: () => 'cni0',
    ipvs: (now) => {
      asked.push(`${now.hook} ${now.iif ?? '-'}`);
      return now.daddr.equals(virtual) ? answer(now) : undefined;
    },
  });
  const seen = way.hops.flatMap(({ trace }) => trace.map((one) => `${one.table} ${one.chain}`));
  return { way, seen, asked };
}

const sentTo = (real: typeof pod) => (): IpvsAnswer => ({ kind: 'sent', real });

describe('ip_vs', () => {
  test('sends on what came in, behind the filter of INPUT, and through OUTPUT and POSTROUTING', async () => {
    const { way, seen, asked } = await walk(from('prerouting', { iif: 'eth0', mark: 0x4000 }), sentTo(pod));
    expect(way).toMatchObject({ verdict: 'accept', masqueraded: true });
    expect(flowText(way.packet)).toBe('192.0.2.1:40000 > 10.0.0.9:8080');
    expect(way.packet).toMatchObject({ oif: 'cni0', byIpvs: true });
    expect(way.packet.ct).toMatchObject({ original: { dport: 80 } });
    expect(way.packet.ct.dnat).toBeUndefined();
    expect(seen).toEqual([
      'raw PREROUTING',
      'mangle PREROUTING',
      'nat PREROUTING',
      'mangle INPUT',
      'filter INPUT',
      'raw OUTPUT',
      'mangle OUTPUT',
      'filter OUTPUT',
      'mangle POSTROUTING',
      'nat POSTROUTING',
      'nat POSTROUTING',
    ]);
    expect(asked).toEqual(['input eth0']);
  });

  test('sends on what this machine sends behind nat, and in front of the filter', async () => {
    const { way, seen, asked } = await walk(from('output', { mark: 0x4000 }), sentTo(pod));
    expect(flowText(way.packet)).toBe('192.0.2.1:40000 > 10.0.0.9:8080');
    expect(seen).toEqual([
      'raw OUTPUT',
      'mangle OUTPUT',
      'nat OUTPUT',
      'raw OUTPUT',
      'mangle OUTPUT',
      'filter OUTPUT',
      'mangle POSTROUTING',
      'nat POSTROUTING',
      'nat POSTROUTING',
    ]);
    expect(asked).toEqual(['output -']);
    expect(way.hops.map(({ packet: at }) => at.oif)).toEqual(['lo', 'cni0', 'cni0']);
  });

  test('delivers to this machine where the packet is', async () => {
    const { way, seen } = await walk(from('prerouting', { iif: 'eth0' }), sentTo(here));
    expect(flowText(way.packet)).toBe('198.51.100.7:40000 > 192.0.2.1:8080');
    expect(seen.slice(3)).toEqual(['mangle INPUT', 'filter INPUT', 'nat INPUT']);
    const own = await walk(from('output'), sentTo(here));
    expect(own.seen.slice(3)).toEqual([
      'filter OUTPUT',
      'mangle POSTROUTING',
      'nat POSTROUTING',
      'raw PREROUTING',
      'mangle PREROUTING',
      'mangle INPUT',
      'filter INPUT',
    ]);
    expect(own.asked).toEqual(['output -']);
  });

  test('lets through what no virtual server wants: over lo it is asked again', async () => {
    const { way, asked } = await walk(from('output'), () => undefined);
    expect(way).toMatchObject({ verdict: 'accept', packet: { daddr: virtual, hook: 'input' } });
    expect(asked).toEqual(['output -', 'input lo']);
  });

  test('refuses', async () => {
    const { way, seen } = await walk(from('prerouting', { iif: 'eth0' }), () => ({ kind: 'refused' }));
    expect(way.verdict).toBe('reject');
    expect(seen.at(-1)).toBe('filter INPUT');
  });

  test('does not see what was dropped in front of it, nor what begins no connection', async () => {
    const kernel = await iptables();
    await kernel.access(4).restore('*filter\n-A INPUT -j DROP\nCOMMIT\n');
    const dropped = walkPacket((now, part) => kernel.evaluate(now, { part }), {
      packet: from('prerouting'),
      localAddresses: [virtual],
      ipvs: sentTo(pod),
    });
    expect(dropped).toMatchObject({ verdict: 'drop', packet: { daddr: virtual } });
    const known = await walk(from('prerouting', { ct: { state: 'established' } }), sentTo(pod));
    expect(known.asked).toEqual([]);
    expect(known.way.packet.daddr).toEqual(virtual);
  });
});

test('chains of nft are run in parts, too', () => {
  const kernel = new FakeNftKernel();
  const marking = [-150, 0, 98, 99, 200].map((priority) => ({ priority, name: `at${priority}` }));
  const state = nftState([
    table({
      family: 'ip',
      name: 'way',
      chains: marking.map(({ name, priority }) =>
        baseChain(name, { type: 'filter', hook: 'input', priority }),
      ),
      rules: marking.map(({ name }) => rule(name, [meta.l4proto.in([6])])),
    }),
  ]);
  expect(kernel.apply(planNft(state, nftState([]))).kind).toBe('done');
  const at = (now: Packet, part = {}): HookOutcome<{ readonly chain: string }> =>
    kernel.evaluate(now, { random: () => 0, part });
  const seen = (answer: IpvsAnswer | undefined) =>
    walkPacket(at, {
      packet: from('prerouting'),
      localAddresses: [node, virtual],
      ipvs: () => answer,
    }).hops.flatMap(({ trace }) => trace.map(({ chain }) => chain));
  expect(seen(undefined)).toEqual(marking.map(({ name }) => name));
  expect(seen({ kind: 'sent', real: here })).toEqual(marking.map(({ name }) => name));
  expect(seen({ kind: 'sent', real: pod })).toEqual(['at-150', 'at0', 'at98']);
});
