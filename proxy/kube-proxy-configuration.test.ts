import { describe, expect, test } from '@jest/globals';
import { parse } from 'yaml';
import { resolveSettings } from '../runtime/settings/resolve-settings.ts';
import {
  convertKubeProxyConfiguration,
  goDuration,
  isKubeProxyConfiguration,
  kubeProxyConfiguration,
} from './kube-proxy-configuration.ts';
import { proxyOptions } from './options-from-settings.ts';
import { proxySettings } from './settings.ts';

const head = { apiVersion: 'kubeproxy.config.k8s.io/v1alpha1', kind: 'KubeProxyConfiguration' };
const path = '/var/lib/kube-proxy/config.conf';

function load(values: Readonly<Record<string, unknown>>) {
  const { file, notes } = convertKubeProxyConfiguration({ path, values: { ...head, ...values } });
  const { settings } = resolveSettings(proxySettings, { file });
  return { settings, options: proxyOptions(settings), notes, values: file.values };
}

/** kubeadm's own, with all fields written out. */
const kubeadm = parse(`
apiVersion: kubeproxy.config.k8s.io/v1alpha1
bindAddress: 0.0.0.0
bindAddressHardFail: false
clientConnection:
  acceptContentTypes: ""
  burst: 0
  contentType: ""
  kubeconfig: /var/lib/kube-proxy/kubeconfig.conf
  qps: 0
clusterCIDR: 10.244.0.0/16
configSyncPeriod: 0s
conntrack: {maxPerCore: null, min: null, tcpBeLiberal: false, tcpCloseWaitTimeout: null, tcpEstablishedTimeout: null, udpStreamTimeout: 0s, udpTimeout: 0s}
detectLocal: {bridgeInterface: "", interfaceNamePrefix: ""}
detectLocalMode: ""
enableProfiling: false
healthzBindAddress: ""
hostnameOverride: ""
iptables: {localhostNodePorts: null, masqueradeAll: false, masqueradeBit: null, minSyncPeriod: 0s, syncPeriod: 0s}
ipvs: {excludeCIDRs: null, minSyncPeriod: 0s, scheduler: "", strictARP: false, syncPeriod: 0s, tcpFinTimeout: 0s, tcpTimeout: 0s, udpTimeout: 0s}
kind: KubeProxyConfiguration
logging: {flushFrequency: 0, options: {json: {infoBufferSize: "0"}, text: {infoBufferSize: "0"}}, verbosity: 0}
metricsBindAddress: ""
mode: ""
nftables: {masqueradeAll: false, masqueradeBit: null, minSyncPeriod: 0s, syncPeriod: 0s}
nodePortAddresses: null
oomScoreAdj: null
portRange: ""
showHiddenMetricsForVersion: ""
winkernel: {enableDSR: false, forwardHealthCheckVip: false, networkName: "", rootHnsEndpointName: "", sourceVip: ""}
`) as Readonly<Record<string, unknown>>;

test('what kubeadm writes is taken as it is: only the API server and the cluster’s network say something', () => {
  expect(isKubeProxyConfiguration({ path, values: kubeadm })).toBe(true);
  const { values, notes, options } = load(kubeadm);
  expect(values).toEqual({
    bindAddress: '0.0.0.0',
    clusterCidr: '10.244.0.0/16',
    kubeconfig: '/var/lib/kube-proxy/kubeconfig.conf',
    logLevel: 'info',
  });
  expect(notes).toEqual([]);
  expect(options).toMatchObject({
    mode: 'nftables',
    masqueradeMark: 0x4000,
    healthz: { host: '0.0.0.0', port: 10256 },
    metrics: { host: '127.0.0.1', port: 10249 },
    conntrack: { maxPerCore: 32768, min: 131072, tcpEstablishedTimeout: 86_400_000 },
    oomScoreAdjust: -999,
    services: { kind: 'kubernetes', access: { kubeconfig: '/var/lib/kube-proxy/kubeconfig.conf' } },
  });
});

test('services come from an API server when anything says so, unless the directory is asked for', () => {
  const kindOf = (values: Readonly<Record<string, unknown>>) => load(values).options.services.kind;
  const flags = (given: Readonly<Record<string, unknown>>) =>
    proxyOptions(resolveSettings(proxySettings, { flags: given, environment: {} }).settings).services;
  expect(kindOf({})).toBe('directory');
  expect(kindOf({ clientConnection: { kubeconfig: '/k' } })).toBe('kubernetes');
  expect(flags({ serviceStore: 'directory', kubeconfig: '/k' }).kind).toBe('directory');
  expect(flags({ kubeSubnetMgr: 'true', nodeName: 'N1' })).toMatchObject({ kind: 'kubernetes', node: 'n1' });
  // kube-proxy's names go first.
  expect(
    flags({ kubeconfigFile: '/a', kubeconfig: '/b', kubeApiUrl: 'https://a', master: 'https://b' }),
  ).toMatchObject({
    access: { kubeconfig: '/b', server: 'https://b' },
  });
  expect(
    load({ detectLocalMode: 'NodeCIDR', clientConnection: { kubeconfig: '/k' } }).options.detectsByNode,
  ).toBe(true);
});

describe('each field', () => {
  test.each([
    [{ bindAddress: '::' }, { families: [6, 4], nodeIps: [] }],
    [{ bindAddressHardFail: true }, { bindHardFail: true }],
    [{ hostnameOverride: 'Node-7' }, { nodeName: 'node-7' }],
    [{ healthzBindAddress: '127.0.0.1' }, { healthz: { host: '127.0.0.1', port: 10256 } }],
    [{ metricsBindAddress: '[::1]:9' }, { metrics: { host: '::1', port: 9 } }],
    [
      { mode: 'iptables' },
      { mode: 'iptables', minSyncPeriod: 1000, syncPeriod: 30_000, localhostNodePorts: true },
    ],
    [
      { mode: 'iptables', iptables: { localhostNodePorts: false, masqueradeBit: 0, minSyncPeriod: '5s' } },
      { localhostNodePorts: false, masqueradeMark: 1, minSyncPeriod: 5000 },
    ],
    [
      { nftables: { masqueradeAll: true, masqueradeBit: 31, syncPeriod: '1m30s' } },
      { masqueradeAll: true, masqueradeMark: 0x80000000, syncPeriod: 90_000 },
    ],
    [
      { conntrack: { maxPerCore: 0, min: 0, tcpBeLiberal: true } },
      { conntrack: { maxPerCore: 0, min: 0, tcpBeLiberal: true } },
    ],
    [
      { conntrack: { tcpEstablishedTimeout: '0s', udpTimeout: '30s' } },
      { conntrack: { tcpEstablishedTimeout: undefined, udpTimeout: 30_000 } },
    ],
    [
      { detectLocalMode: 'BridgeInterface', detectLocal: { bridgeInterface: 'cni0' } },
      { localDetectors: { 4: { kind: 'bridge', link: 'cni0' } } },
    ],
    [
      { detectLocalMode: 'InterfaceNamePrefix', detectLocal: { interfaceNamePrefix: 'veth' } },
      { localDetectors: { 6: { kind: 'link-prefix', prefix: 'veth' } } },
    ],
    [
      { nodePortAddresses: ['primary', 'localhost'] },
      { nodePortAddresses: [{ kind: 'primary' }, { kind: 'localhost' }] },
    ],
    [{ oomScoreAdj: 0 }, { oomScoreAdjust: 0 }],
    [
      { mode: 'ipvs' },
      {
        mode: 'ipvs',
        minSyncPeriod: 1000,
        syncPeriod: 30_000,
        localhostNodePorts: false,
        nodePortAddresses: [{ kind: 'all' }],
        ipvs: {
          scheduler: 'rr',
          excludePrefixes: [],
          strictArp: false,
          timeouts: { tcp: 0, tcpFin: 0, udp: 0 },
        },
      },
    ],
    [
      {
        mode: 'ipvs',
        iptables: { masqueradeAll: true, masqueradeBit: 3 },
        ipvs: {
          scheduler: 'mh',
          syncPeriod: '1m',
          strictARP: true,
          tcpTimeout: '15m',
          tcpFinTimeout: '2m',
          udpTimeout: '500ms',
        },
      },
      {
        masqueradeAll: true,
        masqueradeMark: 8,
        syncPeriod: 60_000,
        ipvs: { scheduler: 'mh', strictArp: true, timeouts: { tcp: 900, tcpFin: 120, udp: 1 } },
      },
    ],
  ])('%j', (values, expected) => {
    expect(load(values).options).toMatchObject(expected);
  });

  test('verbosity and format of the log', () => {
    expect(load({ logging: { verbosity: 5, format: 'json' } }).settings).toMatchObject({
      logLevel: 'debug',
      logFormat: 'json',
    });
  });

  test.each([
    [{ ipvs: { scheduler: 'rr' } }, 'ipvs.scheduler is passed over: it only concerns the mode ipvs'],
    [
      { iptables: { masqueradeAll: true } },
      'iptables.masqueradeAll is passed over: it only concerns the mode iptables',
    ],
    [
      { featureGates: { TopologyAwareHints: true } },
      'featureGates.TopologyAwareHints is passed over: what they would turn on is there, or is not',
    ],
    [{ winkernel: { networkName: 'l2' } }, 'winkernel.networkName is passed over: it only concerns Windows'],
    [{ enableProfiling: true }, 'enableProfiling is passed over: there are no profiles to serve'],
    [{ clusterCIDRs: 'x' }, 'clusterCIDRs is passed over: there is no such field'],
    [{ constructor: 'x' }, 'constructor is passed over: there is no such field'],
  ])('%j is passed over, and why is said', (values, note) => {
    const loaded = load(values);
    expect(loaded.notes).toEqual([`${path}: ${note}`]);
    expect(loaded.values).toEqual({});
  });
});

test.each([
  [{ mode: 'userspace' }, 'mode "userspace": expected one of nftables, iptables, ipvs'],
  [
    { mode: 'ipvs', ipvs: { scheduler: 'ovf' } },
    'ipvs.scheduler "ovf": expected a scheduler of IPVS: one of rr, wrr,',
  ],
  [{ mode: 'ipvs', ipvs: { excludeCIDRs: ['x'] } }, 'ipvs.excludeCIDRs ["x"]'],
  [
    { apiVersion: 'kubeproxy.config.k8s.io/v1beta1' },
    'apiVersion "kubeproxy.config.k8s.io/v1beta1": expected',
  ],
  [{ clusterCIDR: '10.0.0.0/33' }, 'clusterCIDR "10.0.0.0/33": '],
  [
    { clusterCIDR: '10.0.0.0/8,11.0.0.0/8' },
    '--cluster-cidr: 10.0.0.0/8,11.0.0.0/8: expected at most one IPv4 network',
  ],
  [{ conntrack: { maxPerCore: 'many' } }, 'conntrack.maxPerCore "many": expected a whole number'],
  [{ nodePortAddresses: ['everywhere'] }, 'nodePortAddresses ["everywhere"]'],
  [{ healthzBindAddress: 'x y' }, 'healthzBindAddress "x y"'],
  [
    { detectLocalMode: 'BridgeInterface' },
    '--pod-bridge-interface: needed by --detect-local-mode BridgeInterface',
  ],
  [{ detectLocalMode: 'Guess' }, 'detectLocalMode "Guess": expected one of'],
])('%j is refused', (values, message) => {
  expect(() => load(values)).toThrow(message);
});

test.each([
  { mode: 'iptables', iptables: { syncPeriod: '45s' } },
  {
    mode: 'ipvs',
    iptables: { masqueradeAll: true },
    ipvs: {
      minSyncPeriod: '2s',
      scheduler: 'lc',
      excludeCIDRs: ['192.0.2.0/24'],
      strictARP: true,
      udpTimeout: '30s',
    },
  },
])('what /configz shows reads back as the same settings: $mode', (of) => {
  const given = load({ clusterCIDR: '10.0.0.0/8,fd00::/8', ...of });
  const again = load(kubeProxyConfiguration(given.settings));
  expect(again.notes).toEqual([]);
  expect({ ...again.options, localDetectors: null }).toEqual({ ...given.options, localDetectors: null });
  expect(String(again.settings.clusterCidr)).toBe('10.0.0.0/8,fd00::/8');
});

test.each([
  [0, '0s'],
  [10, '10ms'],
  [1500, '1.5s'],
  [90_000, '1m30s'],
  [86_400_000, '24h0m0s'],
])('%d ms is %s', (milliseconds, text) => {
  expect(goDuration(milliseconds)).toBe(text);
});
