import { describe, expect, test } from '@jest/globals';
import { isTcpLiberal, setConntrackSysctls, wantedSysctls } from './conntrack-sysctls.ts';
import type { ConntrackChoices } from './proxy-options.ts';

const defaults: ConntrackChoices = {
  maxPerCore: 32_768,
  min: 131_072,
  tcpEstablishedTimeout: 86_400_000,
  tcpCloseWaitTimeout: 3_600_000,
  udpTimeout: undefined,
  udpStreamTimeout: undefined,
  tcpBeLiberal: false,
};
const nothing: ConntrackChoices = {
  ...defaults,
  maxPerCore: 0,
  tcpEstablishedTimeout: undefined,
  tcpCloseWaitTimeout: undefined,
};

describe('wanted', () => {
  test.each<readonly [string, ConntrackChoices, number, readonly string[]]>([
    [
      'few processors: the least',
      defaults,
      2,
      [
        'nf_conntrack_max=131072',
        'nf_conntrack_buckets=32768',
        'nf_conntrack_tcp_timeout_established=86400',
        'nf_conntrack_tcp_timeout_close_wait=3600',
      ],
    ],
    [
      'many processors',
      { ...nothing, maxPerCore: 32_768 },
      16,
      ['nf_conntrack_max=524288', 'nf_conntrack_buckets=131072'],
    ],
    ['nothing', nothing, 16, []],
    [
      'the rest',
      { ...nothing, tcpBeLiberal: true, udpTimeout: 1500, udpStreamTimeout: 120_000 },
      1,
      ['nf_conntrack_tcp_be_liberal=1', 'nf_conntrack_udp_timeout=1', 'nf_conntrack_udp_timeout_stream=120'],
    ],
  ])('%s', (_, choices, processors, expected) => {
    const wanted = wantedSysctls(choices, { processors, buckets: 16_384 });
    expect([...wanted].map(([key, value]) => `${key.replace('net/netfilter/', '')}=${value}`)).toEqual(
      expected,
    );
  });

  test('buckets are never made fewer', () => {
    const wanted = wantedSysctls(defaults, { processors: 1, buckets: 262_144 });
    expect(wanted.has('net/netfilter/nf_conntrack_buckets')).toBe(false);
  });
});

test('only what differs is written; what is refused is a warning, and the rest goes on', () => {
  const values = new Map([
    ['net/netfilter/nf_conntrack_max', '131072'],
    ['net/netfilter/nf_conntrack_buckets', '1024'],
    ['net/netfilter/nf_conntrack_tcp_timeout_established', '432000'],
  ]);
  const access = {
    read: (key: string) => values.get(key),
    write(key: string, value: string) {
      if (key.endsWith('buckets')) throw new Error('Cannot write sysctl: permission denied');
      values.set(key, value);
    },
  };
  expect(setConntrackSysctls(defaults, { access, processors: 1 })).toEqual({
    written: [
      'net/netfilter/nf_conntrack_tcp_timeout_established = 86400',
      'net/netfilter/nf_conntrack_tcp_timeout_close_wait = 3600',
    ],
    warnings: ['Cannot write sysctl: permission denied'],
  });
  expect(setConntrackSysctls(defaults, { access, processors: 1 }).written).toEqual([]);
});

test.each([
  [undefined, false],
  ['0', false],
  ['1', true],
])('tcp_be_liberal %s', (value, expected) => {
  expect(isTcpLiberal({ read: () => value })).toBe(expected);
});
