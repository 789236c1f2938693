// The verdicts that a rule can come to by itself: its own and those of maps written inside it. Not those of named maps.
import type { Rule } from './objects.ts';
import type { Verdict } from './verdict.ts';

export function verdictsOf(rule: Rule): readonly Verdict[] {
  return rule.expressions.flatMap((one) => {
    if (one.kind === 'verdict') return [one.verdict];
    if (one.kind !== 'lookup' || typeof one.set === 'string') return [];
    return one.set.elements.flatMap(({ data }) => (data !== undefined && 'kind' in data ? [data] : []));
  });
}
