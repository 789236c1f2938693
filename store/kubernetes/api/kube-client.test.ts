import { once } from 'node:events';
import { createServer, type IncomingHttpHeaders, type Server } from 'node:http';
import { gzipSync } from 'node:zlib';
import { afterEach, beforeEach, expect, test } from '@jest/globals';
import { KubeClient } from './kube-client.ts';

const signal = new AbortController().signal;
const text = JSON.stringify({ items: Array.from({ length: 2000 }, (_, i) => ({ name: `node-${i} ü` })) });

let server: Server;
let client: KubeClient;
let asked: IncomingHttpHeaders;
let answer: Buffer;

beforeEach(async () => {
  answer = gzipSync(text);
  server = createServer((request, response) => {
    asked = request.headers;
    response.writeHead(200, { 'content-encoding': 'gzip', 'content-length': gzipSync(text).length });
    response.end(answer);
    if (answer.length < gzipSync(text).length) response.socket?.end();
  }).listen(0, '127.0.0.1');
  await once(server, 'listening');
  const port = Object(server.address()).port;
  client = new KubeClient({
    access: {
      server: `http://127.0.0.1:${port}`,
      credentials: async () => ({ headers: {}, tls: {} }),
      refused() {},
    },
    silenceMs: 2000,
  });
});

afterEach(async () => {
  client.close();
  server.closeAllConnections();
  server.close();
  await once(server, 'close');
});

async function read(): Promise<string> {
  let whole = '';
  for await (const piece of client.pieces({ path: '/api/v1/nodes', signal })) whole += piece;
  return whole;
}

test('a long answer may come compressed', async () => {
  expect(await read()).toBe(text);
  expect(asked['accept-encoding']).toBe('gzip');
});

test('other answers are not asked for compressed, and are taken so', async () => {
  expect(await client.json({ path: '/api/v1/nodes', signal })).toEqual(JSON.parse(text));
  expect(asked['accept-encoding']).toBeUndefined();
});

test('a compressed answer that ends in the middle is an error that says whose', async () => {
  answer = answer.subarray(0, answer.length / 2);
  await expect(read()).rejects.toThrow(/Cannot get nodes at http/);
});

test('what is no gzip, though it says so, is an error too', async () => {
  answer = Buffer.alloc(answer.length, 'x');
  await expect(read()).rejects.toThrow(/Cannot get nodes at http.*header/);
});
