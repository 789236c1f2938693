// The program of vagrant/check: proves the machines that an ssh configuration names and prints a line for each check, or all as JSON.
// Exits with 0 (all proven), 1 (something failed).
import { readFileSync, writeFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { checkLine } from '../../cli/lab/check-line.ts';
import type { CheckResult } from '../../cli/lab/check-result.ts';
import { openTerminal } from '../../cli/terminal.ts';
import { errorMessage } from '../../runtime/error-text.ts';
import { openMachine } from './machine.ts';
import { proveMachines } from './prove-machines.ts';

const [sshConfig = '', shared = '', option, file = ''] = process.argv.slice(2);
const json = option === '--json';
const terminal = openTerminal({
  stdout: process.stdout,
  stderr: process.stderr,
  noColor: (process.env['NO_COLOR'] ?? '') !== '',
});
const interrupted = new AbortController();
for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP'] as const)
  process.once(signal, () => interrupted.abort(new Error('interrupted')));

const checkout = fileURLToPath(new URL('../..', import.meta.url)).replace(/\/$/, '');
const names = [...readFileSync(sshConfig, 'utf8').matchAll(/^Host (\S+)$/gm)].map(([, name = '']) => name);
const machines = names.toSorted().map((name) => openMachine({ name, sshConfig, checkout }));
const checks: CheckResult[] = [];
const onResult = (result: CheckResult): void => {
  checks.push(result);
  if (!json) terminal.print(checkLine(result, terminal.style));
};
/** What is no check's outcome must not pass for a shorter list of good ones. */
const broken = (name: string, error: unknown): void =>
  onResult({ name, ok: false, ms: 0, detail: errorMessage(error) });

try {
  await proveMachines(machines, {
    serviceDirectory: `${shared}/services`,
    signal: interrupted.signal,
    onResult,
  });
} catch (error) {
  broken('machines: proven to the end', error);
} finally {
  // Each takes away what it made, however far the proof came.
  for (const result of await Promise.allSettled(machines.map((machine) => machine.close()))) {
    if (result.status === 'rejected') broken('machines: left as they were', result.reason);
  }
}
const failed = checks.filter(({ ok }) => !ok).length;
if (failed > 0) process.exitCode = 1;
if (option === '--save') writeFileSync(file, `${JSON.stringify({ checks })}\n`);
if (json) terminal.print(JSON.stringify({ checks }));
else {
  const passed = `${checks.length - failed} ${failed === 0 ? 'checks ' : ''}passed`;
  terminal.print(failed === 0 ? passed : `${failed} checks failed, ${passed}`);
}
