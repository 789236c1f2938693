// Faults in the rules that a mode made in the fake kernels, one at a time, to ask whether the packet table would notice: every rule
// missing, every element, virtual server, real server, entry of a set and address missing. Faults of other kinds are breakages.ts.

import { entryText } from '../../kernel/ipset/objects.ts';
import type { FakeIptablesKernel } from '../../kernel/iptables/fake.ts';
import { realServerText, virtualServerText } from '../../kernel/ipvs/objects.ts';
import type { Rule, Table } from '../../kernel/nft/objects.ts';
import { ruleText } from '../../kernel/nft/rule-text.ts';
import { elementText } from '../../kernel/nft/set-text.ts';
import { generationAfter, type NftStep } from '../../kernel/nft/step.ts';
import type { Family } from '../../net/address.ts';
import { serviceLinkName } from '../../proxy/ipvs/service-link.ts';
import { type FakeKernels, forkKernels } from './fake-kernels.ts';
import { setsWithEntries } from './set-entries.ts';

export interface Mutant {
  /** What is missing, as an operator would write it, with letters for what is only this state's: faults of one name are of one kind. */
  readonly kind: string;
  /** Kernels with the fault; those that it was asked of stay as they are. */
  readonly kernels: () => Promise<FakeKernels>;
}

export async function everyMutant(kernels: FakeKernels): Promise<readonly Mutant[]> {
  const ofIptables = await Promise.all(([4, 6] as const).map((family) => iptablesMutants(kernels, family)));
  return [...nftMutants(kernels), ...ofIptables.flat(), ...ipvsMutants(kernels)];
}

function nftMutants(kernels: FakeKernels): readonly Mutant[] {
  const without = (text: string, steps: readonly NftStep[]): Mutant => ({
    kind: kindOf(text),
    kernels: async () => {
      const forked = forkKernels(kernels);
      generationAfter(forked.nft.driver().apply(steps));
      return forked;
    },
  });
  return [...kernels.nft.state.values()].flatMap((table) => [
    ...[...table.rules.values()].flatMap((rules) =>
      rules.map((rule) =>
        without(
          `${rule.chain}: ${ruleText(rule, table.family)}`,
          chainOf(
            table,
            rules.filter((other) => other !== rule),
            rule.chain,
          ),
        ),
      ),
    ),
    ...[...table.sets.values()].flatMap((set) =>
      [...set.elements.values()].map((element) =>
        without(`${set.name}: ${elementText(set, element)}`, [
          { kind: 'element-delete', table, set, element },
        ]),
      ),
    ),
  ]);
}

/** A chain emptied and filled anew. */
export function chainOf(table: Table, rules: readonly Rule[], name: string): readonly NftStep[] {
  return [
    { kind: 'chain-flush', table, chain: { name } },
    ...rules.map((rule) => ({ kind: 'rule-add' as const, table, rule })),
  ];
}

async function iptablesMutants(kernels: FakeKernels, family: Family): Promise<readonly Mutant[]> {
  const mutants: Mutant[] = [];
  for (const name of ['mangle', 'filter', 'nat'] as const) {
    const { rules } = await kernels.iptables.access(family).save(name);
    const numbers = new Map<string, number>();
    for (const rule of rules) {
      const chain = rule.split(' ')[1] ?? '';
      const number = (numbers.get(chain) ?? 0) + 1;
      numbers.set(chain, number);
      mutants.push({
        kind: kindOf(`${name} ${rule}`),
        kernels: async () => {
          const forked = forkKernels(kernels);
          await withText(forked.iptables, family, `*${name}\n-D ${chain} ${number}\nCOMMIT\n`);
          return forked;
        },
      });
    }
  }
  return mutants;
}

function ipvsMutants(kernels: FakeKernels): readonly Mutant[] {
  const access = kernels.ipvs.access();
  const changed = (kind: string, change: (forked: FakeKernels) => unknown): Mutant => ({
    kind: kindOf(kind),
    kernels: async () => {
      const forked = forkKernels(kernels);
      change(forked);
      return forked;
    },
  });
  const servers = ([4, 6] as const).flatMap((family) => access.servers(family));
  return [
    ...servers.flatMap((server) => [
      changed(`virtual server ${virtualServerText(server)}`, ({ ipvs }) =>
        ipvs.access().apply([{ kind: 'server-delete', server }]),
      ),
      ...access
        .realServers(server)
        .map((real) =>
          changed(`real server ${realServerText(real)}`, ({ ipvs }) =>
            ipvs.access().apply([{ kind: 'real-delete', server, real }]),
          ),
        ),
    ]),
    ...setsWithEntries(kernels.ipset.access()).flatMap(({ set, entries }) =>
      entries.map((entry) =>
        changed(`${set.name}: ${entryText(entry)}`, ({ ipset }) =>
          ipset.access().apply([{ kind: 'entry-delete', set, entry }]),
        ),
      ),
    ),
    ...kernels.route
      .addressesOn(serviceLinkName)
      .map((address) =>
        changed(`${serviceLinkName} ${address.prefix}`, ({ route }) =>
          route.apply([{ kind: 'address-delete', address }]),
        ),
      ),
  ];
}

/** A for addresses and networks, N for numbers and hashes; comments are left out. */
function kindOf(text: string): string {
  return (
    text
      .replace(/ ?(-m comment --)?comment ("[^"]*"|\S+)/g, '')
      .replace(/\d+\.\d+\.\d+\.\d+(\/\d+)?|\b[0-9a-f]*:[0-9a-f:]*:[0-9a-f:]*(\/\d+)?/g, 'A')
      .replace(/\{ A(, A)* \}/g, '{ A }')
      .replace(/\b(KUBE-(?:SVC|SVL|SEP|EXT|FW)-)[A-Z2-7]{16}/g, '$1N')
      .replace(/\bKUBE-6-/g, 'KUBE-')
      // Names of sets are cut at 31 bytes.
      .replace(
        /\b(KUBE-LOAD-BALANCER-SOURCE-CID|KUBE-NODE-PORT-LOCAL-SCTP-HAS)\b/g,
        (cut) => cut + (cut.endsWith('S') ? 'H' : 'R'),
      )
      .replace(/\bip6 /g, 'ip ')
      .replace(/\bicmp6-port/g, 'icmp-port')
      .replace(/(?<![a-z])([0-9a-f]*[0-9][0-9a-f]*)(?=\b)/g, 'N')
  );
}

async function withText(kernel: FakeIptablesKernel, family: Family, text: string): Promise<void> {
  await kernel.access(family).restore(text);
}
