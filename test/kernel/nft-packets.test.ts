// The same rules and packets in the fake and in the kernel: what rules compute of a packet must agree. The packets are UDP over
// loopback; each rule leaves what it computed in a set.
import { expect, test } from '@jest/globals';
import { execute } from '../../kernel/exec.ts';
import {
  anonymousMap,
  baseChain,
  element,
  map,
  priority,
  rule,
  set,
  table,
} from '../../kernel/nft/declare.ts';
import { openNftDriver } from '../../kernel/nft/driver.ts';
import { FakeNftKernel } from '../../kernel/nft/fake.ts';
import { ct, fib, ip, jhash, meta, numgen, th, udp } from '../../kernel/nft/fields.ts';
import { nftState, type Table } from '../../kernel/nft/objects.ts';
import { packet } from '../../kernel/nft/packet.ts';
import { planNft } from '../../kernel/nft/plan.ts';
import { concat, type Statement } from '../../kernel/nft/selector.ts';
import { accept, dnat, update } from '../../kernel/nft/statement.ts';
import { generationAfter } from '../../kernel/nft/step.ts';
import { protocol } from '../../kernel/nft/value-text.ts';
import { address, prefix } from '../nft/example-tables.ts';
import { refuseRoot, testNetns } from '../sandbox.ts';

refuseRoot();

const targets = Array.from({ length: 24 }, (_, i) => ({
  host: `127.0.${i % 3}.${i + 1}`,
  port: 1000 + i * 7,
}));

const marks = map('marks', {
  key: ['ipv4_addr', 'inet_service'],
  data: 'mark',
  elements: targets
    .slice(0, 12)
    .map(({ host, port }, i) => element([address(host), port], { data: [i + 0x100] })),
});

/** Each computes a mark of the packet or leaves it alone. */
const computations: readonly Statement[] = [
  meta.mark.set(jhash(ip.daddr, { modulus: 1_000_000, seed: 0x1234 })),
  meta.mark.set(jhash(concat(ip.daddr, th.dport), { modulus: 1000, seed: 1, offset: 5 })),
  meta.mark.set(jhash(concat(ip.saddr, ip.daddr, meta.l4proto, th.dport), { modulus: 1000, seed: 7 })),
  meta.mark.set(concat(ip.daddr, udp.dport).map('marks', ['mark'])),
  meta.mark.set(numgen.inc(5, 10)),
  [...ip.daddr.in(prefix('127.0.1.0/24')), ...meta.mark.set(1)],
  [...ip.daddr.notIn(prefix('127.0.0.0/21')), ...meta.mark.set(2)],
  [...ip.daddr.in({ first: address('127.0.0.3'), last: address('127.0.1.9') }), ...meta.mark.set(3)],
  [...udp.dport.between(1020, 1090), ...meta.mark.set(4)],
  [...th.dport.in([1000, 1014, { first: 1100, last: 1130 }]), ...meta.mark.set(5)],
  [...fib.daddrType.equals(2), ...meta.mark.set(6)],
  [...ct.state('new'), ...meta.mark.set(7), ...meta.mark.setBits(0xf0), ...meta.mark.flipBits(0x11)],
  [...meta.oifname.equals('lo'), ...meta.mark.set(8)],
  [
    ...meta.oifname.equals('l*'),
    ...meta.l4proto.in([protocol.udp]),
    ...meta.mark.replaceBits({ keep: 0, set: 9 }),
  ],
  meta.mark.set(
    numgen.inc(1).map(anonymousMap({ key: 'integer', data: 'mark' }, [element(0, { data: [77] })]), ['mark']),
  ),
];

function computing(statement: Statement): Table {
  return table({
    family: 'ip',
    name: 'netloom-packets',
    sets: [
      marks,
      set('seen', { key: ['ipv4_addr', 'inet_service', 'mark'], flags: ['dynamic'], size: 1000 }),
    ],
    chains: [baseChain('output', { type: 'filter', hook: 'output', priority: priority.filter })],
    rules: [
      // ICMP errors answer the packets: nobody listens.
      rule('output', [meta.l4proto.notEquals(protocol.udp), accept]),
      rule('output', [meta.mark.set(0xffff)]),
      rule('output', [statement]),
      rule('output', [update('seen', { key: concat(ip.daddr, th.dport, meta.mark) })]),
    ],
  });
}

const send = targets.map(({ host, port }) => `echo >/dev/udp/${host}/${port}`).join('\n');

test('rules compute the same of packets in the fake and in the kernel', async () => {
  using made = testNetns();
  await execute(['ip', 'link', 'set', 'lo', 'up'], { netns: made.netns });
  const driver = openNftDriver({ netns: made.netns });
  for (const [i, statement] of computations.entries()) {
    const wanted = nftState([computing(statement)]);
    const fake = new FakeNftKernel();
    generationAfter(fake.apply(planNft(wanted, new Map())));
    generationAfter(driver.apply(planNft(new Map(), driver.read([...wanted.values()]).state)));
    generationAfter(driver.apply(planNft(wanted, new Map())));
    await execute(['bash', '-c', send], { netns: made.netns });
    for (const { host, port } of targets) {
      const sent = packet({
        hook: 'output',
        saddr: address('127.0.0.1'),
        daddr: address(host),
        protocol: protocol.udp,
        dport: port,
        oif: 'lo',
      });
      fake.evaluate(sent, { random: () => 0, addressType: () => 'local' });
    }
    const seen = (state: ReturnType<typeof driver.read>['state']) =>
      [...(state.get('ip netloom-packets')?.sets.get('seen')?.elements.keys() ?? [])].sort();
    const ofFake = seen(fake.state);
    expect({ computation: i, seen: seen(driver.read([...wanted.values()]).state) }).toEqual({
      computation: i,
      seen: ofFake,
    });
    expect(ofFake).toHaveLength(targets.length);
  }
  driver.close();
});

test('services are reached through the layout without an object each', async () => {
  using made = testNetns();
  await execute(['ip', 'link', 'set', 'lo', 'up'], { netns: made.netns });
  const driver = openNftDriver({ netns: made.netns });
  const service = address('127.1.0.1');
  const layout = table({
    family: 'ip',
    name: 'netloom-packets',
    sets: [
      map('eps', {
        key: ['ipv4_addr', 'inet_proto', 'inet_service', 'integer'],
        data: ['ipv4_addr', 'inet_service'],
        typeof: [
          'ip daddr',
          'meta l4proto',
          'th dport',
          { numgen: 'inc', modulus: 3 },
          'ip daddr',
          'th dport',
        ],
        elements: [0, 1, 2].map((slot) =>
          element([service, protocol.udp, 53, slot], { data: [address(`127.2.0.${slot + 1}`), 5300 + slot] }),
        ),
      }),
      set('reached', { key: ['ipv4_addr', 'inet_service'], flags: ['dynamic'], size: 100 }),
    ],
    chains: [
      baseChain('output', { type: 'nat', hook: 'output', priority: priority.dstnat }),
      baseChain('input', { type: 'filter', hook: 'input', priority: priority.filter }),
    ],
    rules: [
      rule('output', [
        meta.l4proto.equals(protocol.udp),
        dnat({
          by: concat(ip.daddr, meta.l4proto, th.dport, numgen.inc(3)).map('eps', [
            'ipv4_addr',
            'inet_service',
          ]),
        }),
      ]),
      rule('input', [
        meta.l4proto.equals(protocol.udp),
        update('reached', { key: concat(ip.daddr, th.dport) }),
      ]),
    ],
  });
  generationAfter(driver.apply(planNft(nftState([layout]), new Map())));
  await execute(['bash', '-c', Array.from({ length: 9 }, () => `echo >/dev/udp/${service}/53`).join('\n')], {
    netns: made.netns,
  });
  const { state } = driver.read([layout]);
  driver.close();
  expect([...(state.get('ip netloom-packets')?.sets.get('reached')?.elements.keys() ?? [])].sort()).toEqual([
    '127.2.0.1 . 5300',
    '127.2.0.2 . 5301',
    '127.2.0.3 . 5302',
  ]);
});
