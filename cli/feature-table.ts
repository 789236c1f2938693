// The features of a node that the doctor tried, as a table for people. Pure.
import {
  type FeatureAnswer,
  type FeatureState,
  featureGroups,
  isNeededBy,
  type NodeSetup,
  usesText,
} from '../agent/doctor/features/feature.ts';
import type { Style } from './terminal.ts';

const marks: Readonly<Record<FeatureState, string>> = { yes: '✓', no: '✗', unknown: '?' };

export interface FeatureTableOptions {
  readonly setup: NodeSetup;
  readonly style: Style;
  /** Of the terminal: what to do goes below where it would not fit. */
  readonly columns: number;
}

/** A line a feature: whether it is there, what it is, what needs it; and what to do, where it is not. */
export function featureTable(
  answers: readonly FeatureAnswer[],
  { setup, style, columns }: FeatureTableOptions,
): readonly string[] {
  const width = Math.max(...answers.map(({ title }) => title.length));
  const uses = answers.map((answer) => usesText(answer.uses));
  const usesWidth = Math.max(...uses.map((text) => text.length));
  const paint = ({ state, uses: of }: FeatureAnswer): Style['good'] => {
    if (state === 'yes') return style.good;
    return of.some((use) => isNeededBy(use, setup)) ? style.bad : style.dim;
  };
  return featureGroups.flatMap((group) => {
    const some = answers.filter((answer) => answer.group === group);
    if (some.length === 0) return [];
    const lines = some.flatMap((answer) => {
      const mark = paint(answer)(marks[answer.state]);
      const left = `  ${mark} ${answer.title.padEnd(width)}  `;
      const needs = usesText(answer.uses);
      if (answer.state === 'yes') return [`${left}${style.dim(needs)}`];
      const indent = width + usesWidth + 8;
      const fits = indent + answer.remedy.length <= columns;
      if (fits) return [`${left}${style.dim(needs.padEnd(usesWidth))}  ${answer.remedy}`];
      return [`${left}${style.dim(needs)}`, `${' '.repeat(6)}${style.dim('→')} ${answer.remedy}`];
    });
    return [style.bold(group), ...lines];
  });
}
