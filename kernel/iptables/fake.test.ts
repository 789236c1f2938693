import { describe, expect, test } from '@jest/globals';
import { iptablesDriverSuite } from '../../test/iptables/driver-suite.ts';
import { FakeIptablesKernel } from './fake.ts';

// On the fake its own property compares nothing: what it holds is that no text makes it fail otherwise than by refusing.
iptablesDriverSuite(
  () => {
    const kernel = new FakeIptablesKernel();
    return { access: (family) => kernel.access(family), close: () => undefined };
  },
  { runs: 50 },
);

describe('FakeIptablesKernel', () => {
  test('notes what it was given', async () => {
    const kernel = new FakeIptablesKernel();
    const before = kernel.generation;
    await kernel
      .access(4)
      .restore('# comment\n*nat\n:A - [0:0]\n-A A -p tcp\n\nCOMMIT\n*filter\n:A - [0:0]\nCOMMIT\n');
    await expect(kernel.access(6).restore('*nat\n-X NOWHERE\nCOMMIT\n')).rejects.toThrow(
      /ip6tables-restore.*"NOWHERE"/,
    );
    expect(kernel.restores.map(({ family, lines, done }) => ({ family, lines, done }))).toEqual([
      { family: 4, lines: 3, done: true },
      { family: 6, lines: 1, done: false },
    ]);
    expect(kernel.generation).toBe(before + 2);
    expect(kernel.saves).toBe(0);
  });

  test('refuses once what it is told to', async () => {
    const kernel = new FakeIptablesKernel();
    kernel.refuseNext('Resource temporarily unavailable');
    const restore = () => kernel.access(4).restore('*nat\n:A - [0:0]\nCOMMIT\n');
    await expect(restore()).rejects.toThrow(/temporarily unavailable/);
    expect((await kernel.access(4).save('nat')).chains.has('A')).toBe(false);
    await restore();
    expect((await kernel.access(4).save('nat')).chains.has('A')).toBe(true);
  });

  test('does nothing for who has gone', async () => {
    const kernel = new FakeIptablesKernel();
    const signal = AbortSignal.abort(new Error('stopped'));
    await expect(kernel.access(4).restore('*nat\n:A - [0:0]\nCOMMIT\n', { signal })).rejects.toThrow(
      /stopped/,
    );
    await expect(kernel.access(4).save('nat', { signal })).rejects.toThrow(/stopped/);
    expect(kernel.restores).toEqual([]);
  });
});
