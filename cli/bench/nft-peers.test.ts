import { expect, test } from '@jest/globals';
import { kubeProxyLayout, serviceChainName } from './nft-peers.ts';

test('chains are named as kube-proxy names them', () => {
  // From a running kube-proxy 1.36.2 and its own tests.
  expect(serviceChainName({ namespace: 'ns1', name: 'svc1', port: 'p80' })).toBe(
    'service-ULMVA6XW-ns1/svc1/tcp/p80',
  );
  expect(serviceChainName({ namespace: 'default', name: 'kubernetes', port: 'https' })).toBe(
    'service-2QRHZV4L-default/kubernetes/tcp/https',
  );
});

test('a service in kube-proxy’s layout is a chain with a map, and two elements', () => {
  const { load, change } = kubeProxyLayout({ services: 2, endpoints: 2 });
  const chain = serviceChainName({ namespace: 'bench', name: 'service-1', port: 'http' });
  const lines = load.split('\n').filter((line) => line.includes('10.0.0.2 ') || line.includes(chain));
  expect(lines).toEqual([
    `add chain ip kube-proxy ${chain}`,
    `add rule ip kube-proxy ${chain} meta l4proto tcp dnat ip addr . port to numgen random mod 2 map { 0 : 10.128.0.3 . 8080, 1 : 10.128.0.4 . 8080 }`,
    'add element ip kube-proxy cluster-ips { 10.0.0.2 }',
    `add element ip kube-proxy service-ips { 10.0.0.2 . tcp . 80 : goto ${chain} }`,
  ]);
  const first = serviceChainName({ namespace: 'bench', name: 'service-0', port: 'http' });
  expect(change(true)).toBe(`flush chain ip kube-proxy ${first}
add rule ip kube-proxy ${first} meta l4proto tcp dnat ip addr . port to numgen random mod 2 map { 0 : 10.128.0.1 . 8080, 1 : 10.248.0.0 . 8080 }
`);
});
