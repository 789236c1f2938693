import { describe, expect, test } from '@jest/globals';
import { entryText } from '../../kernel/ipset/objects.ts';
import { sampleContext } from '../iptables/sample-context.ts';
import { type SamplePortFields, samplePort } from '../sample-services.ts';
import { type PortParts, portParts } from './port-parts.ts';

function parts(fields: SamplePortFields): PortParts {
  const context = sampleContext({ family: fields.family ?? 4 });
  return portParts(samplePort(fields), { context, scheduler: 'rr' });
}

const servers = (fields: SamplePortFields) =>
  [...parts(fields).servers].map(([key, { reals }]) => `${key} -> ${[...reals.keys()].join(' ')}`);
const entries = (fields: SamplePortFields) =>
  parts(fields).entries.map(({ set, entry }) => `${set.slice(5)} ${entryText(entry)}`);

const balanced: SamplePortFields = {
  nodePort: 30000,
  loadBalancerIps: ['192.0.2.7'],
  externalIps: ['192.0.2.7', '198.51.100.1'],
  clusterEndpoints: ['10.0.0.1:80', '10.0.0.2:80'],
};
const local: SamplePortFields = { ...balanced, externalPolicy: 'Local', localEndpoints: ['10.0.0.2:80'] };

describe('virtual servers', () => {
  test('of each address, one that is external and a balancer’s once, and of the node’s for a node port', () => {
    expect(servers(balanced)).toEqual([
      'tcp 10.96.0.10:80 -> 10.0.0.1:80 10.0.0.2:80',
      'tcp 192.0.2.7:80 -> 10.0.0.1:80 10.0.0.2:80',
      'tcp 198.51.100.1:80 -> 10.0.0.1:80 10.0.0.2:80',
      'tcp 192.168.0.2:30000 -> 10.0.0.1:80 10.0.0.2:80',
    ]);
  });

  test('by the policy of the traffic', () => {
    expect(servers(local)).toEqual([
      'tcp 10.96.0.10:80 -> 10.0.0.1:80 10.0.0.2:80',
      'tcp 192.0.2.7:80 -> 10.0.0.2:80',
      'tcp 198.51.100.1:80 -> 10.0.0.2:80',
      'tcp 192.168.0.2:30000 -> 10.0.0.2:80',
    ]);
    expect(servers({ ...local, localEndpoints: [] })).toHaveLength(1);
  });

  test('none without an endpoint', () => {
    expect(servers({ nodePort: 30000 })).toEqual([]);
    expect(servers({ internalPolicy: 'Local', hasAnyEndpoint: true })).toEqual([]);
  });
});

describe('entries', () => {
  test('of a plain service', () => {
    expect(entries({ clusterEndpoints: ['10.0.0.1:80'] })).toEqual(['CLUSTER-IP 10.96.0.10,tcp:80']);
  });

  test('of external addresses and a node port', () => {
    expect(entries(balanced)).toEqual([
      'CLUSTER-IP 10.96.0.10,tcp:80',
      'EXTERNAL-IP 192.0.2.7,tcp:80',
      'EXTERNAL-IP 198.51.100.1,tcp:80',
      'LOAD-BALANCER 192.0.2.7,tcp:80',
      'NODE-PORT-TCP 30000',
    ]);
  });

  test('of policy Local, with endpoints on this node', () => {
    expect(entries({ ...local, healthCheckNodePort: 31000 })).toEqual([
      'CLUSTER-IP 10.96.0.10,tcp:80',
      'EXTERNAL-IP-LOCAL 192.0.2.7,tcp:80',
      'EXTERNAL-IP-LOCAL 198.51.100.1,tcp:80',
      'LOAD-BALANCER 192.0.2.7,tcp:80',
      'LOAD-BALANCER-LOCAL 192.0.2.7,tcp:80',
      'NODE-PORT-TCP 30000',
      'NODE-PORT-LOCAL-TCP 30000',
      'HEALTH-CHECK-NODE-PORT 31000',
      'LOOP-BACK 10.0.0.2,tcp:80,10.0.0.2',
      'LOOP-BACK 10.0.0.2,tcp:80,10.0.0.2',
    ]);
  });

  test('of source ranges: none of length 0, and the balancer’s own address where the node is in one', () => {
    const guarded = (sourceRanges: readonly string[]) =>
      entries({ loadBalancerIps: ['192.0.2.7'], clusterEndpoints: ['10.0.0.1:80'], sourceRanges }).slice(2);
    expect(guarded(['203.0.113.0/24'])).toEqual([
      'LOAD-BALANCER-FW 192.0.2.7,tcp:80',
      'LOAD-BALANCER-SOURCE-CIDR 192.0.2.7,tcp:80,203.0.113.0/24',
    ]);
    expect(guarded(['0.0.0.0/0'])).toEqual([
      'LOAD-BALANCER-FW 192.0.2.7,tcp:80',
      'LOAD-BALANCER-SOURCE-CIDR 192.0.2.7,tcp:80,0.0.0.0/1',
      'LOAD-BALANCER-SOURCE-CIDR 192.0.2.7,tcp:80,128.0.0.0/1',
      'LOAD-BALANCER-SOURCE-IP 192.0.2.7,tcp:80,192.0.2.7',
    ]);
    expect(guarded([])).toEqual(['LOAD-BALANCER-FW 192.0.2.7,tcp:80']);
  });

  test('of what is refused and what is dropped', () => {
    expect(entries({ nodePort: 30000, externalIps: ['192.0.2.7'] })).toEqual([
      'CLUSTER-IP 10.96.0.10,tcp:80',
      'EXTERNAL-IP 192.0.2.7,tcp:80',
      'NODE-PORT-TCP 30000',
      'NO-ENDPOINTS 10.96.0.10,tcp:80',
      'NO-ENDPOINTS 192.0.2.7,tcp:80',
      'NO-ENDPOINTS 192.168.0.2,tcp:30000',
    ]);
    expect(entries({ ...local, externalIps: [], localEndpoints: [] }).slice(-2)).toEqual([
      'NO-LOCAL-ENDPOINTS 192.0.2.7,tcp:80',
      'NO-LOCAL-ENDPOINTS 192.168.0.2,tcp:30000',
    ]);
  });

  test('of SCTP: node ports by address', () => {
    expect(entries({ protocol: 'sctp', nodePort: 30000, clusterEndpoints: ['10.0.0.1:80'] })).toEqual([
      'CLUSTER-IP 10.96.0.10,sctp:80',
      'NODE-PORT-SCTP-HASH 192.168.0.2,sctp:30000',
    ]);
  });
});

describe('rules', () => {
  test('none where outsiders have the same endpoints as this node’s pods', () => {
    expect(parts(balanced).rules.chains.size).toBe(0);
    expect(parts({ ...local, clusterEndpoints: ['10.0.0.2:80'] }).rules.chains.size).toBe(0);
  });

  test('the short way of policy Local, without the last jump', () => {
    const { chains, shared } = parts({ ...local, loadBalancerIps: [] }).rules;
    const [external = ''] = chains.keys();
    expect(
      chains.get(external)?.map((line) => line.replace(/.*destinations" /, '').replace(/-\w{16}$/, '')),
    ).toEqual([
      '-s 10.0.0.0/8 -j KUBE-SVC',
      '-m addrtype --src-type LOCAL -j KUBE-MARK-MASQ',
      '-m addrtype --src-type LOCAL -j KUBE-SVC',
    ]);
    expect(chains.size).toBe(4);
    expect(shared.map(({ place, line }) => `${place} ${line}`)).toEqual([
      `externalLocal -m comment --comment "ns/web external IP" -m tcp -p tcp -d 192.0.2.7 --dport 80 -j ${external}`,
      `externalLocal -m comment --comment "ns/web external IP" -m tcp -p tcp -d 198.51.100.1 --dport 80 -j ${external}`,
      `localNodePorts -m comment --comment ns/web -m tcp -p tcp --dport 30000 -j ${external}`,
    ]);
  });

  test('behind the balancer’s guard, also where its address is an external one', () => {
    const { chains, shared } = parts({ ...local, sourceRanges: ['192.168.0.0/16'] }).rules;
    expect([...chains.keys()].filter((chain) => chain.startsWith('KUBE-FW-'))).toHaveLength(1);
    expect(
      shared.filter(({ line }) => line.includes('192.0.2.7')).map(({ line }) => /KUBE-FW/.test(line)),
    ).toEqual([true]);
  });
});
