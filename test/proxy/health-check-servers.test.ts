// Health check node ports, and the other servers of the proxy, as sockets of a namespace: asked from inside of it.
import { execFileSync } from 'node:child_process';
import { afterEach, beforeEach, describe, expect, test } from '@jest/globals';
import { writeSysctl } from '../../kernel/sysctl.ts';
import { IpAddress } from '../../net/address.ts';
import { createHealthCheckServers, type HealthCheckServers } from '../../proxy/health-check-servers.ts';
import { keepListening } from '../../proxy/keep-listening.ts';
import type { HealthCheck } from '../../proxy/service-ports-of.ts';
import { createHttpServer } from '../../runtime/http.ts';
import { createManualClock } from '../../runtime/manual-clock.ts';
import { type TestNetns, testNetns } from '../sandbox.ts';

const quiet = { debug: () => {}, info: () => {}, warn: () => {}, error: () => {} };
let node: TestNetns;
let servers: HealthCheckServers;
let healthy: boolean;

beforeEach(() => {
  node = testNetns();
  healthy = true;
  ip('link', 'set', 'lo', 'up');
  ip('address', 'add', '192.0.2.1/32', 'dev', 'lo');
  ip('address', 'add', '192.0.2.2/32', 'dev', 'lo');
  ip('address', 'add', '2001:db8::1/128', 'dev', 'lo');
  servers = createHealthCheckServers({ netns: node.netns, isHealthy: () => healthy, log: quiet });
});

afterEach(async () => {
  await servers.close();
  node[Symbol.dispose]();
});

function ip(...args: readonly string[]): void {
  execFileSync('ip', ['-n', node.name, ...args]);
}

/** In a process of its own: ours answers meanwhile. Undefined when nobody listens. */
async function ask(url: string, method = 'GET'): Promise<{ code: number; text: string } | undefined> {
  const program = `fetch(${JSON.stringify(url)}, { method: ${JSON.stringify(method)} }).then(
    async (answer) => console.log(JSON.stringify({ code: answer.status, headers: [...answer.headers], text: await answer.text() })),
    () => console.log('null'),
  )`;
  const { execa } = await import('execa');
  const { stdout } = await execa('nsenter', [`--net=${node.netns.path}`, process.execPath, '-e', program]);
  const answer = JSON.parse(stdout) as { code: number; headers: [string, string][]; text: string } | null; // our own program's
  if (answer === null) return undefined;
  const own = answer.headers.filter(([name]) => name.startsWith('x-') || name === 'content-type');
  return {
    code: answer.code,
    text: `${own.map(([name, value]) => `${name}: ${value}`).join('\n')}\n${answer.text}`,
  };
}

const check = (name: string, nodePort: number, localEndpoints = 1): [string, HealthCheck] => [
  `ns/${name}`,
  { namespace: 'ns', name, nodePort, localEndpoints },
];

const body = (endpoints: number, isHealthy: boolean): string => `content-type: application/json
x-content-type-options: nosniff
x-load-balancing-endpoint-weight: ${endpoints}
{
\t"service": {
\t\t"namespace": "ns",
\t\t"name": "web"
\t},
\t"localEndpoints": ${endpoints},
\t"serviceProxyHealthy": ${isHealthy}
}`;

describe('health check ports', () => {
  test('answer on every address, any path and any method', async () => {
    await servers.sync(new Map([check('web', 30_100, 2)]), 'any');
    for (const host of ['127.0.0.1', '192.0.2.1', '[2001:db8::1]'])
      expect(await ask(`http://${host}:30100/`)).toEqual({ code: 200, text: body(2, true) });
    expect(await ask('http://127.0.0.1:30100/any/path?x=1', 'DELETE')).toEqual({
      code: 200,
      text: body(2, true),
    });
    await servers.sync(new Map([check('web', 30_100, 0)]), 'any');
    expect(await ask('http://127.0.0.1:30100/')).toEqual({ code: 503, text: body(0, true) });
    await servers.sync(new Map([check('web', 30_100, 1)]), 'any');
    healthy = false;
    expect(await ask('http://127.0.0.1:30100/')).toEqual({ code: 503, text: body(1, false) });
    await servers.sync(new Map(), 'any');
    expect(await ask('http://127.0.0.1:30100/')).toBeUndefined();
  });

  test('answer only where node ports are accepted', async () => {
    const some = [IpAddress.parse('192.0.2.2'), IpAddress.parse('2001:db8::1')];
    await servers.sync(new Map([check('web', 30_100)]), some);
    expect((await ask('http://192.0.2.2:30100/'))?.code).toBe(200);
    expect((await ask('http://[2001:db8::1]:30100/'))?.code).toBe(200);
    expect(await ask('http://192.0.2.1:30100/')).toBeUndefined();
    await servers.sync(new Map([check('web', 30_100)]), 'any');
    expect((await ask('http://192.0.2.1:30100/'))?.code).toBe(200);
  });

  test('one that is taken is a problem of its service alone, and opened when it is free', async () => {
    const other = createHealthCheckServers({ netns: node.netns, isHealthy: () => true, log: quiet });
    await other.sync(new Map([check('other', 30_100)]), 'any');
    const wanted = new Map([check('web', 30_100), check('api', 30_200)]);
    await servers.sync(wanted, 'any');
    expect([...servers.problems]).toEqual([
      [
        'ns/web',
        expect.stringMatching(/^Cannot serve health check port 30100 of service "ns\/web": .*EADDRINUSE/),
      ],
    ]);
    expect(servers.status).toEqual([
      { service: 'ns/web', port: 30_100, localEndpoints: 1, listening: false },
      { service: 'ns/api', port: 30_200, localEndpoints: 1, listening: true },
    ]);
    expect((await ask('http://127.0.0.1:30200/'))?.code).toBe(200);
    await other.close();
    await servers.sync(wanted, 'any');
    expect(servers.problems.size).toBe(0);
    expect((await ask('http://127.0.0.1:30100/'))?.code).toBe(200);
  });

  test('go from one service to another, and from one number to another, in one step', async () => {
    await servers.sync(new Map([check('web', 30_100)]), 'any');
    await servers.sync(new Map([check('web', 30_200), check('api', 30_100)]), 'any');
    expect(servers.problems.size).toBe(0);
    expect((await ask('http://127.0.0.1:30100/'))?.text).toContain('"name": "api"');
    expect((await ask('http://127.0.0.1:30200/'))?.text).toContain('"name": "web"');
  });

  test('without IPv6', async () => {
    writeSysctl('net/ipv6/conf/all/disable_ipv6', '1', { netns: node.netns });
    await servers.sync(new Map([check('web', 30_100)]), 'any');
    expect((await ask('http://192.0.2.1:30100/'))?.code).toBe(200);
  });
});

describe('servers of the daemon', () => {
  const server = () =>
    createHttpServer({ log: quiet, routes: (app) => void app.get('/healthz', async () => 'ok') });

  test('a port that is taken is tried again', async () => {
    const clock = createManualClock();
    const options = {
      name: 'healthz',
      place: { host: '0.0.0.0', port: 10_256 },
      netns: node.netns,
      hardFail: false,
      clock,
      log: quiet,
    };
    const first = await keepListening(server(), options);
    expect(first.problem).toBeUndefined();
    expect((await ask('http://[2001:db8::1]:10256/healthz'))?.code).toBe(200);
    await expect(keepListening(server(), { ...options, hardFail: true })).rejects.toThrow(
      /^Cannot serve healthz on "0.0.0.0:10256": .*EADDRINUSE/,
    );
    const second = await keepListening(server(), options);
    expect(second.problem).toMatch(/EADDRINUSE/);
    await first.close();
    expect(await ask('http://127.0.0.1:10256/healthz')).toBeUndefined();
    await clock.advance(5000);
    while (second.problem !== undefined) await new Promise((resolve) => setImmediate(resolve));
    expect((await ask('http://127.0.0.1:10256/healthz'))?.code).toBe(200);
    await second.close();
  });

  test('one address only', async () => {
    const options = { netns: node.netns, hardFail: false, clock: createManualClock(), log: quiet };
    const one = await keepListening(server(), {
      ...options,
      name: 'metrics',
      place: { host: '127.0.0.1', port: 10_249 },
    });
    expect((await ask('http://127.0.0.1:10249/healthz'))?.code).toBe(200);
    expect(await ask('http://192.0.2.1:10249/healthz')).toBeUndefined();
    await one.close();
    const absent = await keepListening(server(), {
      ...options,
      name: 'metrics',
      place: { host: '203.0.113.7', port: 10_249 },
    });
    expect(absent.problem).toMatch(/EADDRNOTAVAIL/);
    await absent.close();
  });
});
