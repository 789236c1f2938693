import { expect, test } from '@jest/globals';
import { samplePort } from '../../proxy/sample-services.ts';
import { kubeProxyText } from './iptables-peer.ts';

const ports = [
  samplePort({ service: 'a', clusterIp: '10.96.0.1', clusterEndpoints: ['10.128.0.1:80'] }),
  samplePort({ service: 'b', clusterIp: '10.96.0.2' }),
];

test('a full text, and after a change all that is shared with the chains of one service', () => {
  const peer = kubeProxyText(ports);
  const moved = samplePort({ service: 'a', clusterIp: '10.96.0.1', clusterEndpoints: ['10.128.0.2:80'] });
  const [full, partial] = [peer.load, peer.change(moved)].map((text) => text.split('\n'));
  const sharedLines = [
    '-A KUBE-SERVICES -m comment --comment "ns/b has no endpoints" -m tcp -p tcp -d 10.96.0.2 --dport 80 -j REJECT',
    '-A KUBE-FORWARD -m conntrack --ctstate INVALID -j DROP',
    '-A KUBE-MARK-MASQ -j MARK --or-mark 0x00004000',
  ];
  for (const text of [full, partial]) expect(text).toEqual(expect.arrayContaining(sharedLines));
  expect(full?.filter((line) => line.includes('10.128.0.1'))).toHaveLength(3);
  expect(partial?.filter((line) => line.includes('10.128.0.1'))).toEqual([]);
  expect(partial?.filter((line) => line.includes('10.128.0.2'))).toHaveLength(3);
});

test('in a large cluster endpoints have no comments', () => {
  const clusterEndpoints = Array.from({ length: 1001 }, (_, i) => `10.128.${i >> 8}.${i & 255}:80`);
  const { load } = kubeProxyText([samplePort({ service: 'a', clusterEndpoints })]);
  expect(load).not.toContain('->');
  expect(load).toContain('"ns/a cluster IP"');
});

test('jumps are made apart', () => {
  const { jumps, load } = kubeProxyText(ports);
  expect(jumps).toContain('-I OUTPUT -m comment --comment "kubernetes service portals" -j KUBE-SERVICES');
  expect(load).not.toMatch(/^-[AI] (INPUT|OUTPUT|FORWARD|PREROUTING|POSTROUTING) /m);
});
