import { chmodSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, test } from '@jest/globals';
import { destroyIpset, listIpsets } from './ipset.ts';

let directory: string;
const path = process.env['PATH'];

/** A program `ipset` that notes what it was asked. */
function program(script: string): void {
  const file = join(directory, 'ipset');
  writeFileSync(file, `#!/bin/sh\necho "$@" >>"${directory}/asked"\n${script}\n`);
  chmodSync(file, 0o755);
}

beforeEach(() => {
  directory = mkdtempSync(join(tmpdir(), 'netloom-ipset-'));
  process.env['PATH'] = `${directory}:/usr/bin:/bin`;
});

afterEach(() => {
  process.env['PATH'] = path;
  rmSync(directory, { recursive: true });
});

describe('ipset', () => {
  test('names of sets', async () => {
    program('printf "KUBE-CLUSTER-IP\\nmine\\n"');
    expect(await listIpsets()).toEqual(['KUBE-CLUSTER-IP', 'mine']);
  });

  test('a kernel without sets', async () => {
    program('echo "Cannot open session to kernel" >&2; exit 1');
    expect(await listIpsets()).toBeUndefined();
  });

  test('destroys one; the refusal is told', async () => {
    program('exit 0');
    await destroyIpset('KUBE-CLUSTER-IP');
    expect(readFileSync(join(directory, 'asked'), 'utf8')).toBe('destroy KUBE-CLUSTER-IP\n');
    program('echo "Set cannot be destroyed: it is in use by a kernel component" >&2; exit 1');
    await expect(destroyIpset('KUBE-CLUSTER-IP')).rejects.toThrow(/in use by a kernel component/);
  });
});
