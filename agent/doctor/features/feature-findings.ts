// Findings from the features that were tried: only what this node is set to use is missed. Pure.
import type { Finding } from '../finding.ts';
import { type FeatureAnswer, isNeededBy, type NodeSetup, useText } from './feature.ts';

export function featureFindings(answers: readonly FeatureAnswer[], setup: NodeSetup): readonly Finding[] {
  return answers.flatMap(({ name, title, uses, state, why, remedy }): readonly Finding[] => {
    const needed = uses.filter((use) => isNeededBy(use, setup));
    if (state === 'yes' || needed.length === 0) return [];
    return [
      {
        check: 'kernel-feature',
        severity: state === 'no' ? 'error' : 'warning',
        object: name,
        finding: `${state === 'no' ? 'this node has no' : 'it could not be tried whether this node has'} ${title}, needed by ${needed.map(useText).join(', ')}`,
        evidence: why,
        remedy,
      },
    ];
  });
}
