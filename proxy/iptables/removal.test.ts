import { describe, expect, test } from '@jest/globals';
import { FakeIptablesKernel } from '../../kernel/iptables/fake.ts';
import { isOwnChain, ownTables } from './own-chains.ts';
import { removeChains } from './removal.ts';

const signal = new AbortController().signal;

const kubeProxys = `*filter
:KUBE-SERVICES - [0:0]
:KUBE-FIREWALL - [0:0]
:KUBE-KUBELET-CANARY - [0:0]
:KUBE-PROXY-CANARY - [0:0]
-A INPUT -j KUBE-FIREWALL
-A INPUT -m comment --comment "kubernetes service portals -j KUBE-SERVICES" -j ACCEPT
-A OUTPUT -m conntrack --ctstate NEW -m comment --comment "kubernetes service portals" -j KUBE-SERVICES
COMMIT
*nat
:KUBE-SERVICES - [0:0]
:KUBE-MARK-MASQ - [0:0]
:KUBE-SVC-A - [0:0]
:KUBE-SEP-A - [0:0]
:CNI-DN-1 - [0:0]
-A OUTPUT -m comment --comment "kubernetes service portals" -j KUBE-SERVICES
-A OUTPUT -j KUBE-SERVICES
-A KUBE-SERVICES -j KUBE-SVC-A
-A KUBE-SVC-A -j KUBE-SEP-A
-A KUBE-SEP-A -j KUBE-MARK-MASQ
-A KUBE-MARK-MASQ -j MARK --or-mark 0x4000
-A CNI-DN-1 -s 10.0.0.1 -j KUBE-MARK-MASQ
COMMIT
*mangle
:KUBE-PROXY-CANARY - [0:0]
:KUBE-IPTABLES-HINT - [0:0]
COMMIT
`;

describe('removeChains', () => {
  test("takes kube-proxy's chains and jumps, and leaves all others", async () => {
    const access = new FakeIptablesKernel().access(4);
    await access.restore(kubeProxys);
    const options = { access, tables: ownTables, isOurs: isOwnChain, signal, label: 'IPv4 iptables-nft' };
    expect((await removeChains(options)).words).toEqual([
      'IPv4 iptables-nft, table filter: 1 jump; chains KUBE-PROXY-CANARY, KUBE-SERVICES',
      'IPv4 iptables-nft, table nat: 2 jumps; chains KUBE-SERVICES, 2 of services; emptied, since rules of others lead to them: KUBE-MARK-MASQ',
      'IPv4 iptables-nft, table mangle: chains KUBE-PROXY-CANARY',
    ]);
    const own = async (table: string) =>
      [...(await access.save(table)).chains]
        .flatMap(([chain, policy]) => (policy === '-' ? [chain] : []))
        .sort();
    expect(await own('filter')).toEqual(['KUBE-FIREWALL', 'KUBE-KUBELET-CANARY']);
    expect(await own('nat')).toEqual(['CNI-DN-1', 'KUBE-MARK-MASQ']);
    expect(await own('mangle')).toEqual(['KUBE-IPTABLES-HINT']);
    expect((await access.save('filter')).rules).toHaveLength(2);
    expect(await removeChains(options)).toEqual({ words: [], chains: [] });
  });
});
