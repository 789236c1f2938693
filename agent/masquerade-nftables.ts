// Masquerading and forward rules as an nftables table of our own: flannel's rules, in the order of its iptables form (its
// nftables form ends in a rule that nothing reaches). Pure. One table of family inet serves both IP families, so that a node
// of two has one object to own, one transaction and one thing to look at when somebody changes it.

import { baseChain, priority, rule, table } from '../kernel/nft/declare.ts';
import { addressFields, meta } from '../kernel/nft/fields.ts';
import type { Chain, Rule, Table, TableId } from '../kernel/nft/objects.ts';
import { accept, masquerade, returnStatement } from '../kernel/nft/statement.ts';
import {
  kubeProxyMark,
  type MasqueradeFamily,
  type MasqueradeInput,
  multicastNetwork,
} from './masquerade-input.ts';

export const agentTable: TableId = { family: 'inet', name: 'netloom' };

const nat = 'postrouting';
const forward = 'forward';

/** The whole table. */
export function masqueradeTable(input: MasqueradeInput): Table {
  const chains: Chain[] = [baseChain(nat, { type: 'nat', hook: 'postrouting', priority: priority.srcnat })];
  const rules: Rule[] = [
    rule(nat, [meta.mark.maskedEquals(kubeProxyMark, kubeProxyMark), returnStatement], {
      comment: 'kube-proxy masquerades these itself',
    }),
    ...input.families.flatMap((family) => natRules(family, input.randomFully)),
  ];
  if (input.forward) {
    chains.push(baseChain(forward, { type: 'filter', hook: 'forward', priority: priority.filter }));
    rules.push(...input.families.flatMap(forwardRules));
  }
  return table({ ...agentTable, comment: 'Made by netloom agent', chains, rules });
}

function natRules(
  { family, network, subnet, exclude }: MasqueradeFamily,
  randomFully: boolean,
): readonly Rule[] {
  const { saddr, daddr } = addressFields(family);
  const here = family === 4 ? meta.nfproto.ip : meta.nfproto.ip6;
  const hide = masquerade({ fullyRandom: randomFully });
  const keeps = { comment: 'between pods the source stays' };
  return [
    rule(nat, [here, saddr.in(subnet), daddr.in(network), returnStatement], keeps),
    rule(nat, [here, saddr.in(network), daddr.in(subnet), returnStatement], keeps),
    rule(nat, [here, saddr.notIn(network), daddr.in(subnet), returnStatement], {
      comment: 'to pods of this node the source stays',
    }),
    ...exclude.map((prefix) =>
      rule(nat, [here, saddr.in(network), daddr.in(prefix), returnStatement], { comment: 'excluded' }),
    ),
    rule(nat, [here, saddr.in(network), daddr.notIn(multicastNetwork[family]), hide], {
      comment: 'pods to outside',
    }),
    rule(nat, [here, saddr.notIn(network), daddr.in(network), hide], {
      comment: 'this node to pods of others',
    }),
  ];
}

function forwardRules({ family, network }: MasqueradeFamily): readonly Rule[] {
  const { saddr, daddr } = addressFields(family);
  const here = family === 4 ? meta.nfproto.ip : meta.nfproto.ip6;
  return [
    rule(forward, [here, saddr.in(network), accept], { comment: 'from pods' }),
    rule(forward, [here, daddr.in(network), accept], { comment: 'to pods' }),
  ];
}
