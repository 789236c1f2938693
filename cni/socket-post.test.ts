import { mkdtempSync, rmSync } from 'node:fs';
import { createServer, type Socket } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, test } from '@jest/globals';
import { createHttpServer } from '../runtime/http.ts';
import { parseAnswer, postToSocket } from './socket-post.ts';

const silent = { debug: () => undefined, error: () => undefined };
let root: string;
let socketPath: string;
beforeEach(() => {
  root = mkdtempSync(join(tmpdir(), 'netloom-post-'));
  socketPath = join(root, 's');
});
afterEach(() => rmSync(root, { recursive: true, force: true }));

const post = (body: string, timeoutMs = 5000) =>
  postToSocket({ socketPath, path: '/cni', body: Buffer.from(body), timeoutMs });

test("the runtime's own server understands it", async () => {
  const server = createHttpServer({
    log: silent,
    routes: (app) => {
      app.addContentTypeParser('application/octet-stream', { parseAs: 'buffer' }, (_, body, done) =>
        done(null, body),
      );
      app.post('/cni', async ({ body }, reply) => {
        if (!Buffer.isBuffer(body) || body.length === 0) return reply.code(422).send('{}');
        return reply.send(body);
      });
    },
  });
  await server.listenUnix(socketPath);
  const body = `CNI_A=\r\n\0\0${'ü'.repeat(100_000)}`;
  expect(await post(body)).toEqual({ kind: 'answered', status: 200, body });
  expect(await post('')).toEqual({ kind: 'answered', status: 422, body: '{}' });
  await server.close();
});

test('nobody there', async () => {
  expect(await post('{}')).toMatchObject({ kind: 'absent' });
});

describe('a server that misbehaves', () => {
  async function withServer(serve: (socket: Socket) => void, action: () => Promise<void>): Promise<void> {
    const sockets: Socket[] = [];
    const server = createServer((socket) => {
      sockets.push(socket);
      socket.on('error', () => undefined);
      serve(socket);
    });
    await new Promise<void>((resolve) => {
      server.listen(socketPath, resolve);
    });
    await action();
    for (const socket of sockets) socket.destroy();
    await new Promise((resolve) => {
      server.close(resolve);
    });
  }

  test('never answers', async () => {
    await withServer(
      () => undefined,
      async () => expect(await post('{}', 50)).toMatchObject({ kind: 'timeout' }),
    );
  });

  test('hangs up, at once or within its answer', async () => {
    await withServer(
      (socket) => socket.destroy(),
      async () => expect(await post('{}')).toMatchObject({ kind: 'absent' }),
    );
    await withServer(
      (socket) => socket.end('HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\n{"exit'),
      async () => expect(await post('{}')).toMatchObject({ kind: 'absent' }),
    );
  });
});

test.each([
  ['HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\n{}', { kind: 'answered', status: 200, body: '{}' }],
  ['HTTP/1.1 503 X\r\nA: b\r\nContent-Length: 0\r\n\r\n', { kind: 'answered', status: 503, body: '' }],
  ['HTTP/1.1 200 OK\r\n\r\n{}', { kind: 'absent' }],
  ['HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n2\r\n{}', { kind: 'absent' }],
  ['HTTP/1.1 200 OK\r\nContent-Length: 3\r\n\r\n{}', { kind: 'absent' }],
  ['HTTP/1.0 200 OK\r\nContent-Length: 2\r\n\r\n{}', { kind: 'absent' }],
  ['SSH-2.0\r\n\r\n', { kind: 'absent' }],
  ['', { kind: 'absent' }],
])('%j', (text, outcome) => {
  expect(parseAnswer(Buffer.from(text))).toMatchObject(outcome);
});
