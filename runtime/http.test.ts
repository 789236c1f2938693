import { mkdtempSync, rmSync, statSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, test } from '@jest/globals';
import { bindTcp } from '../kernel/bind-tcp.ts';
import { IpAddress } from '../net/address.ts';
import { type Check, createHttpServer, type HttpServer, type HttpServerOptions } from './http.ts';
import { createLog } from './log.ts';
import { createMetrics } from './metrics.ts';
import { unixRequest } from './unix-request.ts';

let directory: string;
let servers: HttpServer[];
let lines: string[];
beforeEach(() => {
  directory = mkdtempSync(join(tmpdir(), 'netloom-http-'));
  servers = [];
  lines = [];
});
afterEach(async () => {
  await Promise.all(servers.map((server) => server.close()));
  rmSync(directory, { recursive: true, force: true });
});

function make(options: Omit<HttpServerOptions, 'log'> = {}): HttpServer {
  const log = createLog({ level: 'debug', destination: { write: (line) => void lines.push(line) } });
  const server = createHttpServer({ log: log.component('http'), ...options });
  servers.push(server);
  return server;
}
const ask = async (server: HttpServer, url: string): Promise<readonly [number, unknown]> => {
  const answer = await server.inject({ method: 'GET', url });
  return [answer.statusCode, answer.json()];
};

describe('/healthz and /readyz', () => {
  test('follow their checks from moment to moment', async () => {
    let peers: Check = { name: 'peers', ok: false, detail: '1 of 2 programmed' };
    const server = make({
      health: () => [{ name: 'loop', ok: true }],
      ready: async () => [{ name: 'lease', ok: true }, peers],
    });
    expect(await ask(server, '/healthz')).toEqual([
      200,
      { status: 'ok', checks: [{ name: 'loop', ok: true }] },
    ]);
    expect(await ask(server, '/readyz')).toEqual([
      503,
      {
        status: 'failed',
        checks: [
          { name: 'lease', ok: true },
          { name: 'peers', ok: false, detail: '1 of 2 programmed' },
        ],
      },
    ]);
    peers = { name: 'peers', ok: true };
    expect((await ask(server, '/readyz'))[0]).toBe(200);
  });

  test('a check that throws is a failed one', async () => {
    const server = make({
      health: () => {
        throw new Error('netlink socket is closed');
      },
    });
    expect(await ask(server, '/healthz')).toEqual([
      503,
      { status: 'failed', checks: [{ name: 'healthz', ok: false, detail: 'netlink socket is closed' }] },
    ]);
  });

  test('are missing when they were not given', async () => {
    expect((await ask(make(), '/readyz'))[0]).toBe(404);
  });
});

test('/metrics is the text of the registry, with its content type', async () => {
  const metrics = createMetrics();
  metrics.gauge({ name: 'peers', help: 'Peers' }).set(2);
  const answer = await make({ metrics }).inject('/metrics');
  expect([answer.statusCode, answer.headers['content-type']]).toEqual([
    200,
    'text/plain; version=0.0.4; charset=utf-8',
  ]);
  expect(answer.body).toContain('netloom_peers 2\n');
});

describe('errors are JSON and name method and path', () => {
  const routes: HttpServerOptions['routes'] = (app) => {
    app.post('/cni', async (request) => ({ got: request.body }));
    app.get('/broken', async () => {
      throw new Error('no such pod');
    });
    app.get('/busy', async () => {
      throw Object.assign(new Error('try later'), { statusCode: 429 });
    });
  };

  test.each([
    ['GET', '/none?token=x', undefined, 404, 'Cannot GET /none: there is no such route'],
    ['GET', '/cni', undefined, 404, 'Cannot GET /cni: there is no such route'],
    ['GET', '/broken', undefined, 500, 'Cannot GET /broken: no such pod'],
    ['GET', '/busy', undefined, 429, 'Cannot GET /busy: try later'],
    ['POST', '/cni', '{"a":', 400, /^Cannot POST \/cni: Body is not valid JSON/],
    ['POST', '/cni', JSON.stringify('x'.repeat(100)), 413, 'Cannot POST /cni: Request body is too large'],
  ] as const)('%s %s', async (method, url, payload, status, error) => {
    const server = make({ routes, bodyLimit: 64 });
    const headers = { 'content-type': 'application/json' };
    const answer = await server.inject({
      method,
      url,
      ...(payload === undefined ? {} : { payload, headers }),
    });
    expect(answer.statusCode).toBe(status);
    expect(answer.json()).toEqual({
      error: expect.stringMatching(error),
      method,
      path: url.replace(/\?.*/, ''),
      status,
    });
  });

  test('those of the server are logged as errors, the others are not; every request is, at debug, without its query', async () => {
    const server = make({ routes });
    await server.inject('/broken?token=x');
    await server.inject('/busy');
    const short = lines
      .map((line) => JSON.parse(line))
      .map((l) => [l.level, l.msg, l.path, l.status ?? l.err.message]);
    expect(short).toEqual([
      ['error', 'request failed', '/broken', 'no such pod'],
      ['debug', 'request', '/broken', 500],
      ['debug', 'request', '/busy', 429],
    ]);
  });
});

describe('listening', () => {
  test('over TCP on the loopback address unless told otherwise', async () => {
    const { host, port } = await make({ health: () => [] }).listenTcp({ port: 0 });
    expect(host).toBe('127.0.0.1');
    const answer = await fetch(`http://${host}:${port}/healthz`);
    expect(await answer.json()).toEqual({ status: 'ok', checks: [] });
    await expect(make().listenTcp({ port })).rejects.toMatchObject({ code: 'EADDRINUSE' });
  });

  test('on a socket that is bound already', async () => {
    const server = make({ health: () => [] });
    const bound = bindTcp({ address: IpAddress.parse('127.0.0.1'), port: 0 });
    const { port } = await server.listenOn(bound);
    expect((await fetch(`http://127.0.0.1:${port}/healthz`)).status).toBe(200);
    await expect(make().listenOn(-1)).rejects.toThrow();
  });

  test('over a unix socket that only its user can reach', async () => {
    const socketPath = join(directory, 'run', 'agent.sock');
    await make({ health: () => [] }).listenUnix(socketPath);
    expect((statSync(socketPath).mode & 0o777).toString(8)).toBe('600');
    expect((statSync(join(directory, 'run')).mode & 0o777).toString(8)).toBe('700');
    expect(await unixRequest({ socketPath, path: '/healthz' })).toEqual({
      status: 200,
      body: { status: 'ok', checks: [] },
    });
    await expect(make().listenUnix(socketPath)).rejects.toThrow('another server answers there');
  });

  test('close answers what is under way, then lets the path go', async () => {
    const socketPath = join(directory, 'agent.sock');
    let finish = (): void => {};
    const started = new Promise<void>((begun) => {
      const first = make({
        routes: (app) => {
          app.get('/slow', () => {
            begun();
            return new Promise((resolve) => {
              finish = () => resolve({ done: true });
            });
          });
        },
      });
      void first.listenUnix(socketPath).then(() => {
        answer = unixRequest({ socketPath, path: '/slow' });
      });
    });
    let answer: Promise<unknown> | undefined;
    await started;
    const closed = servers[0]?.close();
    finish();
    expect(await answer).toMatchObject({ body: { done: true } });
    await closed;
    await make().listenUnix(socketPath);
  });
});
