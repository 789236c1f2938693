// The matrix of labs inside a virtual machine, whose kernel has what this one lacks: every backend, family and proxy mode, a small lab each.
import { fileURLToPath } from 'node:url';
import { expect } from '@jest/globals';
import { z } from 'zod';
import { labBackends } from '../../../cli/lab/lab-plan.ts';
import { machineNetwork, machineTest } from '../machine.ts';

const netloom = fileURLToPath(new URL('../../../scripts/netloom', import.meta.url));
const minutes = 60_000;

const report = z.object({
  kernel: z.string(),
  matrix: z.array(
    z.object({
      families: z.string(),
      proxyMode: z.string(),
      state: z.enum(['passed', 'failed', 'not-here']),
      reason: z.string().nullable(),
      failures: z.array(z.object({ name: z.string(), detail: z.string() })),
    }),
  ),
});

for (const backend of labBackends) {
  machineTest(
    `every family and proxy mode over ${backend}, in a machine`,
    async () => {
      await using network = await machineNetwork();
      const machine = network.machine({ name: 'matrix', memory: 2048, cpus: 2 });
      await machine.up();
      // As on any node of Kubernetes: answers between two pods of one bridge then meet what translated the question.
      await machine.shell('modprobe br_netfilter');
      const { stdout, stderr } = await machine.exec(
        [netloom, 'lab', 'matrix', '--backend', backend, '--patience', '20', '--json'],
        { seconds: 120 * 60 },
      );
      const { matrix } = report.parse(
        JSON.parse(stdout === '' ? `{"error": ${JSON.stringify(stderr)}}` : stdout),
      );
      expect(matrix).toHaveLength(9);
      expect(matrix.filter(({ state }) => state === 'failed')).toEqual([]);
      // Debian's kernel has all that is needed: only what a backend cannot carry may be left out, and IPv4 each can.
      for (const { families, state, reason } of matrix) {
        if (families === 'v4') expect(state).toBe('passed');
        expect(reason ?? '').not.toMatch(/^missing here/);
      }
      expect(await machine.shell('ls /run/netns')).toBe('');
    },
    { timeout: 150 * minutes },
  );
}
