// Adds up what scripts/test left in a directory: jest's JSON reports and one empty file a check. Prints the last line of the run.
import { readdirSync, readFileSync, rmSync } from 'node:fs';
import { join } from 'node:path';

const directory = process.argv[2] ?? '';
const files = readdirSync(directory);
const failures = files
  .filter((file) => file.endsWith('.failed'))
  .map((file) => `npm run ${file.slice(0, -7)}`);
let passed = files.filter((file) => file.endsWith('.passed')).length;
let skipped = 0;

for (const name of ['unit.json', 'kernel.json']) {
  if (!files.includes(name)) {
    failures.push(`${name}: jest wrote no report`);
    continue;
  }
  const report = JSON.parse(readFileSync(join(directory, name), 'utf8'));
  passed += report.numPassedTests;
  skipped += report.numPendingTests + report.numTodoTests;
  for (const suite of report.testResults) {
    const failed = suite.assertionResults.filter((test) => test.status === 'failed');
    failures.push(...failed.map((test) => `${suite.name}: ${test.fullName}`));
    if (suite.status === 'failed' && failed.length === 0) failures.push(`${suite.name}: did not run`);
    for (const test of suite.assertionResults)
      if (test.status === 'pending') console.log(`skipped: ${test.fullName}`);
  }
}
rmSync(directory, { recursive: true, force: true });
for (const failure of failures) console.log(`failed: ${failure}`);
console.log(`${passed} passed, ${failures.length} failed, ${skipped} skipped`);
process.exitCode = failures.length === 0 ? 0 : 1;
