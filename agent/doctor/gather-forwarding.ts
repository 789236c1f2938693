// Reads whether the node lets pods' packets through: iptables in both variants, chains of nftables that drop, sysctls. It changes nothing,
// and makes no table by asking.
import { ProgramError } from '../../kernel/exec.ts';
import { iptablesVersion } from '../../kernel/iptables/program-version.ts';
import { savedByAnyVariant } from '../../kernel/iptables/variants.ts';
import type { Netns } from '../../kernel/netns.ts';
import { type BaseChain, baseChains } from '../../kernel/nft/base-chains.ts';
import { openNftDriver } from '../../kernel/nft/driver.ts';
import { ruleText } from '../../kernel/nft/rule-text.ts';
import { forwardChain } from '../masquerade-iptables.ts';
import { openSysctls } from '../node-sysctls.ts';
import { CniError } from '../wiring/cni-error.ts';
import { readNodeNetwork } from '../wiring/node-network.ts';
import { forwardingKey } from './node-checks.ts';
import type { DroppingChain, FilterTable, Forwarding } from './node-facts.ts';

export interface ForwardingSources {
  readonly subnetFile: string;
  readonly bridge: string;
  readonly masquerade: Forwarding['masquerade'];
  readonly netns?: Netns | undefined;
  readonly signal?: AbortSignal;
}

export async function readForwarding(sources: ForwardingSources): Promise<Forwarding> {
  const { masquerade, netns } = sources;
  const podSubnets = readSubnets(sources).map(({ subnet }) => subnet);
  const sysctls = openSysctls(netns);
  const values = podSubnets.map(forwardingKey).flatMap((key) => {
    const value = sysctls.read(key);
    return value === undefined ? [] : [[key, value] as const];
  });
  const hasPods = podSubnets.length > 0;
  return {
    podSubnets,
    masquerade,
    filters: hasPods ? await readFilters(sources) : [],
    dropping: hasPods ? readDropping(netns) : [],
    sysctls: new Map(values),
  };
}

/** None while the node has no lease. */
function readSubnets({ subnetFile, bridge }: ForwardingSources) {
  try {
    return readNodeNetwork({ subnetFile, bridge }).subnets;
  } catch (error) {
    if (error instanceof CniError) return [];
    throw error;
  }
}

/** None where no program can read them: that is said with the features. */
async function readFilters({
  netns,
  signal,
  masquerade,
}: ForwardingSources): Promise<readonly FilterTable[]> {
  const found: FilterTable[] = [];
  for (const family of [4, 6] as const) {
    try {
      const saved = await savedByAnyVariant('filter', {
        family,
        netns,
        ...(signal === undefined ? {} : { signal }),
      });
      for (const { variant, table } of saved) {
        found.push({
          family,
          variant: variant === 'default' ? (await iptablesVersion({ family })).kind : variant,
          // In iptables mode the agent's rules are put where its programs write, with the next pass if not yet.
          hasOurs: masquerade === 'iptables' && table.rules.some((rule) => rule.includes(forwardChain)),
          forwardPolicy: table.chains.get('FORWARD') ?? 'ACCEPT',
          rules: table.rules,
        });
      }
    } catch (error) {
      if (!(error instanceof ProgramError)) throw error;
    }
  }
  return found;
}

function readDropping(netns: Netns | undefined): readonly DroppingChain[] {
  return baseChains({ netns })
    .filter(isForeignDrop)
    .map((one) => ({
      name: `${one.table.family} ${one.table.name} ${one.chain.name}`,
      families: one.table.family === 'ip' ? [4] : one.table.family === 'ip6' ? [6] : [4, 6],
      rules: rulesOf(one, netns),
    }));
}

/** iptables' own chain is looked at with iptables. */
function isForeignDrop({ table: { family, name }, chain }: BaseChain): boolean {
  if (chain.base.hook !== 'forward' || chain.base.policy !== 'drop') return false;
  if (family !== 'inet' && family !== 'ip' && family !== 'ip6') return false;
  return !(family !== 'inet' && name === 'filter' && chain.name === 'FORWARD');
}

/** Undefined where somebody uses what we cannot read. */
function rulesOf({ table }: BaseChain, netns: Netns | undefined): readonly string[] | undefined {
  const driver = openNftDriver({ netns });
  try {
    const [found] = driver.read([table], { elements: false }).state.values();
    return [...(found?.rules.values() ?? [])].flat().map((rule) => ruleText(rule, table.family));
  } catch {
    return undefined;
  } finally {
    driver.close();
  }
}
