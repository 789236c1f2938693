import { expect, test } from '@jest/globals';
import type { FeatureAnswer } from '../agent/doctor/features/feature.ts';
import type { Finding } from '../agent/doctor/finding.ts';
import { doctorJson, doctorText } from './doctor-text.ts';
import { openTerminal } from './terminal.ts';

const { style } = openTerminal({
  stdout: { write: () => true },
  stderr: { write: () => true },
  noColor: true,
});

const terminal = { style, columns: 100 };
const setup = { backend: 'vxlan', masquerade: 'nftables', proxyMode: 'nftables' };
const without = { features: [], setup, kernel: '6.1.0' };
const features: readonly FeatureAnswer[] = [
  feature('vxlan', { title: 'VXLAN devices', uses: [{ kind: 'backend', name: 'vxlan' }] }),
  feature('dummy', {
    title: 'dummy devices',
    uses: [{ kind: 'proxy-mode', name: 'ipvs' }],
    state: 'no',
    why: 'Cannot add link "probe": no',
    remedy: 'modprobe dummy',
  }),
  feature('ipvs', {
    group: 'IPVS',
    title: 'IPVS',
    uses: [{ kind: 'proxy-mode', name: 'ipvs' }],
    state: 'unknown',
    why: 'EPERM',
    remedy: `run it as root, ${'outside of a container '.repeat(3)}`.trim(),
  }),
];

function feature(name: string, more: Partial<FeatureAnswer>): FeatureAnswer {
  return { name, group: 'Links', title: name, uses: [], state: 'yes', why: '', remedy: '', ...more };
}

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
  const lines = doctorText(
    { ...without, findings: [queued, leaked, leaked], mended: [], failed: [] },
    terminal,
  );
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
    ...without,
    findings: [queued],
    mended: [leaked],
    failed: [{ finding: leaked, why: 'it is under way' }],
  };
  expect(doctorText(report, terminal)).toEqual([
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
  expect(doctorText({ ...without, findings: [], mended: [leaked], failed: [] }, terminal)).toEqual([
    'mended  leaked-address  cbr0 10.244.1.7',
    'Nothing is wrong',
  ]);
});

test('as JSON', () => {
  const { mend: _, ...plain } = leaked;
  expect(
    JSON.parse(doctorJson({ ...without, findings: [leaked], mended: [], failed: [] }, { fix: false })),
  ).toEqual({
    kernel: '6.1.0',
    features: [],
    findings: [{ ...plain, fixable: true }],
  });
  const report = {
    ...without,
    findings: [queued],
    mended: [leaked],
    failed: [{ finding: leaked, why: 'no' }],
  };
  expect(JSON.parse(doctorJson(report, { fix: true }))).toEqual({
    kernel: '6.1.0',
    features: [],
    findings: [{ ...queued, fixable: false }],
    mended: [{ ...plain, fixable: true }],
    failed: [{ ...plain, fixable: true, why: 'no' }],
  });
});

test('the features come before what is wrong, with what to do where one is missing', () => {
  const lines = doctorText({ ...without, features, findings: [], mended: [], failed: [] }, terminal);
  expect(`\n${lines.join('\n')}\n`).toBe(`
What this node can do  kernel 6.1.0; each was tried
Links
  ✓ VXLAN devices  backend vxlan
  ✗ dummy devices  proxy mode ipvs  modprobe dummy
IPVS
  ? IPVS           proxy mode ipvs
      → run it as root, outside of a container outside of a container outside of a container

Nothing is wrong
`);
});

test('features as JSON', () => {
  const json = doctorJson({ ...without, features, findings: [], mended: [], failed: [] }, { fix: false });
  expect(
    JSON.parse(json).features.map(({ name, state, needed, neededBy }: Record<string, unknown>) => [
      name,
      state,
      needed,
      neededBy,
    ]),
  ).toEqual([
    ['vxlan', 'yes', true, ['backend vxlan']],
    ['dummy', 'no', false, ['proxy mode ipvs']],
    ['ipvs', 'unknown', false, ['proxy mode ipvs']],
  ]);
});
