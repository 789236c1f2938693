// Builds launchers for tests: with another plugin, a short deadline, sanitizers. That of the checkout is scripts/build-launcher's.
import { spawnSync } from 'node:child_process';
import { mkdirSync, readdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { launcherText } from '../../cni/launcher-text.ts';

const cni = new URL('../../cni', import.meta.url).pathname;

/** False where no C compiler is: the script serves as the plugin there. */
export const hasCompiler = spawnSync('cc', ['--version']).status === 0;

export interface LauncherBuild {
  /** Of a directory that is there. */
  readonly path: string;
  /** What it runs without an agent. */
  readonly plugin: string;
  readonly deadlineMs?: number;
  readonly flags?: readonly string[];
}

/** The path. Throws Error with the compiler's words. */
export function buildLauncher({
  path,
  plugin,
  deadlineMs = 20_000,
  flags = ['-Os', '-static'],
}: LauncherBuild): string {
  const parts = readdirSync(join(cni, 'launcher')).filter((name) => name.endsWith('.c'));
  const sources = [join(cni, 'launcher.c'), ...parts.map((name) => join(cni, 'launcher', name))];
  const include = `${path}.include`;
  mkdirSync(include, { recursive: true });
  writeFileSync(join(include, 'launcher-text.h'), launcherText(plugin));
  const strict = ['-std=c11', '-Wall', '-Wextra', '-Werror', `-DDEADLINE_MS=${deadlineMs}`, '-I', include];
  const { status, stderr } = spawnSync('cc', [...strict, ...flags, '-o', path, ...sources], {
    encoding: 'utf8',
  });
  if (status !== 0) throw new Error(`Cannot build "${path}": ${stderr}`);
  return path;
}
