// `netloom doctor` on each kernel: it tells by probing what that kernel can do. Debian's have nearly all that Netloom uses; what they lack
// is known, and told.
import { fileURLToPath } from 'node:url';
import { expect } from '@jest/globals';
import { z } from 'zod';
import { machineNetwork, machineTest } from '../machine.ts';

const netloom = fileURLToPath(new URL('../../../scripts/netloom', import.meta.url));
const minutes = 60_000;

const visit = z.object({
  kernel: z.string(),
  features: z.array(z.object({ name: z.string(), state: z.string(), why: z.string(), remedy: z.string() })),
});

interface Known {
  readonly kernel: string;
  /**
   * Modules that this kernel does not load by itself: generic netlink asks for them since 5.13. And iptables-legacy, when several
   * namespaces use it for the first time, now and then does not find the table that the kernel loads for it.
   */
  readonly byHand: readonly string[];
  /** What it cannot do: scheduler twos, which Debian builds from 6.12 on, and CTA_FILTER at the deletion of flows, of 6.8. */
  readonly lacks: readonly string[];
}

const known: readonly Known[] = [
  {
    kernel: '5.10',
    byHand: ['ip_vs', 'iptable_filter'],
    lacks: ['ipvs-other-schedulers', 'conntrack-flush'],
  },
  { kernel: '6.1', byHand: [], lacks: ['ipvs-other-schedulers', 'conntrack-flush'] },
  { kernel: '6.12', byHand: [], lacks: [] },
];

for (const { kernel, byHand, lacks } of known) {
  machineTest(
    `netloom doctor on kernel ${kernel}`,
    async () => {
      await using network = await machineNetwork();
      const machine = network.machine({ name: 'doctor', kernel, memory: 1024 });
      await machine.up();
      const release = (await machine.shell('uname -r')).trim();
      expect(release.startsWith(`${kernel}.`)).toBe(true);
      for (const module of byHand) await machine.shell(`modprobe ${module}`);
      const { stdout, stderr } = await machine.exec([netloom, 'doctor', '--json'], { seconds: 900 });
      expect(stderr).toBe('');
      const found = visit.parse(JSON.parse(stdout));
      expect(found.kernel).toBe(release);
      expect(found.features.length).toBeGreaterThan(20);
      const missing = found.features.filter(({ state }) => state !== 'yes');
      expect(missing.filter(({ name }) => !lacks.includes(name))).toEqual([]);
      expect(missing.map(({ name, state }) => `${name}: ${state}`)).toEqual(
        lacks.map((name) => `${name}: no`),
      );
      expect(missing.filter(({ remedy }) => remedy === '')).toEqual([]);
    },
    { kernel, timeout: 25 * minutes },
  );
}
