import { describe, expect, test } from '@jest/globals';
import { FakeIpvsKernel } from './fake.ts';
import { hasScheduler, schedulerChoices, schedulerFault, schedulerModule } from './schedulers.ts';

describe('schedulers', () => {
  test('are known by name', () => {
    for (const name of schedulerChoices) expect(schedulerFault(name)).toBeUndefined();
    expect(schedulerFault('fastest')).toBe(
      `there is no scheduler "fastest": it is one of ${schedulerChoices.join(', ')}`,
    );
    expect(schedulerFault('ovf')).toMatch(/^the scheduler "ovf" does not serve here: /);
    expect(schedulerModule('mh')).toBe('ip_vs_mh');
  });

  test('are asked for by a virtual server that goes again, one that a probe has left too', () => {
    const kernel = new FakeIpvsKernel({ missingSchedulers: ['sh'] });
    const access = kernel.access();
    const left = kernel.fail((step) => step.kind === 'server-delete');
    expect(() => hasScheduler(access, 'wrr')).toThrow(
      /^Cannot delete virtual server "-t 198.51.100.0:20000": i\/o error \(EIO\)$/,
    );
    left();
    expect(access.servers(4)).toHaveLength(1);
    expect(hasScheduler(access, 'rr')).toBe(true);
    expect(access.servers(4)).toEqual([]);
    expect(hasScheduler(access, 'sh')).toBe(false);
    kernel.fail(() => true, 'EPERM');
    expect(() => hasScheduler(access, 'rr')).toThrow(/\(EPERM\)/);
  });
});
