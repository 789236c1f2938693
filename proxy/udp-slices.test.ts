import { expect, test } from '@jest/globals';
import { sampleSlice } from './sample-services.ts';
import { createUdpSlices } from './udp-slices.ts';

test('which UDP ports slices are about, also slices that are gone or have them no more', () => {
  const slices = createUdpSlices(4);
  const touched = (key: string, slice: ReturnType<typeof sampleSlice> | undefined) => [
    ...slices.touched({ slices: new Map([[key, slice]]) }),
  ];
  const dns = sampleSlice({
    service: 'dns',
    ports: [{ name: 'dns', protocol: 'udp' }, { name: 'dns-tcp' }, { protocol: 'udp' }],
  });
  expect(touched('ns/web-1', sampleSlice())).toEqual([]);
  expect(touched('ns/dns-1', dns)).toEqual(['ns/dns:dns/udp', 'ns/dns/udp']);
  expect(touched('ns/dns-6', { ...dns, family: 6 })).toEqual([]);
  expect(touched('ns/dns-1', { ...dns, service: 'other', ports: [] })).toEqual([
    'ns/dns:dns/udp',
    'ns/dns/udp',
  ]);
  expect(touched('ns/dns-1', dns)).toHaveLength(2);
  expect(touched('ns/dns-1', undefined)).toHaveLength(2);
  expect(touched('ns/dns-1', undefined)).toEqual([]);
});
