import { expect, test } from '@jest/globals';
import { proxyProblems } from './proxy-problems.ts';

test('of all parts, each once', () => {
  const twice = { object: 'Service "ns/a"', message: 'ports: "x" is there twice' };
  expect(
    proxyProblems({
      families: [{ object: 'IPv6', message: 'no' }],
      servers: ['Cannot serve metrics'],
      flows: ['Cannot list flows', 'Cannot list flows'],
      leftovers: 'ipset KUBE-X: busy',
      healthChecks: new Map([['ns/b', 'Cannot serve health check port 1']]),
      services: [twice, twice],
    }),
  ).toEqual([
    { object: 'IPv6', message: 'no' },
    { object: 'server', message: 'Cannot serve metrics' },
    { object: 'connection tracking', message: 'Cannot list flows' },
    { object: 'leftovers', message: 'ipset KUBE-X: busy' },
    { object: 'Service "ns/b"', message: 'Cannot serve health check port 1' },
    twice,
  ]);
});
