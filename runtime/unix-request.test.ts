import { linkSync, mkdtempSync, rmSync } from 'node:fs';
import { createServer, type RequestListener, type Server } from 'node:http';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, test } from '@jest/globals';
import { UnixRequestError, unixRequest } from './unix-request.ts';

let directory: string;
let socketPath: string;
let server: Server | undefined;
beforeEach(() => {
  directory = mkdtempSync(join(tmpdir(), 'netloom-ask-'));
  socketPath = join(directory, 'a.sock');
});
afterEach(async () => {
  server?.closeAllConnections();
  await new Promise<void>((resolve) =>
    server === undefined ? resolve() : void server.close(() => resolve()),
  );
  server = undefined;
  rmSync(directory, { recursive: true, force: true });
});

async function serve(listener: RequestListener): Promise<void> {
  server = createServer(listener);
  await new Promise<void>((resolve) => void server?.listen(socketPath, resolve));
}
const failureOf = async (request: Promise<unknown>): Promise<UnixRequestError> => {
  try {
    await request;
  } catch (error) {
    if (error instanceof UnixRequestError) return error;
    throw error;
  }
  throw new Error('the request did not fail');
};

describe('unixRequest', () => {
  test('sends a body as JSON by POST and parses the JSON that comes back, in pieces and beyond ASCII', async () => {
    await serve((request, response) => {
      const chunks: Buffer[] = [];
      request.on('data', (chunk: Buffer) => chunks.push(chunk));
      request.on('end', () => {
        const { method, url, headers } = request;
        const text = Buffer.from(
          JSON.stringify({
            method,
            url,
            type: headers['content-type'],
            got: JSON.parse(Buffer.concat(chunks).toString()),
          }),
        );
        response.setHeader('content-type', 'application/json; charset=utf-8');
        const cut = text.indexOf('ü') + 1; // in the middle of the letter
        response.write(text.subarray(0, cut));
        setImmediate(() => response.end(text.subarray(cut)));
      });
    });
    expect(await unixRequest({ socketPath, path: '/cni?x=1', body: { pod: 'grün' } })).toEqual({
      status: 200,
      body: { method: 'POST', url: '/cni?x=1', type: 'application/json', got: { pod: 'grün' } },
    });
  });

  test('gives what is not JSON as text', async () => {
    await serve((request, response) => response.end(`# ${request.method}`));
    expect(await unixRequest({ socketPath, path: '/metrics' })).toEqual({ status: 200, body: '# GET' });
  });

  test('a status that is not 2xx is an error with the body', async () => {
    await serve((_, response) => {
      response
        .writeHead(503, { 'content-type': 'application/json' })
        .end('{"error":"Cannot GET /x: busy","n":1}');
    });
    const error = await failureOf(unixRequest({ socketPath, path: '/x' }));
    expect(error.message).toBe(`Cannot GET /x on "${socketPath}": status 503: Cannot GET /x: busy`);
    expect([error.kind, error.response]).toEqual([
      'status',
      { status: 503, body: { error: 'Cannot GET /x: busy', n: 1 } },
    ]);
  });

  test('nobody there: no socket, or a dead one', async () => {
    const none = await failureOf(unixRequest({ socketPath, path: '/' }));
    expect([none.kind, none.message]).toEqual([
      'not-running',
      `Cannot GET / on "${socketPath}": nothing runs there (no such socket)`,
    ]);
    await serve(() => {});
    const dead = join(directory, 'dead.sock');
    linkSync(socketPath, dead);
    await new Promise<void>((resolve) => void server?.close(() => resolve()));
    const refused = await failureOf(unixRequest({ socketPath: dead, path: '/' }));
    expect([refused.kind, refused.message]).toEqual([
      'not-running',
      `Cannot GET / on "${dead}": nothing runs there (the socket is a dead one)`,
    ]);
  });

  test.each([
    ['before', () => {}],
    ['within', (response: { write(text: string): unknown }) => void response.write('{')],
  ] as const)('no answer in time: silence %s the answer', async (_, begin) => {
    await serve((_request, response) => begin(response));
    const error = await failureOf(unixRequest({ socketPath, path: '/slow', timeoutMs: 30 }));
    expect([error.kind, error.message]).toEqual([
      'timeout',
      `Cannot GET /slow on "${socketPath}": no answer within 30 ms`,
    ]);
  });

  test('a connection that breaks, and JSON that is none', async () => {
    await serve((request, response) => {
      if (request.url === '/cut') request.socket.destroy();
      else if (request.url === '/half')
        response.writeHead(200, { 'content-length': 10 }).write('{', () => request.socket.destroy());
      else response.setHeader('content-type', 'application/json').end('{');
    });
    for (const path of ['/cut', '/half']) {
      const error = await failureOf(unixRequest({ socketPath, path }));
      expect([error.kind, error.message]).toEqual([
        'broken',
        expect.stringContaining(`Cannot GET ${path} on "${socketPath}": the connection broke`),
      ]);
    }
    const error = await failureOf(unixRequest({ socketPath, path: '/json' }));
    expect([error.kind, error.message]).toEqual([
      'broken',
      expect.stringContaining('the answer is not JSON'),
    ]);
  });

  test('the caller’s own signal ends it with its reason', async () => {
    const abort = new AbortController();
    await serve(() => abort.abort(new Error('Ctrl-C')));
    await expect(unixRequest({ socketPath, path: '/', signal: abort.signal })).rejects.toThrow('Ctrl-C');
  });
});
