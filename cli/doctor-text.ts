// The doctor's report as text for people, and as JSON for scripts. Pure.
import { type FeatureAnswer, isNeededBy, type NodeSetup, useText } from '../agent/doctor/features/feature.ts';
import { type Finding, findingJson, severities } from '../agent/doctor/finding.ts';
import type { DoctorReport } from '../agent/doctor/run-doctor.ts';
import { featureTable } from './feature-table.ts';
import type { Style, Terminal } from './terminal.ts';

const titles = { error: 'Errors', warning: 'Warnings', hint: 'Hints' } as const;

/** All that a visit found. */
export interface DoctorVisit extends DoctorReport {
  readonly features: readonly FeatureAnswer[];
  readonly setup: NodeSetup;
  /** The kernel's release: what it can do is in the features. */
  readonly kernel: string;
}

/** The features, then what is wrong, the worst first: what has to be done stands where one looks first. */
export function doctorText(
  { findings, mended, failed, features, setup, kernel }: DoctorVisit,
  { style, columns }: Pick<Terminal, 'style' | 'columns'>,
): readonly string[] {
  const groups = severities.flatMap((severity) => {
    const group = findings.filter((finding) => finding.severity === severity);
    if (group.length === 0) return [];
    const title = `${titles[severity]} (${group.length})`;
    const painted = severity === 'error' ? style.bad(title) : title;
    return ['', style.bold(painted), ...group.flatMap((finding) => findingLines(finding, style))];
  });
  const table =
    features.length === 0
      ? []
      : [
          `${style.bold('What this node can do')}  ${style.dim(`kernel ${kernel}; each was tried`)}`,
          ...featureTable(features, { setup, style, columns }),
          '',
        ];
  const lines = [
    ...mended.map(({ check, object }) => `${style.good('mended')}  ${check}  ${object}`),
    ...failed.map(
      ({ finding, why }) => `${style.bad('failed')}  ${finding.check}  ${finding.object}: ${why}`,
    ),
    ...groups,
    ...(findings.length === 0 ? [style.good('Nothing is wrong')] : ['', summary(findings)]),
  ];
  return [...table, ...(lines[0] === '' ? lines.slice(1) : lines)];
}

function findingLines(
  { check, object, finding, evidence, remedy }: Finding,
  style: Style,
): readonly string[] {
  return [
    `  ${style.bold(object)}  ${style.dim(check)}`,
    `    ${finding}`,
    `    ${style.dim('because')}  ${evidence}`,
    `    ${style.dim('remedy ')}  ${remedy}`,
  ];
}

function summary(findings: readonly Finding[]): string {
  const fixable = findings.filter(({ mend }) => mend !== undefined).length;
  const found = `${findings.length} finding${findings.length === 1 ? '' : 's'}`;
  return fixable === 0 ? found : `${found}; --fix mends ${fixable}`;
}

/** `mended` and `failed` are there only after --fix. */
export function doctorJson(
  { findings, mended, failed, features, setup, kernel }: DoctorVisit,
  { fix }: { readonly fix: boolean },
): string {
  return JSON.stringify({
    kernel,
    features: features.map(({ uses, ...answer }) => ({
      ...answer,
      neededBy: uses.map(useText),
      needed: uses.some((use) => isNeededBy(use, setup)),
    })),
    findings: findings.map(findingJson),
    ...(fix
      ? {
          mended: mended.map(findingJson),
          failed: failed.map(({ finding, why }) => ({ ...findingJson(finding), why })),
        }
      : {}),
  });
}
