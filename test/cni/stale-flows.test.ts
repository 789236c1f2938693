// Real UDP clients that keep their source port while a published port comes and goes: where their packets arrive, with and without
// the flush.
import { afterEach, beforeAll, beforeEach, expect, test } from '@jest/globals';
import type { PodRules, PortMapping } from '../../agent/wiring/pod-rules.ts';
import { flushPodUdpFlows, flushUdpFlows } from '../../agent/wiring/stale-flows.ts';
import { type Conntrack, openConntrack } from '../../kernel/conntrack/driver.ts';
import { IpAddress } from '../../net/address.ts';
import { Prefix } from '../../net/prefix.ts';
import {
  clientAddress,
  nodeAddress,
  podAddress,
  type UdpEnd,
  type UdpNodes,
  udpNodes,
} from '../kernel/udp-nodes.ts';
import { refuseRoot } from '../sandbox.ts';

const published = { address: nodeAddress, port: 5353 };
const mapping: PortMapping = { protocol: 'udp', hostPort: 5353, containerPort: 53 };
const rulesOf = (...ports: readonly PortMapping[]): Pick<PodRules, 'ports' | 'addresses'> => ({
  ports,
  addresses: [Prefix.parse(`${podAddress}/24`), Prefix.parse('2001:db8::2/64')],
});

let nodes: UdpNodes;
let conntrack: Conntrack;
let pod: UdpEnd;
let client: UdpEnd;

beforeAll(refuseRoot);

beforeEach(() => {
  nodes = udpNodes();
  conntrack = openConntrack({ netns: nodes.node.netns });
  pod = nodes.socket(nodes.pod, { address: podAddress, port: 53 });
  client = nodes.socket(nodes.client, { address: clientAddress, port: 40_000 });
});

afterEach(() => {
  conntrack.close();
  nodes[Symbol.dispose]();
});

function map(): void {
  nodes.nft(`add rule ip test ports udp dport 5353 dnat to ${podAddress}:53`);
}

/** A packet that certainly arrives, after all that were sent before it. */
async function mark(text: string): Promise<void> {
  const marker = nodes.socket(nodes.node, { address: '10.1.0.1', port: 0 });
  await marker.send(text, { address: podAddress, port: 53 });
  await pod.until(text);
}

test('a client that talked to the port before it was published reaches the pod, and only after the flush', async () => {
  await client.send('before', published);
  await nodes.tracked(40_000);
  map();
  await client.send('stale', published);
  await mark('marker');
  expect(pod.received).toEqual(['marker']);

  expect(flushUdpFlows(rulesOf(mapping), conntrack)).toBe(1);
  await client.send('after', published);
  await pod.until('after');
  expect(pod.received).toEqual(['marker', 'after']);
});

test('a client of the pod keeps its flow, and so do those of other ports and addresses', async () => {
  map();
  await client.send('elsewhere', { address: nodeAddress, port: 9 });
  await client.send('one', published);
  await pod.until('one');
  const before = nodes.procFlows();
  expect(flushUdpFlows(rulesOf(mapping), conntrack)).toBe(0);
  // Not of UDP; on another address; in a family that the pod has no address of.
  const others: readonly PortMapping[] = [
    { ...mapping, protocol: 'tcp', hostPort: 9 },
    { ...mapping, hostPort: 9, hostIp: IpAddress.parse('192.0.2.77') },
    { ...mapping, hostPort: 9, hostIp: IpAddress.parse('2001:db8::1') },
  ];
  expect(flushUdpFlows(rulesOf(...others), conntrack)).toBe(0);
  expect(nodes.procFlows()).toEqual(before);
  const here = { ...mapping, hostPort: 9, hostIp: IpAddress.parse(nodeAddress) };
  expect(flushUdpFlows(rulesOf(here), conntrack)).toBe(1);
});

test('a flow to a former pod is led to the new one', async () => {
  nodes.nft('add rule ip test ports udp dport 5353 dnat to 10.1.0.77:53');
  await client.send('to the former', published);
  await nodes.tracked(40_000);
  nodes.nft('flush chain ip test ports');
  map();
  expect(flushUdpFlows(rulesOf(mapping), conntrack)).toBe(1);
  await client.send('to the new', published);
  await pod.until('to the new');
  expect(pod.received).toEqual(['to the new']);
});

test('a client of a port that is published no more loses the pod, and only after the flush', async () => {
  map();
  await client.send('one', published);
  await pod.until('one');
  nodes.nft('flush chain ip test ports');
  await client.send('still', published);
  await pod.until('still');

  expect(flushPodUdpFlows(rulesOf({ ...mapping, containerPort: 54 }), conntrack)).toBe(0);
  expect(flushPodUdpFlows(rulesOf({ ...mapping, protocol: 'sctp' }), conntrack)).toBe(0);
  expect(flushPodUdpFlows(rulesOf(mapping), conntrack)).toBe(1);
  await client.send('nevermore', published);
  await mark('marker');
  expect(pod.received).toEqual(['one', 'still', 'marker']);
});
