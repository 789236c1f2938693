import { mkdtempSync, readdirSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, test } from '@jest/globals';
import { servicesThere, writeShared } from './shared-manifests.ts';

let directory = '';
beforeEach(() => {
  directory = mkdtempSync(join(tmpdir(), 'shared-'));
});
afterEach(() => rmSync(directory, { recursive: true }));

const service = (name: string) => ({
  apiVersion: 'v1',
  kind: 'Service',
  metadata: { name },
  spec: { clusterIP: '10.96.0.10', ports: [{ port: 80 }] },
});

test('a proof’s own file is readable by all, and gone without objects', () => {
  writeShared(directory, [service('own')]);
  expect(readdirSync(directory)).toEqual(['vagrant-check.json']);
  expect(statSync(join(directory, 'vagrant-check.json')).mode & 0o777).toBe(0o644);
  writeShared(directory, []);
  expect(readdirSync(directory)).toEqual([]);
});

test('services there are those of others, whatever else lies about', () => {
  writeShared(directory, [service('own')]);
  writeFileSync(join(directory, 'web.json'), JSON.stringify(service('web')));
  writeFileSync(join(directory, 'broken.yaml'), '{');
  writeFileSync(join(directory, 'notes.txt'), 'kind: Service');
  expect(servicesThere(directory).map(({ metadata }) => metadata.name)).toEqual(['web']);
});
