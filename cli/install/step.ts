// The steps of an installation, data: what `--dry-run` prints and make-steps.ts does.
import type { Item } from './item.ts';

export type InstallStep =
  | { readonly kind: 'make-directory'; readonly path: string }
  /** Puts the item in the place of what is there, in one step. */
  | { readonly kind: 'put'; readonly item: Exclude<Item, { kind: 'directory' }> }
  | { readonly kind: 'remove'; readonly path: string }
  /** When it is empty by then. */
  | { readonly kind: 'remove-directory'; readonly path: string };

export function stepText(step: InstallStep): string {
  switch (step.kind) {
    case 'make-directory':
      return `mkdir ${step.path}`;
    case 'put':
      return step.item.kind === 'link'
        ? `ln -s ${step.item.target} ${step.item.path}`
        : `cp ${step.item.kind === 'tree' ? '-r ' : ''}${step.item.source} ${step.item.path}`;
    case 'remove':
      return `rm ${step.path}`;
    case 'remove-directory':
      return `rmdir ${step.path}`;
    default:
      return step satisfies never;
  }
}
