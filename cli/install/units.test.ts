// deploy/systemd against systemd's own judgement, the layout of a release and docs/install.md.
import { existsSync, readFileSync } from 'node:fs';
import { expect, test } from '@jest/globals';
import { execute } from '../../kernel/exec.ts';
import { commandNames } from '../program.ts';
import { currentLink, units } from './release.ts';

const checkout = new URL('../../', import.meta.url).pathname;
const pathOf = (unit: string): string => `${checkout}deploy/systemd/${unit}`;
const installPage = readFileSync(`${checkout}docs/install.md`, 'utf8');
const hasAnalyze = ['/usr/bin/systemd-analyze', '/bin/systemd-analyze'].some((path) => existsSync(path));
const testAnalyze = hasAnalyze ? test : test.skip;

/** Key and value of each line. */
function linesOf(unit: string): readonly (readonly [string, string])[] {
  return readFileSync(pathOf(unit), 'utf8')
    .split('\n')
    .filter((line) => /^\w+=/.test(line))
    .map((line) => [line.slice(0, line.indexOf('=')), line.slice(line.indexOf('=') + 1)]);
}

test.each(units)('%s runs what is installed, with the settings that are', (unit) => {
  const [, start = ''] = linesOf(unit).find(([key]) => key === 'ExecStart') ?? [];
  const [program, command = '', ...flags] = start.split(' ');
  expect(program).toBe(`${currentLink}/scripts/netloom`);
  expect(commandNames).toContain(command);
  expect(flags).toEqual(['--config', '/etc/netloom/netloom.yaml']);
});

test('whoever runs both halves in one process does not run one of them beside', () => {
  const conflicts = units.map((unit) => linesOf(unit).find(([key]) => key === 'Conflicts')?.[1]);
  expect(conflicts).toEqual([
    'netloom-agent.service netloom-proxy.service',
    'netloom.service',
    'netloom.service',
  ]);
});

testAnalyze.each(units)(
  'systemd takes %s, and its score is the one that docs/install.md tells',
  async (unit) => {
    // Only that the program is not installed here, and whatever other units of this machine are blamed for.
    const { stderr } = await execute(['systemd-analyze', 'verify', '--man=no', pathOf(unit)], {
      okCodes: [0, 1],
    });
    const blamed = stderr.split('\n').filter((line) => line.includes(unit));
    expect(blamed.filter((line) => !line.includes('scripts/netloom is not executable'))).toEqual([]);
    const { stdout } = await execute(
      ['systemd-analyze', 'security', '--offline=true', '--no-pager', pathOf(unit)],
      {
        env: { SYSTEMD_COLORS: '0' },
      },
    );
    const [, score] = new RegExp(`for ${unit.replaceAll('.', '\\.')}: ([\\d.]+) `).exec(stdout) ?? [];
    const [, told] =
      new RegExp(`\\| \`${unit.replaceAll('.', '\\.')}\` +\\| ([\\d.]+) \\(OK\\)`).exec(installPage) ?? [];
    expect(score).toBe(told);
  },
);

test('capabilities are those that docs/install.md tells', () => {
  const capabilities = units.map((unit) =>
    linesOf(unit)
      .find(([key]) => key === 'CapabilityBoundingSet')?.[1]
      ?.split(' '),
  );
  const all = ['CAP_NET_ADMIN', 'CAP_NET_RAW', 'CAP_SYS_ADMIN', 'CAP_SYS_PTRACE'];
  expect(capabilities).toEqual([all, all, all.slice(0, 3)]);
  expect(installPage).toContain(all.map((name) => `\`${name}\``).join(', '));
});
