import { expect, test } from '@jest/globals';
import { healthCheckAnswer } from './health-check-body.ts';

test.each([
  [1, true, 200],
  [0, true, 503],
  [3, false, 503],
] as const)('%i endpoints, proxy healthy: %s -> %i', (localEndpoints, proxyHealthy, code) => {
  const answer = healthCheckAnswer({ namespace: 'ns', name: 'svc', localEndpoints, proxyHealthy });
  expect(answer).toEqual({
    code,
    headers: {
      'Content-Type': 'application/json',
      'X-Content-Type-Options': 'nosniff',
      'X-Load-Balancing-Endpoint-Weight': String(localEndpoints),
    },
    body: `{
\t"service": {
\t\t"namespace": "ns",
\t\t"name": "svc"
\t},
\t"localEndpoints": ${localEndpoints},
\t"serviceProxyHealthy": ${proxyHealthy}
}`,
  });
});
