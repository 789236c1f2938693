import { expect, test } from '@jest/globals';
import { ipvsModeSets, isIpvsModeChain } from './ipvs-mode.ts';

test('names of sets are cut to what the kernel takes', () => {
  expect(ipvsModeSets(4)).toContain('KUBE-LOAD-BALANCER-SOURCE-CIDR');
  expect(ipvsModeSets(6)).toContain('KUBE-6-LOAD-BALANCER-SOURCE-CID');
  for (const name of [...ipvsModeSets(4), ...ipvsModeSets(6)]) expect(name.length).toBeLessThanOrEqual(31);
});

test('chains that the iptables mode makes too are not told as those of IPVS mode', () => {
  expect(isIpvsModeChain('nat', 'KUBE-SERVICES')).toBe(false);
  expect(isIpvsModeChain('filter', 'KUBE-IPVS-FILTER')).toBe(true);
  expect(isIpvsModeChain('filter', 'KUBE-FIREWALL')).toBe(false);
});
