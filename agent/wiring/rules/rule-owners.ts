// Whose rules are in the kernel: the attachments that elements of our nftables tables and lines of our iptables chains name. For the
// doctor; it changes nothing and starts iptables only where its tables are there already.
import { hasLegacyTables } from '../../../kernel/iptables/legacy-tables.ts';
import { saveIptables } from '../../../kernel/iptables/programs.ts';
import { isNotSupported } from '../../../kernel/kernel-error.ts';
import type { Netns } from '../../../kernel/netns.ts';
import { openNftDriver } from '../../../kernel/nft/driver.ts';
import { podTableIds } from './nft-tables.ts';

/** attachmentFileName, as comments have it. */
const nameForm = /^[0-9a-f]{32}$/;

/** Names of the attachments' files. */
export async function ruleOwners({
  netns,
}: {
  readonly netns?: Netns | undefined;
}): Promise<readonly string[]> {
  const inIptables = hasLegacyTables({ netns }) || hasNatTable(netns) ? await iptablesOwners(netns) : [];
  return [...new Set([...nftOwners(netns), ...inIptables])].sort();
}

const natTables = [
  { family: 'ip', name: 'nat' },
  { family: 'ip6', name: 'nat' },
] as const;

/** iptables-nft's own: to ask by its program would make it. */
function hasNatTable(netns: Netns | undefined): boolean {
  return withDriver(netns, (driver) => natTables.some((table) => driver.has(table)), false);
}

function nftOwners(netns: Netns | undefined): readonly string[] {
  return withDriver(
    netns,
    (driver) =>
      [...driver.read(podTableIds).state.values()]
        .flatMap(({ sets }) => [...sets.values()])
        .flatMap(({ elements }) => [...elements.values()])
        .flatMap(({ comment = '' }) => (nameForm.test(comment) ? [comment] : [])),
    [],
  );
}

async function iptablesOwners(netns: Netns | undefined): Promise<readonly string[]> {
  const tables = await Promise.all(([4, 6] as const).map((family) => saveIptables('nat', { family, netns })));
  return tables
    .flatMap(({ rules }) => rules)
    .filter((line) => line.startsWith('-A NETLOOM-'))
    .flatMap((line) => /--comment "?([0-9a-f]{32})"?/.exec(line)?.[1] ?? []);
}

function withDriver<T>(
  netns: Netns | undefined,
  ask: (driver: ReturnType<typeof openNftDriver>) => T,
  otherwise: T,
): T {
  let driver: ReturnType<typeof openNftDriver> | undefined;
  try {
    driver = openNftDriver({ netns });
    return ask(driver);
  } catch (error) {
    if (isNotSupported(error)) return otherwise;
    throw error;
  } finally {
    driver?.close();
  }
}
