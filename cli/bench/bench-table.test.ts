import { expect, test } from '@jest/globals';
import { benchTable } from './bench-table.ts';

test('rows with and without a peer', () => {
  const rows = [
    { case: 'add 5,000 routes', ours: 21.25, unit: 'ms', peer: 85, peerName: 'ip -batch', ratio: 0.25 },
    { case: 'wire a pod', ours: 1234.5, unit: 'us', peer: null, peerName: null, ratio: null },
  ];
  const lines = benchTable({ bench: 'kernel', machine: 'Linux 6.18.1 x86_64, 2 CPUs', rows });
  expect(`\n${lines.join('\n')}\n`).toBe(`
bench kernel · Linux 6.18.1 x86_64, 2 CPUs

case              Netloom     peer                       ratio
add 5,000 routes  21.3 ms  85.0 ms  ip -batch             0.25
wire a pod        1235 us        -  not on this machine      -
`);
});
