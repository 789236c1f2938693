import { expect, test } from '@jest/globals';
import { IpAddress } from '../../net/address.ts';
import { samplePort } from '../sample-services.ts';
import { allowedSources, sourcesName } from './source-ranges.ts';

const nodeIps = [IpAddress.parse('192.0.2.1')];
const sources = (
  sourceRanges: readonly string[] | undefined,
  loadBalancerIps = ['203.0.113.1', '203.0.113.2'],
) => allowedSources(samplePort({ sourceRanges, loadBalancerIps }), { nodeIps })?.map(String);

test('ranges without doubles, whatever their order', () => {
  expect(sources(['10.1.0.0/16', '10.0.0.0/8', '198.51.100.7/24', '10.0.0.0/8'])).toEqual([
    '10.0.0.0/8',
    '198.51.100.0/24',
  ]);
});

test("a range with an address of the node lets the balancer's own addresses in", () => {
  expect(sources(['192.0.2.0/24'])).toEqual(['192.0.2.0/24', '203.0.113.1/32', '203.0.113.2/32']);
  expect(sources(['192.0.2.0/24', '203.0.113.0/31'])).toEqual([
    '192.0.2.0/24',
    '203.0.113.0/31',
    '203.0.113.2/32',
  ]);
});

test('no guard where everybody may come, or nothing is guarded', () => {
  expect(sources(undefined)).toBeUndefined();
  expect(sources(['10.0.0.0/8', '0.0.0.0/0'])).toBeUndefined();
  expect(sources(['10.0.0.0/8'], [])).toBeUndefined();
});

test('equal lists have one name', () => {
  const port = samplePort({ sourceRanges: ['10.0.0.0/8'], loadBalancerIps: ['203.0.113.1'] });
  expect(sourcesName(allowedSources(port, { nodeIps }) ?? [])).toBe('93997fe8a8121085');
});
