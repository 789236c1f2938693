// systemd, as far as an installation needs it. Where it does not run (a container, another root) there is nothing to tell it.
import { existsSync } from 'node:fs';
import { execute } from '../../kernel/exec.ts';
import { units } from './release.ts';

export interface ServiceManager {
  /** Those of our units that run now. */
  active(): Promise<readonly string[]>;
  reload(): Promise<void>;
  restart(unit: string): Promise<void>;
  /** All of our units: ends them, also for the next start of the machine. */
  disable(): Promise<void>;
}

/** sd_booted(3). */
const bootedMark = '/run/systemd/system';

export function openServiceManager(): ServiceManager | undefined {
  if (!existsSync(bootedMark)) return undefined;
  const systemctl = async (...words: readonly string[]) =>
    await execute(['systemctl', ...words], { timeout: 120_000 });
  return {
    async active() {
      // 3: some or all are not active.
      const { stdout } = await execute(['systemctl', 'is-active', ...units], { okCodes: [0, 3, 4] });
      const states = stdout.trim().split('\n');
      return units.filter((_, i) => states[i] === 'active' || states[i] === 'activating');
    },
    async reload() {
      await systemctl('daemon-reload');
    },
    async restart(unit) {
      await systemctl('restart', unit);
    },
    async disable() {
      await systemctl('disable', '--now', ...units);
    },
  };
}
