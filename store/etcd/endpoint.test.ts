import { expect, test } from '@jest/globals';
import { parseEndpoint } from './endpoint.ts';

test.each([
  ['http://127.0.0.1:2379', 'http://127.0.0.1:2379'],
  ['https://etcd-1.example:2379/', 'https://etcd-1.example:2379'],
  ['etcd-1', 'http://etcd-1:2379'],
  ['10.0.0.1:4001', 'http://10.0.0.1:4001'],
  ['https://etcd-1', 'https://etcd-1:2379'],
  ['https://etcd-1:443', 'https://etcd-1:443'],
  ['http://etcd-1:80', 'http://etcd-1:80'],
  ['https://[fd00::1]:2379', 'https://[fd00::1]:2379'],
  ['unix:///run/etcd.sock', undefined],
  ['ftp://etcd-1:2379', undefined],
  ['http://user:secret@etcd-1:2379', undefined],
  ['http://etcd-1:2379/v3', undefined],
  ['http://etcd-1:2379?x=1', undefined],
  ['http://', undefined],
  ['', undefined],
  ['http://etcd-1:99999', undefined],
])('%s', (text, url) => {
  expect(parseEndpoint(text)?.url).toBe(url);
});
