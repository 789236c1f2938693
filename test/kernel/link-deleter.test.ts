// Deleting links on the real kernel: what is gone, what is not, and that nothing is left of the deleter.
import { execFileSync } from 'node:child_process';
import { readdirSync } from 'node:fs';
import { afterEach, beforeEach, describe, expect, test } from '@jest/globals';
import { Poller } from '../../kernel/poller.ts';
import { openRouteDriver, type RouteAccess } from '../../kernel/route/driver.ts';
import { type LinkDeleter, openLinkDeleter } from '../../kernel/route/link-deleter.ts';
import type { RouteStep } from '../../kernel/route/step.ts';
import { type TestNetns, testNetns } from '../sandbox.ts';

let host: TestNetns;
let pod: TestNetns;
let driver: RouteAccess;
let inPod: RouteAccess;
let deleter: LinkDeleter;

beforeEach(() => {
  host = testNetns();
  pod = testNetns();
  driver = openRouteDriver({ netns: host.netns });
  inPod = openRouteDriver({ netns: pod.netns });
  deleter = openLinkDeleter({ netns: host.netns });
  apply({ kind: 'link-add', link: { name: 'br0', detail: { kind: 'bridge' }, up: true } });
});

afterEach(async () => {
  await deleter.close();
  driver.close();
  inPod.close();
  host[Symbol.dispose]();
  pod[Symbol.dispose]();
});

function apply(...steps: readonly RouteStep[]): void {
  for (const { error } of driver.apply(steps)) if (error !== undefined) throw error;
}

/** Pods' pairs on the bridge: the other end is in the pod's namespace, under the same name. */
function addPairs(...names: readonly string[]): void {
  apply(
    ...names.map((name): RouteStep => {
      const detail = { kind: 'veth', peer: { name, netns: pod.netns } } as const;
      return { kind: 'link-add', link: { name, detail, up: true, master: 'br0' } };
    }),
  );
}

function numbered(count: number): readonly string[] {
  return Array.from({ length: count }, (_, i) => `veth${i}`);
}

function names(of: RouteAccess): readonly string[] {
  return [...of.read().links.keys()].toSorted();
}

describe('the link deleter', () => {
  test('deletes a link; at once it is gone here and its peer in the other namespace', async () => {
    addPairs('veth0');
    expect(inPod.link('veth0')).toBeDefined();
    expect(await deleter.delete('veth0')).toBe(true);
    expect(driver.link('veth0')).toBeUndefined();
    expect(inPod.link('veth0')).toBeUndefined();
    expect(await deleter.delete('veth0')).toBe(false);
  });

  test('says of a name that is not there that it was not', async () => {
    expect(await deleter.delete('veth0')).toBe(false);
    await expect(deleter.delete('a name that no link can have')).rejects.toThrow(
      'Cannot find link "a name that no link can have": result too large (ERANGE)',
    );
  });

  test('deletes many at once, and nothing else', async () => {
    const many = numbered(20);
    addPairs(...many, 'kept');
    const asked = [...many, 'missing'];
    const results = await Promise.all(asked.map((name) => deleter.delete(name)));
    expect(results).toEqual([...many.map(() => true), false]);
    expect(names(driver)).toEqual(['br0', 'kept', 'lo']);
    expect(names(inPod)).toEqual(['kept', 'lo']);
  });

  test('deletes those that come while others are under way', async () => {
    const many = numbered(12);
    addPairs(...many);
    const results: Promise<boolean>[] = [];
    for (const name of many) {
      results.push(deleter.delete(name));
      await new Promise((resolve) => setImmediate(resolve));
    }
    expect(await Promise.all(results)).toEqual(many.map(() => true));
    expect(names(driver)).toEqual(['br0', 'lo']);
  });

  test('of two calls for one name the first has deleted it', async () => {
    addPairs('veth0');
    expect(await Promise.all([deleter.delete('veth0'), deleter.delete('veth0')])).toEqual([true, false]);
  });

  test('lets the name be used again right after', async () => {
    for (let i = 0; i < 5; i++) {
      addPairs('veth0');
      expect(await deleter.delete('veth0')).toBe(true);
    }
    addPairs('veth0');
    await deleter.close();
    expect(driver.link('veth0')).toBeDefined();
  });

  test('shares the links with another deleter: all go, whoever deletes them', async () => {
    const other = openLinkDeleter({ netns: host.netns });
    for (let round = 0; round < 10; round++) {
      const many = numbered(8);
      addPairs(...many);
      await Promise.all(many.flatMap((name) => [deleter.delete(name), other.delete(name)]));
      expect(names(driver)).toEqual(['br0', 'lo']);
      expect(names(inPod)).toEqual(['lo']);
    }
    await other.close();
  });

  test('rejects for a link that cannot be deleted, alone and among others, and leaves its group', async () => {
    const message = 'Cannot delete link "lo": operation not supported on socket (EOPNOTSUPP)';
    await expect(deleter.delete('lo')).rejects.toMatchObject({ message });
    addPairs('veth0', 'veth1');
    execFileSync('ip', ['-n', host.name, 'link', 'set', 'lo', 'group', '7']);
    const results = await Promise.allSettled(['veth0', 'lo', 'veth1'].map((name) => deleter.delete(name)));
    expect(results.map((each) => (each.status === 'fulfilled' ? each.value : each.reason.code))).toEqual([
      true,
      'EOPNOTSUPP',
      true,
    ]);
    expect(names(driver)).toEqual(['br0', 'lo']);
    expect(execFileSync('ip', ['-n', host.name, 'link', 'show', 'lo'], { encoding: 'utf8' })).toMatch(
      / group 7 /,
    );
  });

  test('gives back all descriptors when it is closed, and takes nothing on any more', async () => {
    const before = readdirSync('/proc/self/fd').length;
    const poller = new Poller();
    const more = [openLinkDeleter({ netns: host.netns }), openLinkDeleter({ netns: host.netns, poller })];
    addPairs('veth0', 'veth1');
    const results = more.map((each, i) => each.delete(`veth${i}`));
    await Promise.all(more.map((each) => each.close()));
    await poller.close();
    expect(await Promise.all(results)).toEqual([true, true]);
    expect(readdirSync('/proc/self/fd')).toHaveLength(before);
    await expect(more[0]?.delete('veth2')).rejects.toThrow(
      'Cannot delete link "veth2": the deleter is closed',
    );
  });

  test('does not keep a process from ending that forgets to close it', () => {
    addPairs('veth0');
    const script = `
      const { openLinkDeleter } = await import('./kernel/route/link-deleter.ts');
      process.stdout.write(String(await openLinkDeleter().delete('veth0')));`;
    const words = ['netns', 'exec', host.name, process.execPath, '--input-type=module', '--eval', script];
    expect(execFileSync('ip', words, { encoding: 'utf8', timeout: 60_000 })).toBe('true');
    expect(driver.link('veth0')).toBeUndefined();
  });
});
