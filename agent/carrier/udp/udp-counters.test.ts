import { expect, test } from '@jest/globals';
import { createMetrics } from '../../../runtime/metrics.ts';
import { UdpCounters, udpTraffic } from './udp-counters.ts';
import { addUdpMetrics } from './udp-metrics.ts';

test('two sides of one memory', async () => {
  const thread = new UdpCounters();
  const agent = new UdpCounters(thread.memory);
  const registry = createMetrics();
  addUdpMetrics(registry, agent);
  const samples = async (): Promise<readonly string[]> =>
    (await registry.text()).split('\n').filter((line) => line !== '' && !line.startsWith('#'));
  expect(udpTraffic(agent)).toBeUndefined();
  expect(await samples()).toEqual([]);

  thread.add('sentPackets', 3);
  thread.add('sentBytes', 4000);
  thread.add('sentBatches', 1);
  thread.add('icmp', 2);
  thread.dropSent('no-peer', 2);
  thread.dropReceived('unknown-sender');
  expect(udpTraffic(agent)).toEqual({
    sent: { packets: 3, bytes: 4000, batches: 1, dropped: { 'no-peer': 2 } },
    received: { packets: 0, bytes: 0, batches: 0, dropped: { 'unknown-sender': 1 } },
    icmp: 2,
  });
  const expected = [
    'netloom_udp_packets_total{direction="sent"} 3',
    'netloom_udp_packets_total{direction="received"} 0',
    'netloom_udp_bytes_total{direction="sent"} 4000',
    'netloom_udp_bytes_total{direction="received"} 0',
    'netloom_udp_batches_total{direction="sent"} 1',
    'netloom_udp_batches_total{direction="received"} 0',
    'netloom_udp_dropped_total{direction="sent",reason="no-peer"} 2',
    'netloom_udp_dropped_total{direction="received",reason="unknown-sender"} 1',
  ];
  expect(await samples()).toEqual(expected);
  // Not added once more.
  expect(await samples()).toEqual(expected);
});
