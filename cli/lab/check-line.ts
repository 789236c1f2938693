// One check's result as a line for people.
import type { Style } from '../terminal.ts';
import type { CheckResult } from './check-result.ts';

/** Of the longest name, with its family. */
const nameWidth = 55;
const timeWidth = 5;

export function checkLine(result: CheckResult, style: Style): string {
  const mark = result.ok ? style.good('✓') : style.bad('✗');
  const time = style.dim(`${String(result.ms).padStart(timeWidth)} ms`);
  return `${mark} ${result.name.padEnd(nameWidth)} ${time}  ${result.ok ? style.dim(result.detail) : result.detail}`;
}
