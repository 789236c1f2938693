import { describe, expect, test } from '@jest/globals';
import { createManualClock } from '../runtime/manual-clock.ts';
import { createProxyHealth, healthTimeout } from './healthz.ts';
import { createHealthzServer } from './healthz-server.ts';

const start = Date.UTC(2026, 0, 2, 3, 4, 5, 6);
const log = { debug: () => {}, error: () => {} };

function serving({ eligible = true } = {}) {
  const clock = createManualClock(start);
  const state = { eligible };
  const health = createProxyHealth({ clock, timeout: 60_000, nodeEligible: () => state.eligible });
  const answers: string[] = [];
  const server = createHealthzServer({
    log,
    health,
    onAnswer: (path, code) => answers.push(`${path} ${code}`),
  });
  const ask = async (url: string, method: 'GET' | 'POST' | 'HEAD' = 'GET') => {
    const { statusCode, headers, body } = await server.inject({ url, method });
    return { statusCode, headers, body };
  };
  return { clock, state, health, answers, ask };
}

describe('bodies', () => {
  test('before anything was programmed', async () => {
    const { ask } = serving();
    expect((await ask('/healthz')).body).toBe(
      '{"lastUpdated":"2026-01-02T03:04:05.006Z","currentTime":"2026-01-02T03:04:05.006Z","nodeEligible":true,"healthy":true}',
    );
  });

  test('in order: now is the time of the last update', async () => {
    const { ask, health, clock, answers } = serving();
    health.queued(4);
    health.updated(4);
    await clock.advance(1000);
    health.updated(6);
    await clock.advance(100_000);
    const { statusCode, headers, body } = await ask('/healthz');
    expect(statusCode).toBe(200);
    expect(headers['content-type']).toBe('application/json');
    expect(headers['x-content-type-options']).toBe('nosniff');
    expect(body).toBe(
      '{"lastUpdated":"2026-01-02T03:05:46.006Z","currentTime":"2026-01-02T03:05:46.006Z","nodeEligible":true,"healthy":true,' +
        '"status":{"IPv4":{"lastUpdated":"2026-01-02T03:04:05.006Z","healthy":true},"IPv6":{"lastUpdated":"2026-01-02T03:04:06.006Z","healthy":true}}}',
    );
    expect((await ask('/livez', 'POST')).body).not.toContain('nodeEligible');
    expect((await ask('/healthz', 'HEAD')).body).toBe('');
    expect((await ask('/other')).statusCode).toBe(404);
    expect(answers).toEqual(['/healthz 200', '/livez 200', '/healthz 200']);
  });

  test('a family whose change waits too long', async () => {
    const { ask, health, clock } = serving();
    health.updated(4);
    health.updated(6);
    health.queued(4);
    await clock.advance(30_000);
    health.queued(4);
    await clock.advance(29_999);
    expect((await ask('/livez')).statusCode).toBe(200);
    await clock.advance(1);
    const { statusCode, body } = await ask('/livez');
    expect(statusCode).toBe(503);
    expect(body).toBe(
      '{"lastUpdated":"2026-01-02T03:04:05.006Z","currentTime":"2026-01-02T03:05:05.006Z","healthy":false,' +
        '"status":{"IPv4":{"lastUpdated":"2026-01-02T03:04:05.006Z","healthy":false},"IPv6":{"lastUpdated":"2026-01-02T03:04:05.006Z","healthy":true}}}',
    );
    health.updated(4);
    expect((await ask('/livez')).statusCode).toBe(200);
  });

  test('a first load that does not end', async () => {
    const { ask, health, clock } = serving();
    health.queued(6);
    await clock.advance(60_000);
    expect(JSON.parse((await ask('/healthz')).body)).toMatchObject({
      lastUpdated: '0001-01-01T00:00:00Z',
      healthy: false,
      status: { IPv6: { lastUpdated: '0001-01-01T00:00:00Z', healthy: false } },
    });
  });

  test('a node that is to go: unhealthy for balancers, alive for the kubelet', async () => {
    const { ask, health, state } = serving();
    health.updated(4);
    state.eligible = false;
    const healthz = await ask('/healthz');
    expect(healthz.statusCode).toBe(503);
    expect(JSON.parse(healthz.body)).toMatchObject({ nodeEligible: false, healthy: true });
    expect((await ask('/livez')).statusCode).toBe(200);
  });
});

test.each([
  ['iptables', 30_000, 60_000],
  ['iptables', 600_000, 1_200_000],
  ['nftables', 600_000, 60_000],
  ['nftables', 10_000, 20_000],
] as const)('%s mode, a look every %i ms: late after %i', (mode, syncPeriod, expected) => {
  expect(healthTimeout({ mode, syncPeriod })).toBe(expected);
});
