// Namespaces, sysctls, programs and iptables inside them, on the real kernel.
import { existsSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { stat } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, describe, expect, test } from '@jest/globals';
import { execute } from '../../kernel/exec.ts';
import { restoreIptables, saveIptables } from '../../kernel/iptables/programs.ts';
import { KernelError } from '../../kernel/kernel-error.ts';
import { createNetns, isNetns, Netns, removeNetns } from '../../kernel/netns.ts';
import { readSysctl, writeSysctl } from '../../kernel/sysctl.ts';
import { refuseRoot, testNetns } from '../sandbox.ts';

refuseRoot();
const scratch = mkdtempSync(join(tmpdir(), 'netloom-netns-'));
afterAll(() => rmSync(scratch, { recursive: true, force: true }));

function errorOf(action: () => unknown): unknown {
  try {
    action();
  } catch (error) {
    return error;
  }
  return undefined;
}

describe('network namespaces', () => {
  test('are made, opened, told apart and removed', () => {
    const path = `/run/netns/netloom-test-${process.pid}-made`;
    createNetns(path);
    expect(isNetns(path)).toBe(true);
    {
      using netns = Netns.open(path);
      using again = Netns.open(path);
      using own = Netns.current();
      expect(netns.equals(again)).toBe(true);
      expect(netns.equals(own)).toBe(false);
      expect(errorOf(() => createNetns(path))).toMatchObject({ code: 'EEXIST' });
    }
    removeNetns(path);
    expect(existsSync(path)).toBe(false);
    removeNetns(path);
  });

  test('can be removed also after iproute2 made the directory its own', async () => {
    const path = `/run/netns/netloom-test-${process.pid}-shared`;
    createNetns(path);
    const other = `netloom-test-${process.pid}-other`;
    await execute(['ip', 'netns', 'add', other]);
    await execute(['ip', 'netns', 'delete', other]);
    removeNetns(path);
    expect(existsSync(path)).toBe(false);
  });

  test('can be removed also when somebody bound it once more', async () => {
    const path = `/run/netns/netloom-test-${process.pid}-twice`;
    createNetns(path);
    await execute(['mount', '--bind', path, path]);
    removeNetns(path);
    expect(existsSync(path)).toBe(false);
  });

  test('run code inside and come back, also when it throws', () => {
    using own = Netns.current();
    using made = testNetns();
    const inside = made.netns.run(() => {
      using current = Netns.current();
      return current.identity;
    });
    expect(inside).toBe(made.netns.identity);
    expect(() =>
      made.netns.run(() => {
        throw new RangeError('inside');
      }),
    ).toThrow('inside');
    using after = Netns.current();
    expect(after.equals(own)).toBe(true);
  });

  test('refuse asynchronous code', () => {
    using made = testNetns();
    expect(() => made.netns.run(() => Promise.resolve())).toThrow(/asynchronous/);
  });

  test('leave the threads of the pool at home', async () => {
    using own = Netns.current();
    using made = testNetns();
    // Each thread of the pool opens the file by its own idea of "self".
    const asked = made.netns.run(() => ({
      all: Array.from({ length: 16 }, () => stat('/proc/thread-self/ns/net')),
    }));
    const inodes = await Promise.all(asked.all);
    expect(new Set(inodes.map(({ dev, ino }) => `${dev}:${ino}`))).toEqual(new Set([own.identity]));
  });

  test('are refused when the path is something else', () => {
    const file = join(scratch, 'plain');
    writeFileSync(file, '');
    expect(errorOf(() => Netns.open(file))).toMatchObject({ code: 'EINVAL' });
    expect(errorOf(() => Netns.open(join(scratch, 'missing')))).toMatchObject({ code: 'ENOENT' });
    expect(isNetns(file)).toBe(false);
    removeNetns(file);
    expect(existsSync(file)).toBe(false);
  });

  test('cannot be used after they are closed', () => {
    using made = testNetns();
    const netns = Netns.open(made.netns.path);
    netns.close();
    expect(() => netns.run(() => undefined)).toThrow(/closed/);
  });
});

describe('sysctls of a namespace', () => {
  test('are read and written there and nowhere else', () => {
    using one = testNetns();
    using other = testNetns();
    writeSysctl('net/ipv4/ip_forward', '1', one);
    writeSysctl('net/ipv4/conf/lo/rp_filter', '2', one);
    expect(readSysctl('net/ipv4/ip_forward', one)).toBe('1');
    expect(readSysctl('net/ipv4/ip_forward', other)).toBe('0');
    expect(readSysctl('net/ipv4/conf/lo/rp_filter', one)).toBe('2');
  });

  test('say what is wrong', () => {
    using made = testNetns();
    expect(errorOf(() => readSysctl('net/ipv4/conf/nosuch0/rp_filter', made))).toMatchObject({
      code: 'ENOENT',
    });
    const refused = errorOf(() => writeSysctl('net/ipv4/ip_forward', 'maybe', made));
    expect(refused).toBeInstanceOf(KernelError);
    expect(refused).toMatchObject({ code: 'EINVAL', object: 'net/ipv4/ip_forward = maybe' });
  });
});

describe('programs in a namespace', () => {
  test('see its links only', async () => {
    using made = testNetns();
    await execute(['ip', 'link', 'add', 'br-test', 'type', 'bridge'], made);
    expect((await execute(['ip', '-br', 'link'], made)).stdout).toContain('br-test');
    expect((await execute(['ip', '-br', 'link'])).stdout).not.toContain('br-test');
  });

  test('iptables: restored text is read back, other chains stay', async () => {
    using made = testNetns();
    const options = { family: 4, netns: made.netns } as const;
    await restoreIptables('*filter\n:OTHER - [0:0]\n-A OTHER -j ACCEPT\nCOMMIT\n', options);
    await restoreIptables(
      '*filter\n:NETLOOM-FWD - [0:0]\n-A NETLOOM-FWD -s 10.244.0.0/16 -j ACCEPT\nCOMMIT\n',
      options,
    );
    const { chains, rules } = await saveIptables('filter', options);
    expect([...chains.keys()]).toEqual(expect.arrayContaining(['FORWARD', 'OTHER', 'NETLOOM-FWD']));
    expect(rules).toEqual(
      expect.arrayContaining(['-A OTHER -j ACCEPT', '-A NETLOOM-FWD -s 10.244.0.0/16 -j ACCEPT']),
    );
    await expect(restoreIptables('*filter\n-A NOSUCH -j ACCEPT\nCOMMIT\n', options)).rejects.toThrow(
      /iptables-restore/,
    );
  });
});
