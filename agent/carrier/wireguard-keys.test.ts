import { mkdtempSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, test } from '@jest/globals';
import { newPrivateKey, publicKeyOf } from '../../kernel/wireguard/key-pair.ts';
import type { WireguardKey } from '../../net/wireguard-key.ts';
import { createWireguardKeys } from './wireguard-keys.ts';

let directory: string;
let path: string;
let flannelPath: string;
beforeEach(() => {
  directory = mkdtempSync(join(tmpdir(), 'netloom-keys-'));
  // Its directory is not there yet.
  path = join(directory, 'state', 'wireguard.key');
  flannelPath = join(directory, 'wgkey');
});
afterEach(() => rmSync(directory, { recursive: true, force: true }));

const open = (ofDevice?: WireguardKey) =>
  createWireguardKeys({ path, flannelPath, ofDevice: () => ofDevice });

test('is made by chance, kept 0600, and the same after a restart', () => {
  const keys = open();
  const privateKey = keys.privateKey();
  expect(keys.publicKey().equals(publicKeyOf(privateKey))).toBe(true);
  expect(readFileSync(path, 'utf8')).toBe(`${privateKey}\n`);
  expect((statSync(path).mode & 0o777).toString(8)).toBe('600');
  expect(open(newPrivateKey()).privateKey().equals(privateKey)).toBe(true);
});

test('goes on with the key of the device, else with flannel’s', () => {
  const [ofDevice, ofFlannel] = [newPrivateKey(), newPrivateKey()];
  writeFileSync(flannelPath, ofFlannel.toString());
  expect(open(ofDevice).privateKey().equals(ofDevice)).toBe(true);
  rmSync(path);
  expect(open().privateKey().equals(ofFlannel)).toBe(true);
  rmSync(path);
  writeFileSync(flannelPath, 'spoilt');
  expect(open().privateKey().equals(ofFlannel)).toBe(false);
});

test('a file that everybody may read is closed', () => {
  open().privateKey();
  const text = readFileSync(path);
  writeFileSync(path, text, { mode: 0o644 });
  rmSync(path);
  writeFileSync(path, text, { mode: 0o644 });
  open().privateKey();
  expect((statSync(path).mode & 0o777).toString(8)).toBe('600');
});

test.each(['', 'sesame', Buffer.alloc(32).toString('base64')])('a spoilt file stays as it is: %j', (text) => {
  open().privateKey();
  writeFileSync(path, text);
  expect(() => open(newPrivateKey()).publicKey()).toThrow(
    `Cannot read the WireGuard key "${path}": want 32 bytes in base64; delete the file to have a new key made`,
  );
  expect(readFileSync(path, 'utf8')).toBe(text);
});

test('a directory that cannot be had is an error that names the file', () => {
  writeFileSync(join(directory, 'state'), '');
  expect(() => open().privateKey()).toThrow(path);
});
