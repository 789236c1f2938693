// What the kernel checks by walking all chains from the hooks: how deep jumps nest, and statements that only some hooks allow.
import { constants } from 'node:os';
import type { Expression } from './expressions.ts';
import type { ChainBase, Hook, Table } from './objects.ts';
import type { Verdict } from './verdict.ts';
import { verdictsOf } from './verdicts-of.ts';

const { EMLINK, EOPNOTSUPP } = constants.errno;

/** NFT_JUMP_STACK_SIZE */
const deepest = 16;

/** The errno of the first fault, if there is one. */
export function checkGraph(table: Table): number | undefined {
  for (const chain of table.chains.values()) {
    if (chain.base === undefined) continue;
    const errno = checkChain(table, { name: chain.name, base: chain.base, depth: 0 });
    if (errno !== undefined) return errno;
  }
  return undefined;
}

function checkChain(
  table: Table,
  at: { readonly name: string; readonly base: ChainBase; readonly depth: number },
): number | undefined {
  if (at.depth >= deepest) return EMLINK;
  for (const rule of table.rules.get(at.name) ?? []) {
    if (rule.expressions.some((one) => !isAllowed(one, at.base))) return EOPNOTSUPP;
    const named = rule.expressions.flatMap((one) =>
      one.kind === 'lookup' && typeof one.set === 'string' && one.to === 'verdict'
        ? [...(table.sets.get(one.set)?.elements.values() ?? [])].flatMap(({ data }) =>
            data !== undefined && 'kind' in data ? [data] : [],
          )
        : [],
    );
    for (const verdict of [...verdictsOf(rule), ...named]) {
      const errno = checkVerdict(table, verdict, at);
      if (errno !== undefined) return errno;
    }
  }
  return undefined;
}

function checkVerdict(
  table: Table,
  verdict: Verdict,
  at: { readonly base: ChainBase; readonly depth: number },
): number | undefined {
  if (!('chain' in verdict)) return undefined;
  return checkChain(table, { name: verdict.chain, base: at.base, depth: at.depth + 1 });
}

const natHooks: Readonly<Record<'snat' | 'dnat', readonly Hook[]>> = {
  snat: ['postrouting', 'input'],
  dnat: ['prerouting', 'output'],
};

/** nft_*_validate of the kernel's expressions. */
function isAllowed(expression: Expression, base: ChainBase): boolean {
  switch (expression.kind) {
    case 'nat':
      return base.type === 'nat' && natHooks[expression.type].includes(base.hook);
    case 'masquerade':
      return base.type === 'nat' && base.hook === 'postrouting';
    case 'redirect':
      return base.type === 'nat' && natHooks.dnat.includes(base.hook);
    case 'reject':
      return base.hook !== 'postrouting';
    default:
      return true;
  }
}
