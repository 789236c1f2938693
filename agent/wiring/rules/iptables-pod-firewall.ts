// Carries the rules of pods in iptables, for nodes whose other software knows nothing else: reads what is there and restores what
// differs, two programs a family. What the rules are is iptables-rules.ts.
import { type IptablesAccess, openIptables } from '../../../kernel/iptables/driver.ts';
import type { IptablesTable } from '../../../kernel/iptables/save-text.ts';
import type { Netns } from '../../../kernel/netns.ts';
import { SeenGeneration } from '../../../kernel/nft/seen-generation.ts';
import type { Family } from '../../../net/address.ts';
import { attachmentFileName } from '../attachment.ts';
import { CniError, cniCodes } from '../cni-error.ts';
import type { PodFirewall } from '../pod-firewall.ts';
import type { PodRules } from '../pod-rules.ts';
import { type SavedTables, wholeChains, withoutPodLines, withPodLines } from './iptables-changes.ts';
import {
  emptyChains,
  guardedLinks,
  holderOf,
  linesOf,
  type OwnTable,
  plain,
  podChains,
  podLines,
  portChain,
  portOf,
} from './iptables-rules.ts';
import { PortTakenError } from './port-taken.ts';
import { localnetLink, refuseContradiction } from './published-port.ts';
import { type RouteLocalnet, routeLocalnet, switchAll } from './route-localnet.ts';

export interface IptablesPodFirewallOptions {
  readonly netns?: Netns | undefined;
  /** The programs', unless given. */
  readonly access?: (family: Family) => IptablesAccess;
  readonly localnet?: RouteLocalnet;
  /**
   * The generation of nf_tables, which iptables-nft changes, too; undefined where the kernel has none. Rules of iptables-legacy
   * change without a trace: only `ensure` sees that.
   */
  readonly generation?: () => number | undefined;
  /** Shared with another backend; who shares it also notes its looks. */
  readonly seen?: SeenGeneration;
}

/**
 * One operation at a time. Between processes nothing is locked: iptables has no transaction over a look and a change, and of two
 * that publish one port at once both succeed; the first one's rule counts.
 */
export function createIptablesPodFirewall(options: IptablesPodFirewallOptions = {}): PodFirewall {
  const { netns, access = (family: Family) => openIptables({ family, netns }) } = options;
  const { localnet: sysctls = routeLocalnet(netns), seen = new SeenGeneration() } = options;
  const generation = options.generation ?? (() => undefined);
  let last: Promise<unknown> = Promise.resolve();

  function serially<T>(action: () => Promise<T>): Promise<T> {
    const next = last.then(action, action);
    last = next.catch(() => undefined);
    return next;
  }

  async function save(family: Family, tables: readonly OwnTable[]): Promise<SavedTables> {
    const saved = await Promise.all(
      tables.map(async (table) => [table, await access(family).save(table)] as const),
    );
    return new Map(saved);
  }

  async function restore(family: Family, text: string | undefined): Promise<boolean> {
    if (text === undefined) return false;
    const before = generation();
    await access(family).restore(text);
    const after = generation();
    if (before !== undefined && after !== undefined) seen.made(before, after);
    return true;
  }

  async function removeFrom(families: readonly Family[], holder: string): Promise<void> {
    for (const family of families)
      await restore(family, withoutPodLines(holder, await save(family, ['nat'])));
  }

  async function add(rules: PodRules): Promise<void> {
    const holder = attachmentFileName(rules.attachment);
    const families = familiesOf(rules);
    const saved = await Promise.all(
      families.map(async (family) => [family, await save(family, tablesOf(family, rules))] as const),
    );
    for (const [family, tables] of saved) refuseTaken(rules, { family, nat: tables.get('nat'), holder });
    try {
      for (const [family, tables] of saved)
        await restore(family, withPodLines(podLines(family, rules), { family, holder, saved: tables }));
      const link = localnetLink(rules);
      if (link !== undefined && !sysctls.isOn(link)) sysctls.switch(link, true);
    } catch (error) {
      await removeFrom(families, holder);
      throw error;
    }
  }

  async function ensureFamily(family: Family, wanted: readonly PodRules[]): Promise<readonly string[]> {
    const chains = emptyChains(family);
    const saved = await save(family, [...new Set(chains.map(({ table }) => table))]);
    const text = wholeChains(podChains(family, holdersFirst(wanted, saved.get('nat'))), saved);
    const links = new Set(wanted.map(localnetLink));
    const unwanted = guardedLinks(saved.get('raw')).filter((link) => !links.has(link));
    // Off before the guard goes.
    const switched = switchAll(sysctls, { links: unwanted, on: false });
    await restore(family, text);
    const changed = chains
      .map(({ table }) => table)
      .filter((table, i, all) => all.indexOf(table) === i && text?.includes(`*${table}\n`) === true);
    return [...switched, ...changed.map((table) => `restore IPv${family} ${table}`)];
  }

  return {
    add: (rules) =>
      serially(async () => {
        refuseSpoofCheck(rules);
        refuseContradiction(rules);
        await add(rules);
      }),

    remove: (rules) => serially(() => removeFrom(familiesOf(rules), attachmentFileName(rules.attachment))),

    check: (rules) =>
      serially(async () => {
        const link = localnetLink(rules);
        const faults =
          link !== undefined && !sysctls.isOn(link) ? [`route_localnet of link "${link}" is off`] : [];
        for (const family of familiesOf(rules))
          faults.push(...missing(rules, { family, saved: await save(family, tablesOf(family, rules)) }));
        return faults;
      }),

    ensure: (wanted) =>
      serially(async () => {
        const now = generation();
        if (options.seen === undefined && now !== undefined) seen.looked(now);
        const changes = [...(await ensureFamily(4, wanted)), ...(await ensureFamily(6, wanted))];
        const links = wanted.map(localnetLink).filter((link) => link !== undefined);
        return [...changes, ...switchAll(sysctls, { links: new Set(links), on: true })];
      }),

    changed: () => {
      const now = generation();
      return now !== undefined && seen.differs(() => now);
    },

    close() {},
  };
}

/** iptables sees no frames: bridge tables are nftables' (open-pod-firewall.ts carries the check there). */
function refuseSpoofCheck({ spoofCheck }: PodRules): void {
  if (spoofCheck !== undefined)
    throw new CniError(
      cniCodes.unsupportedField,
      `Cannot check source MAC addresses of "${spoofCheck.hostLink}" in iptables (macspoofchk: true)`,
    );
}

/** Those that any line is needed in. */
function familiesOf(rules: PodRules): readonly Family[] {
  return ([4, 6] as const).filter((family) => podLines(family, rules).length > 0);
}

function tablesOf(family: Family, rules: PodRules): readonly OwnTable[] {
  return [...new Set(['nat' as const, ...podLines(family, rules).map(({ table }) => table)])];
}

function refuseTaken(
  rules: PodRules,
  options: { readonly family: Family; readonly nat: IptablesTable | undefined; readonly holder: string },
): void {
  const { family, nat, holder } = options;
  const held = new Map(linesOf(nat, portChain).map((line) => [portOf(line), line]));
  for (const { port, line } of podLines(family, rules)) {
    const there = port === undefined ? undefined : held.get(portOf(line));
    if (port !== undefined && there !== undefined && holderOf(there) !== holder)
      throw new PortTakenError(port, holderOf(there));
  }
}

/** Those that have ports go first: another that wants one of them was refused, and must not get it now. */
function holdersFirst(wanted: readonly PodRules[], nat: IptablesTable | undefined): readonly PodRules[] {
  const holders = new Set(linesOf(nat, portChain).map(holderOf));
  const rank = (rules: PodRules) => (holders.has(attachmentFileName(rules.attachment)) ? 0 : 1);
  return wanted.toSorted((a, b) => rank(a) - rank(b));
}

function missing(
  rules: PodRules,
  { family, saved }: { readonly family: Family; readonly saved: SavedTables },
): readonly string[] {
  const lines = podLines(family, rules);
  const needed = emptyChains(family).filter(({ chain }) => lines.some((line) => line.chain === chain));
  const wanted = [
    ...needed.flatMap(({ table, jumps, first }) => [...jumps, ...first].map((line) => ({ table, line }))),
    ...lines,
  ];
  return wanted
    .filter(({ table, line }) => !saved.get(table)?.rules.some((one) => plain(one) === plain(line)))
    .map(({ table, line }) => `IPv${family} ${table} lacks ${line}`);
}
