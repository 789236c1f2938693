import { expect, test } from '@jest/globals';
import { element } from '../../kernel/nft/declare.ts';
import { packet } from '../../kernel/nft/packet.ts';
import { IpAddress } from '../../net/address.ts';
import { samplePort } from '../sample-services.ts';
import { sampleNode } from './sample-node.ts';

const address = (text: string) => IpAddress.parse(text);
const never = new AbortController().signal;
const web = samplePort({ nodePort: 30080, clusterEndpoints: ['10.244.0.5:8080'] });
const idle = samplePort({ service: 'idle', clusterIp: '10.96.0.11', clusterEndpoints: ['10.244.0.6:8080'] });

function passing(node: ReturnType<typeof sampleNode>) {
  const [client, service, endpoint] = ['10.244.3.1', '10.96.0.10', '10.244.0.5'].map(address);
  if (client === undefined || service === undefined || endpoint === undefined) throw new Error('unreachable');
  return (
    direction: 'original' | 'reply',
    original: { readonly daddr: IpAddress; readonly dport: number },
    bytes: number,
  ) =>
    node.kernel.evaluate(
      packet({
        hook: 'forward',
        protocol: 6,
        length: bytes,
        ...(direction === 'original'
          ? { saddr: client, daddr: endpoint, sport: 40000, dport: 8080 }
          : { saddr: endpoint, daddr: client, sport: 8080, dport: 40000 }),
        ct: {
          state: 'established',
          direction,
          dnat: true,
          original: { saddr: client, sport: 40000, ...original },
        },
      }),
      { random: () => 0 },
    );
}

test('packets of translated connections are counted by service port, by whatever address they came', async () => {
  const node = sampleNode({ serviceCounters: true });
  await node.sync([web, idle]);
  const pass = passing(node);
  const vip = { daddr: address('10.96.0.10'), dport: 80 };
  pass('original', vip, 100);
  pass('original', vip, 100);
  pass('reply', vip, 1000);
  pass('original', { daddr: address('192.0.2.1'), dport: 30080 }, 50);
  pass('original', { daddr: address('192.0.2.1'), dport: 9999 }, 50);
  await node.mode.readTraffic(never);
  await node.mode.readTraffic(never);
  const total = { key: 'ns/web/tcp', packetsIn: 3n, bytesIn: 250n, packetsOut: 1n, bytesOut: 1000n };
  expect([...node.mode.serviceTraffic()]).toEqual([total]);

  // An element that expired and came back begins at nothing.
  const set = node.table().sets.get('traffic-in');
  if (set === undefined) throw new Error('not counted');
  const gone = element([address('10.96.0.10'), 6, 80]);
  node.kernel.apply([{ kind: 'element-delete', table: node.table(), set, element: gone }]);
  pass('original', vip, 70);
  await node.mode.readTraffic(never);
  expect([...node.mode.serviceTraffic()]).toEqual([{ ...total, packetsIn: 4n, bytesIn: 320n }]);

  await node.sync([idle], { changed: [web.key] });
  await node.mode.readTraffic(never);
  expect([...node.mode.serviceTraffic()]).toEqual([]);
});

test('nothing is counted unless it is asked for', async () => {
  const node = sampleNode();
  await node.sync([web]);
  await node.mode.readTraffic(never);
  expect([...node.mode.serviceTraffic()]).toEqual([]);
  expect(node.table().sets.has('traffic-in')).toBe(false);
});
