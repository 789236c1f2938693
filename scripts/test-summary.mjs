// Adds up what scripts/test left in a directory: jest's JSON reports, the list of checks of vagrant/ci, one empty file a check, and a file with
// the reason for what could not be run at all. Prints the last line of the run.
import { readdirSync, readFileSync, rmSync } from 'node:fs';
import { join } from 'node:path';

const directory = process.argv[2] ?? '';
const files = readdirSync(directory);
const failures = files.filter((file) => file.endsWith('.failed')).map((file) => file.slice(0, -7));
let passed = files.filter((file) => file.endsWith('.passed')).length;
let skipped = 0;

for (const name of files.filter((file) => file.endsWith('.skipped'))) {
  skipped += 1;
  console.log(`skipped: ${readFileSync(join(directory, name), 'utf8').trim()}`);
}

for (const name of files.filter((file) => file.endsWith('.json'))) {
  const report = JSON.parse(readFileSync(join(directory, name), 'utf8'));
  if (report.checks !== undefined) {
    for (const check of report.checks) {
      if (check.ok) passed += 1;
      else failures.push(`vagrant: ${check.name}: ${check.detail}`);
    }
    continue;
  }
  // Of "inside-6.1-ci.json": where these tests ran.
  const where = /^inside-(.*)-\w+\.json$/.exec(name)?.[1];
  const at = where === undefined ? '' : `[kernel ${where}] `;
  passed += report.numPassedTests;
  skipped += report.numPendingTests + report.numTodoTests;
  for (const suite of report.testResults) {
    const failed = suite.assertionResults.filter((test) => test.status === 'failed');
    failures.push(...failed.map((test) => `${at}${suite.name}: ${test.fullName}`));
    if (suite.status === 'failed' && failed.length === 0) failures.push(`${at}${suite.name}: did not run`);
    for (const test of suite.assertionResults)
      if (test.status === 'pending') console.log(`skipped: ${at}${test.fullName}`);
  }
}
rmSync(directory, { recursive: true, force: true });
for (const failure of failures) console.log(`failed: ${failure}`);
console.log(`${passed} passed, ${failures.length} failed, ${skipped} skipped`);
process.exitCode = failures.length === 0 ? 0 : 1;
