import { expect, test } from '@jest/globals';
import { IpAddress } from '../net/address.ts';
import { hasUnsafe, refuseUnsafe, whyUnsafe } from './endpoint-safety.ts';
import { sampleSlice } from './sample-services.ts';

test.each([
  ['0.0.0.0', 'unspecified'],
  ['127.0.0.1', 'loopback'],
  ['127.255.0.9', 'loopback'],
  ['169.254.169.254', 'link-local'],
  ['224.0.0.1', 'multicast'],
  ['239.255.255.255', 'multicast'],
  ['255.255.255.255', 'broadcast'],
  ['::', 'unspecified'],
  ['::1', 'loopback'],
  ['fe80::1', 'link-local'],
  ['febf::1', 'link-local'],
  ['ff02::1', 'multicast'],
  ['::ffff:127.0.0.1', 'IPv4-mapped'],
  ['::ffff:10.0.0.1', 'IPv4-mapped'],
])('%s is %s', (text, expected) => {
  expect(whyUnsafe(IpAddress.parse(text))).toBe(expected);
});

test.each([
  '10.0.0.1',
  '0.0.0.1',
  '126.0.0.1',
  '128.0.0.1',
  '169.253.0.1',
  '169.255.0.1',
  '223.255.255.255',
  '240.0.0.1',
  'fd00::1',
  '2001:db8::1',
  '::2',
  'fec0::1',
  '64:ff9b::1',
])('%s is safe', (text) => {
  expect(whyUnsafe(IpAddress.parse(text))).toBeUndefined();
});

test('one problem a slice, however many endpoints', () => {
  const unsafe = Array.from({ length: 100 }, (_, index) => `127.0.0.${index + 1}`);
  const slice = sampleSlice({ name: 'web-x', endpoints: ['10.0.0.1', ...unsafe, '10.0.0.2'] });
  expect(hasUnsafe(slice)).toBe(true);
  const refused = refuseUnsafe(slice);
  expect(refused.slice.endpoints.map(({ address }) => String(address))).toEqual(['10.0.0.1', '10.0.0.2']);
  expect(hasUnsafe(refused.slice)).toBe(false);
  expect(refused.problem).toEqual({
    object: 'EndpointSlice "ns/web-x"',
    message:
      'endpoints: 100 of 102 are left out: 127.0.0.1 is loopback, 127.0.0.2 is loopback, 127.0.0.3 is loopback, and 97 more',
  });
});

test('a slice that was an Endpoints object is named as that', () => {
  const { problem } = refuseUnsafe(
    sampleSlice({ name: 'web/endpoints', mirrored: true, endpoints: ['169.254.1.1'] }),
  );
  expect(problem).toEqual({
    object: 'Endpoints "ns/web"',
    message: 'endpoints: 1 of 1 are left out: 169.254.1.1 is link-local',
  });
});
