import { mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, test } from '@jest/globals';
import { conflistName, conflistText, installConflist, removeConflist } from './conflist.ts';
import { decodeConfig, readConfig } from './network-config.ts';

const options = {
  bridge: 'cni0',
  runDirectory: '/run/netloom',
  stateDirectory: '/var/lib/netloom',
  subnetFile: '/run/flannel/subnet.env',
  ipamDirectory: '/var/lib/cni/networks',
};

let root: string;
let directory: string;
beforeEach(() => {
  root = mkdtempSync(join(tmpdir(), 'netloom-conflist-'));
  directory = join(root, 'net.d');
});
afterEach(() => rmSync(root, { recursive: true, force: true }));

test('the text', () => {
  expect(conflistText(options)).toBe(`{
  "cniVersion": "1.0.0",
  "cniVersions": [
    "0.3.1",
    "0.4.0",
    "1.0.0",
    "1.1.0"
  ],
  "name": "cbr0",
  "plugins": [
    {
      "type": "netloom-cni",
      "bridge": "cni0",
      "hairpinMode": true,
      "capabilities": {
        "portMappings": true,
        "bandwidth": true,
        "ips": true,
        "mac": true,
        "dns": true,
        "aliases": true
      },
      "runDirectory": "/run/netloom",
      "stateDirectory": "/var/lib/netloom",
      "subnetFile": "/run/flannel/subnet.env",
      "ipam": {
        "type": "host-local",
        "dataDir": "/var/lib/cni/networks"
      }
    }
  ]
}
`);
});

test('the plugin understands it', () => {
  const list = JSON.parse(
    conflistText({ ...options, networkName: 'pods', bridge: 'br9', ipamDirectory: '/ipam' }),
  );
  const stdin = JSON.stringify({ ...list.plugins[0], name: list.name, cniVersion: list.cniVersion });
  expect(readConfig(decodeConfig(stdin), {})).toMatchObject({
    name: 'pods',
    role: 'pod',
    bridge: { name: 'br9', hairpin: true, isDefaultGateway: true },
    ipam: { kind: 'node', directory: '/ipam' },
  });
});

test('it is installed once, changed by rename, and leaves no other file', () => {
  expect(installConflist(directory, options)).toBe(true);
  const path = join(directory, conflistName);
  const { ino, mode } = statSync(path);
  expect(mode & 0o777).toBe(0o644);
  expect(installConflist(directory, options)).toBe(false);
  expect(statSync(path).ino).toBe(ino);
  expect(installConflist(directory, { ...options, bridge: 'br0' })).toBe(true);
  expect(statSync(path).ino).not.toBe(ino);
  expect(readFileSync(path, 'utf8')).toBe(conflistText({ ...options, bridge: 'br0' }));
  expect(readdirSync(directory)).toEqual([conflistName]);
});

test('only ours is removed', () => {
  expect(removeConflist(directory)).toBe(false);
  mkdirSync(directory);
  const path = join(directory, conflistName);
  for (const foreign of ['', '{', 'null', '[]', '{"plugins": []}', '{"plugins": [{"type": "bridge"}]}']) {
    writeFileSync(path, foreign);
    expect(removeConflist(directory)).toBe(false);
    expect(readFileSync(path, 'utf8')).toBe(foreign);
  }
  const list = JSON.parse(conflistText(options));
  writeFileSync(path, JSON.stringify({ ...list, plugins: [...list.plugins, { type: 'bandwidth' }] }));
  expect(removeConflist(directory)).toBe(true);
  expect(readdirSync(directory)).toEqual([]);
});
