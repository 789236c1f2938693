import { closeSync } from 'node:fs';
import { createServer, type Server } from 'node:net';
import { afterEach, expect, test } from '@jest/globals';
import { IpAddress } from '../net/address.ts';
import { bindTcp } from './bind-tcp.ts';

let server: Server | undefined;
afterEach(() => void server?.close());

function listen(fd: number): Promise<{ readonly address: string; readonly port: number }> {
  return new Promise((resolve, reject) => {
    server = createServer().once('error', reject);
    server.listen({ fd }, () => {
      const at = server?.address();
      if (typeof at === 'object' && at !== null) resolve(at);
    });
  });
}

test.each(['127.0.0.1', '::1'])('a server takes over a socket on %s', async (text) => {
  const address = IpAddress.parse(text);
  const { port } = await listen(bindTcp({ address, port: 0 }));
  expect(server?.address()).toMatchObject({ address: text });
  expect(() => bindTcp({ address, port })).toThrow('Cannot bind socket: address already in use (EADDRINUSE)');
});

test('an address that is not ours is refused within the call', () => {
  expect(() => bindTcp({ address: IpAddress.parse('203.0.113.77'), port: 0 })).toThrow(/EADDRNOTAVAIL/);
});

test('it is only bound: who does not want it closes it', () => {
  closeSync(bindTcp({ address: 'any', port: 0 }));
});
