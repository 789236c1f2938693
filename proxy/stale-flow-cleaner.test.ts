import { expect, test } from '@jest/globals';
import { type Flow, type FlowFilter, matchesFlow } from '../kernel/conntrack/objects.ts';
import { IpAddress } from '../net/address.ts';
import { createManualClock } from '../runtime/manual-clock.ts';
import type { RuleContext } from './rule-context.ts';
import { samplePort } from './sample-services.ts';
import type { ServicePort } from './service-port.ts';
import { createStaleFlowCleaner } from './stale-flow-cleaner.ts';

const ip = (text: string): IpAddress => IpAddress.parse(text);
const context: RuleContext = {
  family: 4,
  nodeIps: [ip('192.0.2.1')],
  nodePortIps: 'all',
  localhostNodePorts: false,
  localDetector: { kind: 'none' },
  masqueradeAll: false,
  masqueradeMark: 0x4000,
  serviceNetworks: [],
  dropInvalid: false,
};

/** A flow of UDP to a service's address, that leads to an endpoint. */
function flow(destination: string, endpoint: string, sourcePort: number): Flow {
  const source = ip('192.0.2.9');
  return {
    family: 4,
    protocol: 17,
    original: { source, destination: ip(destination), sourcePort, destinationPort: 53 },
    reply: { source: ip(endpoint), destination: source, sourcePort: 53, destinationPort: sourcePort },
    mark: 0,
    status: 0,
    zone: 0,
    id: sourcePort,
  };
}

function cleaning(count: number) {
  const clock = createManualClock();
  const asked: FlowFilter[] = [];
  const cleaned: number[] = [];
  const kernel = { flows: [] as readonly Flow[], broken: false };
  const ports = new Map<string, ServicePort>();
  for (let i = 1; i <= count; i++) {
    const port = samplePort({ service: `dns${i}`, protocol: 'udp', port: 53, clusterIp: `10.96.0.${i}` });
    ports.set(port.key, port);
  }
  const cleaner = createStaleFlowCleaner({
    family: 4,
    clock,
    log: { info: () => {}, warn: () => {} },
    conntrack: {
      list(filter) {
        if (kernel.broken) throw new Error('Cannot list flows: no');
        asked.push(filter);
        return kernel.flows.filter((one) => matchesFlow(filter, one));
      },
      deleteFlows(flows) {
        kernel.flows = kernel.flows.filter((one) => !flows.includes(one));
        return flows.length;
      },
    },
    state: () => ({ ports, serving: () => new Set(['10.244.0.1']), context }),
    onCleaned: (_, deleted) => cleaned.push(deleted),
  });
  return { clock, asked, cleaned, kernel, cleaner };
}

test('only flows of the ports that changed are asked for', async () => {
  const { cleaner, asked, cleaned, kernel, clock } = cleaning(20);
  const [kept, gone, other] = [
    flow('10.96.0.1', '10.244.0.1', 1),
    flow('10.96.0.1', '10.244.0.9', 2),
    flow('10.96.0.2', '10.244.0.9', 3),
  ];
  kernel.flows = [kept, gone, other];
  cleaner.clean(new Set(['ns/dns1/udp', 'ns/nobody/udp']));
  await clock.advance(0);
  expect(asked).toEqual([
    { family: 4, protocol: 17, original: { destination: ip('10.96.0.1'), destinationPort: 53 } },
  ]);
  expect(kernel.flows).toEqual([kept, other]);
  expect(cleaned).toEqual([1]);
  await cleaner.stop();
});

test('many are asked for at once, and large tables are looked at in slices', async () => {
  const { cleaner, asked, cleaned, kernel, clock } = cleaning(20);
  kernel.flows = Array.from({ length: 9000 }, (_, i) =>
    flow(`10.96.0.${1 + (i % 20)}`, i % 2 === 0 ? '10.244.0.1' : '10.244.0.9', i),
  );
  cleaner.clean('all');
  for (let i = 0; i < 20; i++) await clock.advance(0);
  expect(asked).toEqual([{ family: 4, protocol: 17 }]);
  expect(cleaned).toEqual([4500]);
  expect(kernel.flows).toHaveLength(4500);
  await cleaner.stop();
});

test('nothing is listed when no UDP port changed; bursts are one walk a second', async () => {
  const { cleaner, asked, clock } = cleaning(3);
  cleaner.clean(new Set());
  await clock.advance(10_000);
  expect(asked).toEqual([]);
  for (let i = 0; i < 10; i++) {
    cleaner.clean(new Set([`ns/dns${1 + (i % 3)}/udp`]));
    await clock.advance(100);
  }
  await clock.advance(1000);
  expect(asked).toHaveLength(1 + 3);
  await cleaner.stop();
});

test('what failed is tried again, and told', async () => {
  const { cleaner, asked, cleaned, kernel, clock } = cleaning(1);
  kernel.broken = true;
  kernel.flows = [flow('10.96.0.1', '10.244.0.9', 1)];
  cleaner.clean('all');
  await clock.advance(0);
  expect(cleaner.problem).toBe('Cannot list flows: no');
  kernel.broken = false;
  await clock.advance(3000);
  expect([cleaner.problem, asked.length, cleaned, kernel.flows]).toEqual([undefined, 1, [1], []]);
  await cleaner.stop();
});
