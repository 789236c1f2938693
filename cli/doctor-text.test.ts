import { expect, test } from '@jest/globals';
import type { Finding } from '../agent/doctor/finding.ts';
import { doctorJson, doctorText } from './doctor-text.ts';
import { openTerminal } from './terminal.ts';

const { style } = openTerminal({
  stdout: { write: () => true },
  stderr: { write: () => true },
  noColor: true,
});

const leaked: Finding = {
  check: 'leaked-address',
  severity: 'error',
  object: 'cbr0 10.244.1.7',
  finding: 'reserved for eth0 of container "abc", which is gone',
  evidence: 'no namespace has 10.244.1.7, reserved before the node started',
  remedy: 'run "netloom doctor --fix"',
  mend: { kind: 'file-delete', path: '/x' },
};
const queued: Finding = {
  check: 'queued-del',
  severity: 'warning',
  object: '/var/lib/netloom/del-queue/1',
  finding: 'a pod’s DEL waits for an agent',
  evidence: '5 minutes old',
  remedy: 'start the agent',
};

test('grouped by severity, the worst first', () => {
  const lines = doctorText({ findings: [queued, leaked, leaked], mended: [], failed: [] }, style);
  expect(`\n${lines.join('\n')}\n`).toBe(`
Errors (2)
  cbr0 10.244.1.7  leaked-address
    reserved for eth0 of container "abc", which is gone
    because  no namespace has 10.244.1.7, reserved before the node started
    remedy   run "netloom doctor --fix"
  cbr0 10.244.1.7  leaked-address
    reserved for eth0 of container "abc", which is gone
    because  no namespace has 10.244.1.7, reserved before the node started
    remedy   run "netloom doctor --fix"

Warnings (1)
  /var/lib/netloom/del-queue/1  queued-del
    a pod’s DEL waits for an agent
    because  5 minutes old
    remedy   start the agent

3 findings; --fix mends 2
`);
});

test('after --fix: what was mended, what failed, what is left', () => {
  const report = {
    findings: [queued],
    mended: [leaked],
    failed: [{ finding: leaked, why: 'it is under way' }],
  };
  expect(doctorText(report, style)).toEqual([
    'mended  leaked-address  cbr0 10.244.1.7',
    'failed  leaked-address  cbr0 10.244.1.7: it is under way',
    '',
    'Warnings (1)',
    '  /var/lib/netloom/del-queue/1  queued-del',
    '    a pod’s DEL waits for an agent',
    '    because  5 minutes old',
    '    remedy   start the agent',
    '',
    '1 finding',
  ]);
  expect(doctorText({ findings: [], mended: [leaked], failed: [] }, style)).toEqual([
    'mended  leaked-address  cbr0 10.244.1.7',
    'Nothing is wrong',
  ]);
});

test('as JSON', () => {
  const { mend: _, ...plain } = leaked;
  expect(JSON.parse(doctorJson({ findings: [leaked], mended: [], failed: [] }, { fix: false }))).toEqual({
    findings: [{ ...plain, fixable: true }],
  });
  const report = { findings: [queued], mended: [leaked], failed: [{ finding: leaked, why: 'no' }] };
  expect(JSON.parse(doctorJson(report, { fix: true }))).toEqual({
    findings: [{ ...queued, fixable: false }],
    mended: [{ ...plain, fixable: true }],
    failed: [{ ...plain, fixable: true, why: 'no' }],
  });
});
