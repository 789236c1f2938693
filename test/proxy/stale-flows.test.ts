// Stale UDP flows on a real kernel: a client that keeps on talking reaches the new endpoint, and flows that are in order stay.
import { execFileSync } from 'node:child_process';
import { afterEach, beforeEach, expect, test } from '@jest/globals';
import { type Conntrack, openConntrack } from '../../kernel/conntrack/driver.ts';
import { IpAddress } from '../../net/address.ts';
import { samplePort } from '../../proxy/sample-services.ts';
import type { ServicePort } from '../../proxy/service-port.ts';
import { createStaleFlowCleaner, type StaleFlowCleaner } from '../../proxy/stale-flow-cleaner.ts';
import { realClock } from '../../runtime/clock.ts';
import {
  clientAddress,
  nodeAddress,
  podAddress,
  type UdpEnd,
  type UdpNodes,
  udpNodes,
} from '../kernel/udp-nodes.ts';

const quiet = { info: () => {}, warn: () => {} };
const clusterIp = '10.96.0.10';
let nodes: UdpNodes;
let conntrack: Conntrack;
let cleaner: StaleFlowCleaner;
let ports: ReadonlyMap<string, ServicePort>;
let serving: ReadonlySet<string>;
let cleaned: ((deleted: number) => void) | undefined;
let pod: UdpEnd;

beforeEach(() => {
  nodes = udpNodes();
  // What is sent to a service before there are rules goes somewhere.
  execFileSync('ip', ['-n', nodes.node.name, 'route', 'add', '10.96.0.0/12', 'via', podAddress]);
  conntrack = openConntrack({ netns: nodes.node.netns });
  const port = samplePort({ service: 'dns', protocol: 'udp', port: 53, nodePort: 30_053, clusterIp });
  ports = new Map([[port.key, port]]);
  serving = new Set([podAddress]);
  cleaner = createStaleFlowCleaner({
    family: 4,
    conntrack,
    clock: realClock,
    log: quiet,
    state: () => ({
      ports,
      serving: () => serving,
      context: {
        family: 4,
        nodeIps: [IpAddress.parse(nodeAddress)],
        nodePortIps: 'all',
        localhostNodePorts: false,
        localDetector: { kind: 'none' },
        masqueradeAll: false,
        masqueradeMark: 0x4000,
        serviceNetworks: [],
        dropInvalid: false,
      },
    }),
    onCleaned: (_, deleted) => cleaned?.(deleted),
  });
  pod = nodes.socket(nodes.pod, { address: podAddress, port: 5353 });
});

afterEach(async () => {
  await cleaner.stop();
  conntrack.close();
  nodes[Symbol.dispose]();
});

const rules = `add rule ip test ports ip daddr ${clusterIp} udp dport 53 dnat to ${podAddress}:5353
  add rule ip test ports ip daddr ${nodeAddress} udp dport 30053 dnat to ${podAddress}:5353`;

/** Resolves with how many were deleted. */
function clean(keys: ReadonlySet<string> | 'all'): Promise<number> {
  return new Promise((resolve) => {
    cleaned = resolve;
    cleaner.clean(keys);
  });
}

test.each([
  ['some ports', new Set(['ns/dns/udp'])],
  ['all', 'all' as const],
])('a client from before the rules reaches the pod after them: %s', async (_, keys) => {
  const client = nodes.socket(nodes.client, { address: clientAddress, port: 40_000 });
  const other = nodes.socket(nodes.client, { address: clientAddress, port: 40_001 });
  await client.send('lost', { address: clusterIp, port: 53 });
  await other.send('not ours', { address: clusterIp, port: 54 });
  await nodes.tracked(40_000);
  await nodes.tracked(40_001);
  nodes.nft(rules);
  // Without the cleaning the flow is known, and passes no rule any more.
  await client.send('lost as well', { address: clusterIp, port: 53 });
  expect(await clean(keys)).toBe(1);
  await client.send('hello', { address: clusterIp, port: 53 });
  await pod.until('hello');
  expect(pod.received).toEqual(['hello']);
  expect(nodes.procFlows().filter((flow) => flow.includes('dport=54'))).toHaveLength(1);
});

test('flows to an endpoint that serves stay, by cluster IP and by node port; when it does not, both go', async () => {
  nodes.nft(rules);
  const byAddress = nodes.socket(nodes.client, { address: clientAddress, port: 40_000 });
  const byNodePort = nodes.socket(nodes.client, { address: clientAddress, port: 40_001 });
  const direct = nodes.socket(nodes.client, { address: clientAddress, port: 40_002 });
  await byAddress.send('a', { address: clusterIp, port: 53 });
  await byNodePort.send('b', { address: nodeAddress, port: 30_053 });
  await direct.send('c', { address: podAddress, port: 5353 });
  for (const text of ['a', 'b', 'c']) await pod.until(text);
  const before = nodes.procFlows();
  expect(await clean('all')).toBe(0);
  expect(nodes.procFlows()).toEqual(before);
  serving = new Set(['10.1.0.9']);
  expect(await clean(new Set(['ns/dns/udp']))).toBe(2);
  expect(nodes.procFlows()).toEqual([
    `udp src=${clientAddress} dst=${podAddress} sport=40002 dport=5353 src=${podAddress} dst=${clientAddress} sport=5353 dport=40002`,
  ]);
});
