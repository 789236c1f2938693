import { expect, test } from '@jest/globals';
import { openTerminal } from '../../terminal.ts';
import type { MatrixRow } from './matrix-row.ts';
import { matrixText, rowLine } from './matrix-text.ts';

const nowhere = { write: () => true };
const { style } = openTerminal({ stdout: nowhere, stderr: nowhere, noColor: true });

const passed = (row: Pick<MatrixRow, 'backend' | 'families' | 'proxyMode'>): MatrixRow => ({
  ...{ ...row, state: 'passed', checks: 23, ms: 8140, reason: null, failures: [] },
});

const matrix: readonly MatrixRow[] = [
  passed({ backend: 'vxlan', families: 'v4', proxyMode: 'nftables' }),
  {
    ...passed({ backend: 'vxlan', families: 'v4', proxyMode: 'ipvs' }),
    ...{ state: 'not-here', checks: 0, ms: 0, reason: 'there is no IPVS here' },
  },
  {
    ...passed({ backend: 'vxlan', families: 'dual', proxyMode: 'nftables' }),
    ...{ state: 'failed', failures: [{ name: 'service: hairpin (IPv6)', detail: 'no answer' }] },
  },
  {
    ...passed({ backend: 'vxlan', families: 'dual', proxyMode: 'ipvs' }),
    ...{ state: 'failed', checks: 0, failures: [{ name: 'lab', detail: 'it ended\na log line' }] },
  },
];

test('a table, what failed, and why what was not tried was not', () => {
  expect(`\n${matrixText({ kernel: '6.1.0', matrix }, style).join('\n')}\n`).toBe(`
kernel 6.1.0

backend  families  nftables       ipvs
vxlan    v4        ✓ 23 in 8.1 s  – 1
vxlan    dual      ✗ 1 of 23      ✗ not up

– 1: there is no IPVS here

✗ vxlan, dual, nftables
    service: hairpin (IPv6): no answer

✗ vxlan, dual, ipvs
    lab: it ended
a log line

1 passed, 2 failed, 1 not here
`);
});

test('a line for each while it goes on', () => {
  expect(matrix.map((row) => rowLine(row, style))).toEqual([
    '✓ vxlan, v4, nftables          23 in 8.1 s',
    '– vxlan, v4, ipvs              there is no IPVS here',
    '✗ vxlan, dual, nftables        1 of 23',
    '✗ vxlan, dual, ipvs            not up',
  ]);
});
