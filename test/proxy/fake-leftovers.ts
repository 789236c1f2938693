// What other modes left in the fake kernels goes, as remove-leftovers.ts does it on a real one, by the same parts.
import type { TableId } from '../../kernel/nft/objects.ts';
import type { NftStep } from '../../kernel/nft/step.ts';
import { isIpvsOnlyChain, isOldForIpvs, ownTables } from '../../proxy/iptables/own-chains.ts';
import type { TableName } from '../../proxy/iptables/place.ts';
import { removeChains } from '../../proxy/iptables/removal.ts';
import { isChainOfIpvs, removeIpvs } from '../../proxy/ipvs/remove-ipvs.ts';
import { proxyTableId } from '../../proxy/nftables/proxy-table.ts';
import type { ProxyModeName } from '../../proxy/proxy-mode.ts';
import type { FakeKernels } from './fake-kernels.ts';

const isLeft: Readonly<Record<ProxyModeName, (table: TableName, chain: string) => boolean>> = {
  nftables: isChainOfIpvs,
  iptables: isIpvsOnlyChain,
  ipvs: isOldForIpvs,
};

/** Returns what has to stay for the time being. */
export async function removeFakeLeftovers(
  { nft, iptables, ipvs, ipset, route }: FakeKernels,
  keep: ProxyModeName,
): Promise<readonly string[]> {
  const left: string[] = [];
  const { signal } = new AbortController();
  for (const family of [4, 6] as const) {
    if (keep !== 'nftables') deleteTable(nft.driver(), proxyTableId(family));
    const access = iptables.access(family);
    await removeChains({ access, tables: ownTables, isOurs: isLeft[keep], signal, label: 'fake' });
    if (keep === 'ipvs') continue;
    const of = { family, route, ipset: ipset.access(), ipvs: ipvs.access(), excludePrefixes: [] };
    left.push(...(await removeIpvs({ ...of, when: 'idle' })).left);
  }
  return left;
}

function deleteTable(driver: ReturnType<FakeKernels['nft']['driver']>, table: TableId): void {
  const step: NftStep = { kind: 'table-delete', table };
  if (driver.has(table)) driver.apply([step]);
}
