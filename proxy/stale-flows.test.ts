import { describe, expect, test } from '@jest/globals';
import type { Flow } from '../kernel/conntrack/objects.ts';
import { IpAddress } from '../net/address.ts';
import type { RuleContext } from './rule-context.ts';
import { samplePort } from './sample-services.ts';
import { staleFlows, udpServices } from './stale-flows.ts';

const ip = (text: string): IpAddress => IpAddress.parse(text);

function flow(text: string): Flow {
  // "udp 192.0.2.9 > 10.96.0.10:53 < 10.244.0.1"
  const [protocol = '', source = '', , to = '', , from = ''] = text.split(' ');
  const at = to.lastIndexOf(':');
  const port = Number(to.slice(at + 1));
  return {
    family: 4,
    protocol: protocol === 'udp' ? 17 : 6,
    original: {
      source: ip(source),
      destination: ip(to.slice(0, at)),
      sourcePort: 40_000,
      destinationPort: port,
    },
    reply: { source: ip(from), destination: ip(source), sourcePort: port, destinationPort: 40_000 },
    mark: 0,
    status: 0,
    zone: 0,
    id: 1,
  };
}

const context: RuleContext = {
  family: 4,
  nodeIps: [ip('192.0.2.1'), ip('198.51.100.1')],
  nodePortIps: 'all',
  localhostNodePorts: false,
  localDetector: { kind: 'none' },
  masqueradeAll: false,
  masqueradeMark: 0x4000,
  serviceNetworks: [],
  dropInvalid: false,
};

const ports = [
  samplePort({
    service: 'dns',
    protocol: 'udp',
    port: 53,
    nodePort: 30_053,
    clusterIp: '10.96.0.10',
    externalIps: ['203.0.113.1'],
    loadBalancerIps: ['203.0.113.2'],
  }),
  samplePort({ service: 'dns', protocol: 'tcp', port: 53, clusterIp: '10.96.0.10' }),
  samplePort({ service: 'none', protocol: 'udp', port: 99, clusterIp: '10.96.0.11' }),
];
const services = udpServices(
  ports,
  (key) => new Set(key === 'ns/dns/udp' ? ['10.244.0.1', '10.244.0.2'] : []),
);

const isStale = (text: string, more: Partial<RuleContext> = {}): boolean =>
  staleFlows([flow(text)], services, { ...context, ...more }).length === 1;

describe('stale', () => {
  test.each([
    ['to an endpoint that does not serve any more', 'udp 192.0.2.9 > 10.96.0.10:53 < 10.244.0.9'],
    ['never translated, from before the rules', 'udp 192.0.2.9 > 10.96.0.10:53 < 10.96.0.10'],
    ['by an external address', 'udp 192.0.2.9 > 203.0.113.1:53 < 10.244.0.9'],
    ['by the balancer', 'udp 192.0.2.9 > 203.0.113.2:53 < 10.244.0.9'],
    ['by the node port of an address of the node', 'udp 192.0.2.9 > 198.51.100.1:30053 < 10.244.0.9'],
    ['of a service without endpoints', 'udp 192.0.2.9 > 10.96.0.11:99 < 10.244.0.1'],
  ])('%s', (_, text) => {
    expect(isStale(text)).toBe(true);
  });
});

describe('not stale', () => {
  test.each([
    ['to an endpoint that serves', 'udp 192.0.2.9 > 10.96.0.10:53 < 10.244.0.2'],
    ['TCP', 'tcp 192.0.2.9 > 10.96.0.10:53 < 10.244.0.9'],
    ['another port of the same address', 'udp 192.0.2.9 > 10.96.0.10:54 < 10.96.0.10'],
    ['the port of the service on the node', 'udp 192.0.2.9 > 192.0.2.1:53 < 192.0.2.1'],
    ['the number of the node port elsewhere', 'udp 10.244.0.5 > 192.0.2.77:30053 < 192.0.2.77'],
    ['the number of the node port on localhost', 'udp 127.0.0.1 > 127.0.0.1:30053 < 127.0.0.1'],
    ['a pod directly', 'udp 192.0.2.9 > 10.244.0.9:53 < 10.244.0.9'],
  ])('%s', (_, text) => {
    expect(isStale(text)).toBe(false);
  });

  test('the number of the node port on an address that accepts none', () => {
    expect(
      isStale('udp 192.0.2.9 > 198.51.100.1:30053 < 198.51.100.1', { nodePortIps: [ip('192.0.2.1')] }),
    ).toBe(false);
  });
});

test('node ports on localhost count where there are any', () => {
  expect(isStale('udp 127.0.0.1 > 127.0.0.1:30053 < 10.244.0.9', { localhostNodePorts: true })).toBe(true);
});
