// The matrix as a table for people: a line for each backend and choice of families, a column for each proxy mode, and below it what
// failed and why what was not tried was not. Pure.
import type { Style } from '../../terminal.ts';
import { combinationName } from './combination.ts';
import type { MatrixReport, MatrixRow } from './matrix-row.ts';

const marks: Readonly<Record<MatrixRow['state'], string>> = { passed: '✓', failed: '✗', 'not-here': '–' };

/** Of a failed check so much is told: a log may be long. */
const longestDetail = 1000;

export function matrixText({ kernel, matrix }: MatrixReport, style: Style): readonly string[] {
  const modes = [...new Set(matrix.map(({ proxyMode }) => proxyMode))];
  const reasons = [...new Set(matrix.flatMap(({ reason }) => reason ?? []))];
  const lines = new Map<string, MatrixRow[]>();
  for (const row of matrix) {
    const key = `${row.backend} ${row.families}`;
    lines.set(key, [...(lines.get(key) ?? []), row]);
  }
  const table = [
    ['backend', 'families', ...modes],
    ...[...lines.values()].map((rows) => [
      rows[0]?.backend ?? '',
      rows[0]?.families ?? '',
      ...modes.map((mode) => {
        const row = rows.find(({ proxyMode }) => proxyMode === mode);
        return row === undefined ? '' : cellText(row, reasons);
      }),
    ]),
  ];
  const widths = (table[0] ?? []).map((_, i) => Math.max(...table.map((line) => line[i]?.length ?? 0)));
  const drawn = table.map((line) =>
    line
      .map((cell, i) => cell.padEnd(widths[i] ?? 0))
      .join('  ')
      .trimEnd(),
  );
  const failed = matrix.filter(({ state }) => state === 'failed');
  const passed = matrix.filter(({ state }) => state === 'passed');
  const rest = matrix.length - failed.length - passed.length;
  return [
    `kernel ${kernel}`,
    '',
    ...drawn.map((line, i) => (i === 0 ? style.bold(line) : line)),
    ...(reasons.length === 0
      ? []
      : ['', ...reasons.map((reason, i) => style.dim(`${marks['not-here']} ${i + 1}: ${reason}`))]),
    ...failed.flatMap((row) => ['', ...failureLines(row, style)]),
    '',
    [`${passed.length} passed`, `${failed.length} failed`, `${rest} not here`].join(', '),
  ];
}

/** "✓ 29 in 8.1 s", "✗ 2 of 29", "– 1" (the number of the reason). */
function cellText({ state, checks, failures, ms, reason }: MatrixRow, reasons: readonly string[]): string {
  switch (state) {
    case 'passed':
      return `${marks[state]} ${checks} in ${(ms / 1000).toFixed(1)} s`;
    case 'failed':
      return checks === 0 ? `${marks[state]} not up` : `${marks[state]} ${failures.length} of ${checks}`;
    case 'not-here':
      return `${marks[state]} ${reasons.indexOf(reason ?? '') + 1}`;
    default:
      return state satisfies never;
  }
}

function failureLines(row: MatrixRow, style: Style): readonly string[] {
  return [
    style.bad(`${marks.failed} ${combinationName(row)}`),
    ...row.failures.map(({ name, detail }) => `    ${name}: ${detail.slice(0, longestDetail)}`),
  ];
}

/** While it goes on: one combination that is done. */
export function rowLine(row: MatrixRow, style: Style): string {
  const paint = { passed: style.good, failed: style.bad, 'not-here': style.dim }[row.state];
  const said = row.reason === null ? cellText(row, []) : `${marks[row.state]} ${row.reason}`;
  const [mark = '', ...words] = said.split(' ');
  return `${paint(mark)} ${combinationName(row).padEnd(28)} ${words.join(' ')}`;
}
