// Flows on the real kernel: those of UDP clients through a DNAT rule, and made ones in numbers and kinds that no client sends here.
import { afterEach, beforeAll, beforeEach, describe, expect, test } from '@jest/globals';
import { type Conntrack, openConntrack } from '../../kernel/conntrack/driver.ts';
import { type Flow, type FlowFilter, matchesFlow } from '../../kernel/conntrack/objects.ts';
import { flowText } from '../../kernel/conntrack/text.ts';
import { flowMessage } from '../../kernel/conntrack/wire.ts';
import { at, attributeTable } from '../../kernel/netlink/attribute-table.ts';
import { be32 } from '../../kernel/netlink/codec.ts';
import { NLM_F_CREATE, NLM_F_EXCL } from '../../kernel/netlink/message.ts';
import { NETLINK_NETFILTER, NetlinkSocket } from '../../kernel/netlink/netlink-socket.ts';
import { IpAddress } from '../../net/address.ts';
import { refuseRoot } from '../sandbox.ts';
import { clientAddress, nodeAddress, podAddress, type UdpNodes, udpNodes } from './udp-nodes.ts';

const ip = (text: string): IpAddress => IpAddress.parse(text);
const node = ip(nodeAddress);

let nodes: UdpNodes;
let conntrack: Conntrack;

beforeAll(refuseRoot);

beforeEach(() => {
  nodes = udpNodes();
  conntrack = openConntrack({ netns: nodes.node.netns });
});

afterEach(() => {
  conntrack.close();
  nodes[Symbol.dispose]();
});

interface MadeFlow {
  readonly source: string;
  readonly destination: string;
  readonly protocol: number;
  readonly sourcePort?: number;
  readonly destinationPort?: number;
  readonly zone?: number;
}

const timeout = attributeTable({ CTA_TIMEOUT: at(7, be32) });

/** Puts flows into the node's table that no packet made; one of ICMPv6 has the ports as its identifier. */
function make(flows: readonly MadeFlow[]): void {
  const socket = new NetlinkSocket({ protocol: NETLINK_NETFILTER, netns: nodes.node.netns });
  const errors = socket.execute(
    flows.map((flow) => ({
      type: 0x100,
      flags: NLM_F_CREATE | NLM_F_EXCL,
      operation: 'make flow',
      object: JSON.stringify(flow),
      body(out) {
        const [source, destination] = [ip(flow.source), ip(flow.destination)];
        const side = (from: IpAddress, to: IpAddress, reply: boolean) => ({
          CTA_TUPLE_IP:
            from.family === 4
              ? { CTA_IP_V4_SRC: from, CTA_IP_V4_DST: to }
              : { CTA_IP_V6_SRC: from, CTA_IP_V6_DST: to },
          CTA_TUPLE_PROTO:
            flow.protocol === 58
              ? {
                  CTA_PROTO_NUM: 58,
                  CTA_PROTO_ICMPV6_ID: 7,
                  CTA_PROTO_ICMPV6_TYPE: reply ? 129 : 128,
                  CTA_PROTO_ICMPV6_CODE: 0,
                }
              : {
                  CTA_PROTO_NUM: flow.protocol,
                  CTA_PROTO_SRC_PORT: reply ? flow.destinationPort : flow.sourcePort,
                  CTA_PROTO_DST_PORT: reply ? flow.sourcePort : flow.destinationPort,
                },
        });
        flowMessage.write(out, {
          header: { family: source.family === 4 ? 2 : 10, version: 0, resource: 0 },
          attributes: {
            CTA_TUPLE_ORIG: side(source, destination, false),
            CTA_TUPLE_REPLY: side(destination, source, true),
            CTA_ZONE: flow.zone,
          },
        });
        timeout.write(out, { CTA_TIMEOUT: 600 });
      },
    })),
  );
  socket.close();
  for (const error of errors) if (error !== undefined) throw error;
}

function texts(flows: readonly Flow[]): readonly string[] {
  return flows.map(flowText).toSorted();
}

/** So many flows of UDP clients to one port. */
function clients(count: number, destination: string, destinationPort: number): readonly MadeFlow[] {
  return Array.from({ length: count }, (_, i) => ({
    source: '198.51.100.1',
    destination,
    protocol: 17,
    sourcePort: 1024 + i,
    destinationPort,
  }));
}

const kinds: readonly MadeFlow[] = [
  ...clients(3, nodeAddress, 53),
  ...clients(2, nodeAddress, 5353),
  ...clients(1, podAddress, 53),
  { source: '198.51.100.1', destination: nodeAddress, protocol: 6, sourcePort: 1024, destinationPort: 53 },
  { source: '2001:db8::9', destination: '2001:db8::1', protocol: 17, sourcePort: 1024, destinationPort: 53 },
  { source: '2001:db8::9', destination: '2001:db8::1', protocol: 58 },
  {
    source: '198.51.100.9',
    destination: nodeAddress,
    protocol: 17,
    sourcePort: 1,
    destinationPort: 53,
    zone: 3,
  },
];

test('a UDP flow through a DNAT rule: where it was sent, and where it leads', async () => {
  nodes.nft(`add rule ip test ports udp dport 5353 dnat to ${podAddress}:53`);
  const pod = nodes.socket(nodes.pod, { address: podAddress, port: 53 });
  const client = nodes.socket(nodes.client, { address: clientAddress, port: 40_000 });
  await client.send('question', { address: nodeAddress, port: 5353 });
  await pod.until('question');
  expect(texts(conntrack.list({}))).toEqual([
    'udp src=192.0.2.9 dst=192.0.2.1 sport=40000 dport=5353 src=10.1.0.2 dst=192.0.2.9 sport=53 dport=40000',
  ]);
  expect(texts(conntrack.list({}))).toEqual(nodes.procFlows());
  expect(conntrack.delete({ protocol: 17, original: { destination: node, destinationPort: 5353 } })).toBe(1);
  expect(nodes.procFlows()).toEqual([]);
});

describe('filters', () => {
  const six = ip('2001:db8::1');
  const filters: readonly FlowFilter[] = [
    {},
    { family: 4 },
    { family: 6 },
    { protocol: 17 },
    { family: 6, protocol: 17 },
    ...[node, six, undefined].flatMap((address): FlowFilter[] => [
      { original: { destination: address } },
      { reply: { source: address } },
      { protocol: 17, original: { destination: address, destinationPort: 53 } },
      { protocol: 17, reply: { source: address, sourcePort: 53 } },
      { original: { destination: address, destinationPort: 53 }, reply: { sourcePort: 53 } },
      {
        protocol: 6,
        original: { destination: address, destinationPort: 53 },
        reply: { source: address, sourcePort: 53 },
      },
    ]),
  ];

  test('each lists exactly the flows that match it, as do the lists of /proc', () => {
    make(kinds);
    const all = conntrack.list({});
    expect(all).toHaveLength(kinds.length);
    expect(texts(all)).toEqual(nodes.procFlows().toSorted());
    for (const filter of filters) {
      const expected = all.filter((flow) => matchesFlow(filter, flow));
      expect([filter, texts(conntrack.list(filter))]).toEqual([filter, texts(expected)]);
    }
  });

  test.each(['delete', 'flush'] as const)('%s takes exactly these', (verb) => {
    for (const filter of filters) {
      conntrack.delete({});
      make(kinds);
      const all = conntrack.list({});
      const gone = all.filter((flow) => matchesFlow(filter, flow));
      const count = conntrack[verb](filter);
      if (verb === 'delete') expect([filter, count]).toEqual([filter, gone.length]);
      const left = all.filter((flow) => !gone.includes(flow));
      expect([filter, texts(conntrack.list({}))]).toEqual([filter, texts(left)]);
    }
  });

  test('of a family that does not fit the address: nothing', () => {
    make(kinds);
    expect(conntrack.list({ family: 6, original: { destination: node } })).toEqual([]);
    conntrack.flush({ family: 6, protocol: 17, original: { destination: node } });
    expect(conntrack.list({})).toHaveLength(kinds.length);
  });
});

describe('deleting', () => {
  test('200 among 2,000', () => {
    make([...clients(1800, podAddress, 53), ...clients(200, nodeAddress, 53)]);
    expect(conntrack.delete({ protocol: 17, original: { destination: node } })).toBe(200);
    expect(conntrack.list({})).toHaveLength(1800);
    conntrack.flush({ protocol: 17, original: { destination: ip(podAddress), destinationPort: 53 } });
    expect(conntrack.list({})).toEqual([]);
  });

  test('what ended meanwhile is success, and its successor stays', () => {
    make(kinds);
    const before = conntrack.list({});
    conntrack.delete({ protocol: 17 });
    // A flow's identity is made of its place in memory, too: others are to take that first.
    make(clients(8, nodeAddress, 54));
    make(clients(1, nodeAddress, 53));
    const after = conntrack.list({});
    expect(conntrack.deleteFlows(before)).toBe(2);
    expect(texts(conntrack.list({}))).toEqual(texts(after.filter(({ protocol }) => protocol === 17)));
    expect(conntrack.deleteFlows([])).toBe(0);
  });

  test('says which capability is missing', () => {
    process.seteuid?.(65_534);
    try {
      const filter: FlowFilter = { protocol: 17, original: { destination: node } };
      const refused =
        'Cannot list flows "-p udp --orig-dst 192.0.2.1": operation not permitted (EPERM): the capability CAP_NET_ADMIN is needed';
      expect(() => conntrack.delete(filter)).toThrow(refused);
      expect(() => conntrack.flush(filter)).toThrow(/^Cannot delete flows .*EPERM/);
    } finally {
      process.seteuid?.(0);
    }
  });
});
