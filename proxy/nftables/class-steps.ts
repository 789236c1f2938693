// Steps that make a class and take it away: its chain, the chains of choices that no other class has, and its element. Pure.
import { chain } from '../../kernel/nft/declare.ts';
import type { NftStep, StepSet } from '../../kernel/nft/step.ts';
import type { RuleContext } from '../rule-context.ts';
import { choiceRules, classRules } from './class-chains.ts';
import type { AddedClass } from './class-register.ts';
import { classElement, type NumberedClass, proxyTableId } from './proxy-table.ts';
import { type Choice, choiceName, className } from './traffic-class.ts';

/** Map `classes` as elements are written to it. */
const classSet: StepSet = { name: 'classes', key: ['classid'], data: 'verdict', flags: [] };

export function classSteps(added: AddedClass, context: RuleContext): readonly NftStep[] {
  const table = proxyTableId(context.family);
  const rules = [
    ...added.choices.flatMap((choice) => choiceRules(choice, context.family)),
    ...classRules(added.trafficClass, context),
  ];
  const chains = [...added.choices.map(choiceName), className(added.trafficClass)];
  return [
    ...chains.map((name): NftStep => ({ kind: 'chain-add', table, chain: chain(name) })),
    ...rules.map((rule): NftStep => ({ kind: 'rule-add', table, rule })),
    { kind: 'element-add', table, set: classSet, element: classElement(added) },
  ];
}

/**
 * For classes that no packet is led to any more, and choices that no class leads to, in two transactions: kernels before 6.2
 * refuse to delete a chain together with the element that led to it.
 */
export function classRemovals(
  removed: { readonly classes: readonly NumberedClass[]; readonly choices: readonly Choice[] },
  { family }: Pick<RuleContext, 'family'>,
): readonly (readonly NftStep[])[] {
  const table = proxyTableId(family);
  const { classes, choices } = removed;
  const names = [...classes.map(({ trafficClass }) => className(trafficClass)), ...choices.map(choiceName)];
  const chains = names.map((name) => chain(name));
  return [
    classes.map(
      (one): NftStep => ({ kind: 'element-delete', table, set: classSet, element: classElement(one) }),
    ),
    [
      ...chains.map((one): NftStep => ({ kind: 'chain-flush', table, chain: one })),
      ...chains.map((one): NftStep => ({ kind: 'chain-delete', table, chain: one })),
    ],
  ];
}
