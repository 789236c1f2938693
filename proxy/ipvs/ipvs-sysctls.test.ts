import { expect, test } from '@jest/globals';
import { setIpvsSysctls, wantedIpvsSysctls } from './ipvs-sysctls.ts';

test.each([
  ['4.0.9', undefined],
  ['4.19.0-26-amd64', '0'],
  ['5.8.18', '0'],
  ['5.9.0', undefined],
  ['6.1.0-25-amd64', undefined],
])('conn_reuse_mode with Linux %s: %s', (kernel, value) => {
  expect(wantedIpvsSysctls({ strictArp: false }, kernel).get('net/ipv4/vs/conn_reuse_mode')).toBe(value);
});

test('only what differs is written, and what is not there is passed over', () => {
  const there = new Map([
    ['net/ipv4/vs/conntrack', '0'],
    ['net/ipv4/ip_forward', '1'],
    ['net/ipv4/conf/all/arp_ignore', '0'],
    ['net/ipv4/conf/all/arp_announce', '2'],
  ]);
  const written: string[] = [];
  const access = {
    read: (key: string) => there.get(key),
    write: (key: string, value: string) => written.push(`${key} = ${value}`),
  };
  setIpvsSysctls({ strictArp: true }, access, '6.1.0');
  expect(written).toEqual(['net/ipv4/vs/conntrack = 1', 'net/ipv4/conf/all/arp_ignore = 1']);
});
