// The steps of a plan for iptables: data that becomes one text for iptables-restore (restore-text.ts). Who computes them: plan-full.ts and
// plan-changes.ts.
import type { TableName } from './place.ts';

interface InChain {
  readonly table: TableName;
  readonly chain: string;
  /** Key of the service port that it is for; undefined: for none in particular. */
  readonly port?: string | undefined;
}

export type RuleStep =
  /** The chain is made, or emptied, and gets these lines. */
  | (InChain & { readonly kind: 'chain-write'; readonly lines: readonly string[] })
  /** Removes the first line that means the same; fails when there is none. */
  | (InChain & { readonly kind: 'line-remove'; readonly line: string })
  /** Puts the line at the top. */
  | (InChain & { readonly kind: 'line-insert'; readonly line: string })
  /** Fails when lines lead to it that no earlier step takes away. */
  | (InChain & { readonly kind: 'chain-delete' });
