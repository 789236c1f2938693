// Maps and sets that packets fill, with real packets over loopback: a client keeps its endpoint until that is gone or the client
// was silent for too long; elements count; and the fake does all of it as the kernel does.
import { once } from 'node:events';
import { setTimeout } from 'node:timers/promises';
import { describe, expect, test } from '@jest/globals';
import { datagramSocket } from '../../cli/lab/datagram-socket.ts';
import { execute } from '../../kernel/exec.ts';
import { baseChain, chain, element, map, priority, rule, set, table } from '../../kernel/nft/declare.ts';
import { openNftDriver } from '../../kernel/nft/driver.ts';
import { FakeNftKernel } from '../../kernel/nft/fake.ts';
import { ct, ip, meta, numgen, th } from '../../kernel/nft/fields.ts';
import { nftState, type Table } from '../../kernel/nft/objects.ts';
import { packet } from '../../kernel/nft/packet.ts';
import { planNft } from '../../kernel/nft/plan.ts';
import { concat, type Statement } from '../../kernel/nft/selector.ts';
import type { Element, NftSet } from '../../kernel/nft/set.ts';
import { elementText } from '../../kernel/nft/set-text.ts';
import { add, dnat, goto, remove, update } from '../../kernel/nft/statement.ts';
import { generationAfter, type NftDriver, type NftStep } from '../../kernel/nft/step.ts';
import { protocol } from '../../kernel/nft/value-text.ts';
import { IpAddress } from '../../net/address.ts';
import { address } from '../nft/example-tables.ts';
import { refuseRoot, type TestNetns, testNetns } from '../sandbox.ts';

refuseRoot();

const id = { family: 'ip', name: 'netloom-affinity' } as const;
const service = { address: address('127.96.0.1'), port: 53 };
const endpoints = [1, 2, 3].map((i) => ({ address: address(`127.2.0.${i}`), port: 5300 + i }));
const idBits = 0x000fffff;
const serviceId = 5;

/** Index in the upper 12 bits, service in the lower 20. */
function endpointNumber(index: number): number {
  return index * 0x100000 + serviceId;
}

const slots = map('slots', {
  key: ['classid', 'integer'],
  data: 'classid',
  elements: endpoints.map((_, i) => element([serviceId, i], { data: [endpointNumber(i)] })),
});
const addresses = map('addresses', {
  key: 'classid',
  data: ['ipv4_addr', 'inet_service'],
  elements: endpoints.map((one, i) => element(endpointNumber(i), { data: [one.address, one.port] })),
});
const traffic = set('traffic', {
  key: ['ipv4_addr', 'inet_proto', 'inet_service'],
  flags: ['dynamic'],
  size: 1000,
});

function affinityMap(timeout: number): NftSet {
  return map('affinity', {
    key: ['ipv4_addr', 'classid'],
    data: 'classid',
    typeof: ['ip saddr', 'meta priority', 'meta priority'],
    flags: ['dynamic'],
    size: 1000,
    timeout,
  });
}

const toEndpoint = dnat({ by: meta.priority.map('addresses', ['ipv4_addr', 'inet_service']) });
const ofClient = concat(ip.saddr, meta.priority.masked(idBits));

function layout(timeout: number): Table {
  const udp = meta.l4proto.equals(protocol.udp);
  return table({
    ...id,
    sets: [slots, addresses, affinityMap(timeout), traffic],
    chains: [
      baseChain('output', { type: 'nat', hook: 'output', priority: priority.dstnat }),
      baseChain('input', { type: 'filter', hook: 'input', priority: priority.filter }),
      chain('pick'),
      chain('known'),
      chain('fresh'),
    ],
    rules: [
      rule('output', [
        ip.daddr.equals(service.address),
        udp,
        th.dport.equals(service.port),
        meta.priority.set(serviceId),
        goto('pick'),
      ]),
      rule('pick', [
        meta.priority.set(concat(ip.saddr, meta.priority).map('affinity', ['classid'])),
        goto('known'),
      ]),
      rule('pick', [goto('fresh')]),
      rule('known', [update('affinity', { key: ofClient, data: meta.priority })]),
      rule('known', [udp, toEndpoint]),
      rule('known', [remove('affinity', { key: ofClient, data: meta.priority })]),
      rule('known', [meta.priority.keepBits(idBits), goto('fresh')]),
      rule('fresh', [meta.priority.set(concat(meta.priority, numgen.random(3)).map('slots', ['classid']))]),
      rule('fresh', [update('affinity', { key: ofClient, data: meta.priority })]),
      rule('fresh', [udp, toEndpoint]),
      rule('input', [
        ct.status('dnat'),
        update('traffic', {
          key: concat(ct.original.daddr(4), meta.l4proto, ct.original.protoDst),
          counter: true,
        }),
      ]),
    ],
  });
}

interface Place extends Disposable {
  readonly driver: NftDriver;
  /** Asks the service from a port of its own, which is a connection of its own; the answer names the endpoint. */
  ask(client: string): Promise<string>;
  elements(of: NftSet): readonly Element[];
}

async function place(made: TestNetns, timeout: number): Promise<Place> {
  await execute(['ip', 'link', 'set', 'lo', 'up'], { netns: made.netns });
  const driver = openNftDriver({ netns: made.netns });
  generationAfter(driver.apply(planNft(nftState([layout(timeout)]), new Map())));
  const open = (port: number, own: string) =>
    made.netns.run(() => {
      const socket = datagramSocket();
      socket.bind(port, own);
      return socket;
    });
  const servers = endpoints.map((one) => {
    const socket = open(one.port, one.address.toString());
    socket.on('message', (_, from) => socket.send(one.address.toString(), from.port, from.address));
    return socket;
  });
  return {
    driver,
    async ask(client) {
      const socket = open(0, client);
      try {
        socket.send('who', service.port, service.address.toString());
        const [answer] = await once(socket, 'message');
        return String(answer);
      } finally {
        socket.close();
      }
    },
    elements: (of) => [...driver.readElements(id, of)].flat(),
    [Symbol.dispose]() {
      for (const socket of servers) socket.close();
      driver.close();
    },
  };
}

const clients = Array.from({ length: 30 }, (_, i) => `127.1.0.${i + 1}`);

async function answers(of: Place): Promise<ReadonlyMap<string, string>> {
  const found = new Map<string, string>();
  for (const client of clients) found.set(client, await of.ask(client));
  return found;
}

describe('a client of a service with affinity', () => {
  test('keeps its endpoint, until that is gone', async () => {
    using made = testNetns();
    using there = await place(made, 3_600_000);
    const first = await answers(there);
    expect(new Set(first.values()).size).toBeGreaterThan(1);
    expect(await answers(there)).toEqual(first);

    const affinity = there.elements(affinityMap(3_600_000));
    expect(affinity).toHaveLength(clients.length);
    for (const { key, data, expires = 0n } of affinity) {
      expect(expires > 0n && expires <= 3_600_000n).toBe(true);
      const [client] = key;
      const [number] = Array.isArray(data) ? data : [];
      const chosen = endpoints[(Number(number) - serviceId) / 0x100000];
      expect(chosen?.address.toString()).toBe(first.get(String(client)));
    }

    // The last endpoint goes, another takes its slot.
    const gone = String(endpoints[2]?.address);
    const steps: readonly NftStep[] = [
      { kind: 'element-delete', table: id, set: slots, element: element([serviceId, 2]) },
      {
        kind: 'element-add',
        table: id,
        set: slots,
        element: element([serviceId, 2], { data: [endpointNumber(0)] }),
      },
      { kind: 'element-delete', table: id, set: addresses, element: element(endpointNumber(2)) },
    ];
    generationAfter(there.driver.apply(steps));
    const second = await answers(there);
    for (const [client, answer] of second) {
      expect(answer).not.toBe(gone);
      if (first.get(client) !== gone) expect(answer).toBe(first.get(client));
    }
    expect(await answers(there)).toEqual(second);
    expect(there.elements(affinityMap(3_600_000))).toHaveLength(clients.length);
  });

  test('is forgotten when it was silent for too long', async () => {
    using made = testNetns();
    using there = await place(made, 200);
    await there.ask('127.1.0.1');
    while (there.elements(affinityMap(200)).length > 0) await setTimeout(20);
    await there.ask('127.1.0.1');
  });

  test('is counted with its answers by what it asked for', async () => {
    using made = testNetns();
    using there = await place(made, 3_600_000);
    for (let i = 0; i < 5; i++) await there.ask('127.1.0.1');
    // A question of 31 bytes, an answer of 37, with their IP and UDP headers.
    expect(there.elements(traffic)).toEqual([
      {
        key: [service.address, protocol.udp, service.port],
        counter: { packets: 10n, bytes: 5n * (31n + 37n) },
      },
    ]);
  });
});

const targets = Array.from({ length: 6 }, (_, i) => ({
  host: `127.0.0.${(i % 4) + 1}`,
  port: 1000 + (i % 3),
}));

/** What each packet does to the map or set `to`. */
const fillings: readonly (readonly [to: NftSet, rules: readonly (readonly Statement[])[]])[] = [
  [
    map('to', { key: 'ipv4_addr', data: 'classid', flags: ['dynamic'] }),
    [
      [meta.priority.set(numgen.inc(5, 0x100001))],
      [update('to', { key: ip.daddr, data: meta.priority, counter: true })],
    ],
  ],
  [
    map('to', { key: ['ipv4_addr', 'classid'], data: 'integer', flags: ['dynamic'], timeout: 3_600_000 }),
    [
      [meta.priority.set(0x300007)],
      [
        add('to', {
          key: concat(ip.daddr, meta.priority.masked(0xf)),
          data: numgen.inc(7, 3),
          timeout: 7_200_000,
        }),
      ],
    ],
  ],
  [
    map('to', { key: 'inet_service', data: 'ipv4_addr', flags: ['dynamic'], timeout: 3_600_000 }),
    [
      [add('to', { key: th.dport, data: ip.daddr, timeout: 3_600_000 })],
      [th.dport.equals(1001), remove('to', { key: th.dport, data: ip.daddr })],
    ],
  ],
  [
    set('to', { key: ['ipv4_addr', 'inet_service'], flags: ['dynamic'], size: 3 }),
    [[update('to', { key: concat(ip.daddr, th.dport), counter: true })]],
  ],
  [
    set('to', { key: ['ipv4_addr', 'inet_proto', 'inet_service', 'ifname'], flags: ['dynamic'] }),
    [
      [
        ct.direction('original'),
        update('to', {
          key: concat(ct.original.daddr(4), meta.l4proto, ct.original.protoDst, meta.iifname),
          counter: true,
        }),
      ],
    ],
  ],
];

test('packets fill sets and maps the same in the fake and in the kernel', async () => {
  using made = testNetns();
  await execute(['ip', 'link', 'set', 'lo', 'up'], { netns: made.netns });
  const driver = openNftDriver({ netns: made.netns });
  const send = targets.map(({ host, port }) => `echo >/dev/udp/${host}/${port}`).join('\n');
  for (const [i, [to, rules]] of fillings.entries()) {
    const wanted = nftState([
      table({
        ...id,
        sets: [to],
        chains: [baseChain('output', { type: 'filter', hook: 'output', priority: priority.filter })],
        rules: rules.map((statements) => rule('output', [meta.l4proto.equals(protocol.udp), ...statements])),
      }),
    ]);
    const fake = new FakeNftKernel();
    generationAfter(fake.apply(planNft(wanted, new Map())));
    generationAfter(driver.apply(planNft(new Map(), driver.read([id]).state)));
    generationAfter(driver.apply(planNft(wanted, new Map())));
    await execute(['bash', '-c', send], { netns: made.netns });
    for (const { host, port } of targets)
      fake.evaluate(
        packet({
          hook: 'output',
          saddr: IpAddress.parse('127.0.0.1'),
          daddr: address(host),
          protocol: protocol.udp,
          dport: port,
          oif: 'lo',
          length: 29,
        }),
        { random: () => 0 },
      );
    const listed = (elements: readonly Element[]) =>
      elements
        .map(({ counter, ...one }) => `${elementText(to, one)} ${counter?.packets} ${counter?.bytes}`)
        .sort();
    const ofFake = listed([...fake.driver().readElements(id, to)].flat());
    expect({ filling: i, elements: listed([...driver.readElements(id, to)].flat()) }).toEqual({
      filling: i,
      elements: ofFake,
    });
    expect(ofFake.length).toBeGreaterThan(1);
  }
  driver.close();
});
