import { expect, test } from '@jest/globals';
import { requestCounters } from './request-count.ts';

const preface = Buffer.from('PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n');

function frame(type: number, payload: number): Buffer {
  const header = Buffer.alloc(9);
  header.writeUIntBE(payload, 0, 3);
  header[3] = type;
  return Buffer.concat([header, Buffer.alloc(payload, 1)]);
}

test.each([1, 2, 7, 10_000])('streams of HTTP/2 are counted, in chunks of %i bytes', (size) => {
  const bytes = Buffer.concat([preface, frame(4, 6), frame(1, 70), frame(0, 300), frame(6, 8), frame(1, 0)]);
  const count = requestCounters.http2();
  let requests = 0;
  for (let at = 0; at < bytes.length; at += size) requests += count(bytes.subarray(at, at + size));
  expect(requests).toBe(2);
});

test.each([1, 5, 10_000])('requests of HTTP/1.1 are counted, in chunks of %i bytes', (size) => {
  const one = 'GET /api/v1/nodes?watch=1 HTTP/1.1\r\nhost: a\r\n\r\n';
  const bytes = Buffer.from(`${one}PATCH /b HTTP/1.1\r\ncontent-length: 2\r\n\r\n{}${one}`);
  const count = requestCounters.http1();
  let requests = 0;
  for (let at = 0; at < bytes.length; at += size) requests += count(bytes.subarray(at, at + size));
  expect(requests).toBe(3);
});
