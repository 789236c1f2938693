// The proxy's part of `netloom cleanup`: our nftables tables wherever they are, and kube-proxy's chains and objects of IPVS only where this
// node's proxy was told to work in such a mode; elsewhere they are kube-proxy's own.
import { savedByAnyVariant } from '../kernel/iptables/variants.ts';
import { openNftDriver } from '../kernel/nft/driver.ts';
import { generationAfter } from '../kernel/nft/step.ts';
import type { Family } from '../net/address.ts';
import type { Prefix } from '../net/prefix.ts';
import { openIptablesMode } from '../proxy/iptables/open-iptables-mode.ts';
import { cleanUpIpvs, hasIpvsTraces } from '../proxy/ipvs/clean-up-ipvs.ts';
import { proxyTableId } from '../proxy/nftables/proxy-table.ts';
import type { ProxyModeName } from '../proxy/proxy-mode.ts';
import { proxySocketPath } from '../proxy/proxy-servers.ts';
import { UnixRequestError, unixRequest } from '../runtime/unix-request.ts';

const families: readonly Family[] = [4, 6];

/** Returns what was taken away, or would be. Throws when the proxy still runs, or the kernel refuses. */
export async function cleanUpServices({
  mode,
  runDirectory,
  excludePrefixes,
  dryRun,
}: {
  readonly mode: ProxyModeName;
  readonly runDirectory: string;
  /** Virtual servers of IPVS in these are others'. */
  readonly excludePrefixes: readonly Prefix[];
  readonly dryRun: boolean;
}): Promise<readonly string[]> {
  const socket = proxySocketPath(runDirectory);
  if (await answers(socket))
    throw new Error(`Cannot clean up: the proxy answers on "${socket}"; stop it first`);
  const done = cleanUpTables(dryRun);
  if (mode === 'ipvs') return [...done, ...(await cleanUpIpvsMode(excludePrefixes, dryRun))];
  if (mode !== 'iptables') return done;
  const chains = await Promise.all(families.map((family) => cleanUpChains(family, dryRun)));
  return [...done, ...chains.flat()];
}

function cleanUpTables(dryRun: boolean): readonly string[] {
  const driver = openNftDriver();
  try {
    return families.flatMap((family) => {
      const table = proxyTableId(family);
      if (!driver.has(table)) return [];
      if (!dryRun) generationAfter(driver.apply([{ kind: 'table-delete', table }]));
      return [`nft delete table ${table.family} ${table.name}`];
    });
  } finally {
    driver.close();
  }
}

async function cleanUpIpvsMode(
  excludePrefixes: readonly Prefix[],
  dryRun: boolean,
): Promise<readonly string[]> {
  const done: string[] = [];
  for (const family of families) {
    if (dryRun) {
      if (hasIpvsTraces({ family }))
        done.push(`virtual servers, sets, addresses and KUBE-… chains of IPVS mode, IPv${family}`);
      continue;
    }
    const { removed, left } = await cleanUpIpvs({ family, excludePrefixes, when: 'now', rules: true });
    done.push(...removed);
    if (left.length > 0) throw new Error(`Cannot clean up: ${left.join('; ')}`);
  }
  return done;
}

async function cleanUpChains(family: Family, dryRun: boolean): Promise<readonly string[]> {
  if (dryRun) {
    const saved = await savedByAnyVariant('nat', { family });
    const there = saved.some(({ table }) => table.chains.has('KUBE-SERVICES'));
    return there ? [`the KUBE-… chains of iptables, IPv${family}`] : [];
  }
  const mode = await openIptablesMode({ family });
  try {
    return await mode.cleanUp();
  } finally {
    mode.close();
  }
}

async function answers(socketPath: string): Promise<boolean> {
  try {
    await unixRequest({ socketPath, path: '/healthz', timeoutMs: 1000 });
    return true;
  } catch (error) {
    return error instanceof UnixRequestError && error.kind !== 'not-running';
  }
}
