import { describe, expect, test } from '@jest/globals';
import { routeState } from '../kernel/route/objects.ts';
import { Prefix } from '../net/prefix.ts';
import { defaultIpvsChoices } from './ipvs/ipvs-choices.ts';
import type { ProxyOptions } from './proxy-options.ts';
import { ruleContextOf } from './rule-context-of.ts';

const options: ProxyOptions = {
  nodeName: 'n1',
  zone: undefined,
  proxyName: undefined,
  mode: 'iptables',
  families: [4, 6],
  nodeIps: [],
  services: { kind: 'directory', directory: '/nowhere' },
  localDetectors: { 4: { kind: 'bridge', link: 'cni0' }, 6: { kind: 'none' } },
  masqueradeAll: true,
  ipvs: defaultIpvsChoices,
  masqueradeMark: 0x8000,
  nodePortAddresses: [{ kind: 'all' }],
  localhostNodePorts: true,
  serviceNetworks: [Prefix.parse('10.96.0.0/12'), Prefix.parse('fd00:96::/112')],
  allowUnsafeEndpoints: false,
  minSyncPeriod: 0,
  syncPeriod: 1000,
  healthz: undefined,
  metrics: undefined,
  bindHardFail: false,
  serviceCounters: false,
  serviceCounterLimit: 0,
  conntrack: {
    maxPerCore: 0,
    min: 0,
    tcpEstablishedTimeout: undefined,
    tcpCloseWaitTimeout: undefined,
    udpTimeout: undefined,
    udpStreamTimeout: undefined,
    tcpBeLiberal: false,
  },
  oomScoreAdjust: undefined,
  runDirectory: '/nowhere',
  configuration: {},
};

const state = routeState({
  links: [{ name: 'eth0', up: true, detail: { kind: 'other', type: '' } }],
  addresses: ['127.0.0.1/8', '192.0.2.7/24', '198.51.100.7/24', '2001:db8::7/64', 'fe80::7/64'].map(
    (text) => ({
      link: text.startsWith('127') ? 'lo' : 'eth0',
      prefix: Prefix.parse(text),
    }),
  ),
  routes: [
    {
      destination: Prefix.parse('0.0.0.0/0'),
      table: 254,
      priority: 0,
      protocol: 4,
      type: 'unicast',
      hops: [{ link: 'eth0' }],
    },
  ],
});

const contextOf = (family: 4 | 6, more: Partial<ProxyOptions> = {}, isTcpLiberal = false): object =>
  JSON.parse(JSON.stringify(ruleContextOf({ ...options, ...more }, { family, state, isTcpLiberal })));

test('everything, of one family', () => {
  expect(contextOf(4)).toEqual({
    family: 4,
    nodeIps: ['192.0.2.7', '198.51.100.7'],
    nodePortIps: 'all',
    localhostNodePorts: true,
    localDetector: { kind: 'bridge', link: 'cni0' },
    masqueradeAll: true,
    masqueradeMark: 0x8000,
    serviceNetworks: ['10.96.0.0/12'],
    dropInvalid: true,
  });
  expect(contextOf(6)).toMatchObject({
    nodeIps: ['2001:db8::7'],
    localhostNodePorts: false,
    localDetector: { kind: 'none' },
    serviceNetworks: ['fd00:96::/112'],
  });
});

describe('node ports', () => {
  test.each<readonly [string, ProxyOptions['nodePortAddresses'], object]>([
    ['primary', [{ kind: 'primary' }], { nodePortIps: ['192.0.2.7'], localhostNodePorts: false }],
    [
      'a network',
      [{ kind: 'prefix', prefix: Prefix.parse('198.51.100.0/24') }],
      { nodePortIps: ['198.51.100.7'], localhostNodePorts: false },
    ],
    [
      'localhost beside it',
      [{ kind: 'primary' }, { kind: 'localhost' }],
      { nodePortIps: ['192.0.2.7'], localhostNodePorts: true },
    ],
  ])('on %s', (_, nodePortAddresses, expected) => {
    expect(contextOf(4, { nodePortAddresses })).toMatchObject(expected);
  });

  test('are on localhost only where that was chosen', () => {
    expect(contextOf(4, { localhostNodePorts: false })).toMatchObject({ localhostNodePorts: false });
  });
});

test('INVALID packets are dropped in iptables mode, unless the kernel is liberal', () => {
  expect(contextOf(4, {}, true)).toMatchObject({ dropInvalid: false });
  expect(contextOf(4, { mode: 'nftables' })).toMatchObject({ dropInvalid: false });
});
