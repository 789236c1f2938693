// Network configuration lists as runtimes find them in /etc/cni/net.d (containernetworking/cni, libcni/conf.go): read, and the
// version chosen that is spoken with the plugins. What a plugin's own part says is the plugin's business.
import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { z } from 'zod';
import { supportedVersions } from '../../cni/versions.ts';

/** Refuses "../../sbin/reboot" (CVE-2021-20206). */
const pluginShape = z.looseObject({ type: z.string().regex(/^[A-Za-z0-9._-]+$/) });
const listShape = z.looseObject({
  name: z.string(),
  cniVersion: z.string().optional(),
  cniVersions: z.array(z.string()).optional(),
  disableCheck: z.boolean().optional(),
  disableGC: z.boolean().optional(),
  plugins: z.array(pluginShape).min(1),
});

export type PluginConfig = Readonly<Record<string, unknown>>;

export interface ConfigList {
  readonly name: string;
  /** The one that plugins are spoken to in. */
  readonly cniVersion: string;
  readonly plugins: readonly PluginConfig[];
  readonly disableCheck?: boolean | undefined;
  readonly disableGC?: boolean | undefined;
}

/** What a runtime speaks that knows no more than we do, oldest first. */
const spokenVersions: readonly string[] = ['0.1.0', '0.2.0', ...supportedVersions];

/** Throws Error that names `source` when the text is no list, and when there is no version in it that we speak. */
export function parseConfigList(text: string, source: string): ConfigList {
  const { cniVersion = '0.1.0', cniVersions = [], ...list } = decode(text, source);
  const chosen = highest([cniVersion, ...cniVersions]);
  if (chosen === undefined)
    throw new Error(`Cannot use "${source}": none of its versions is spoken here: ${cniVersion}`);
  return { ...list, cniVersion: chosen };
}

function decode(text: string, source: string): z.infer<typeof listShape> {
  try {
    return listShape.parse(JSON.parse(text));
  } catch (cause) {
    throw new Error(`Cannot read "${source}": it is no CNI configuration list`, { cause });
  }
}

function highest(versions: readonly string[]): string | undefined {
  return spokenVersions.findLast((version) => versions.includes(version));
}

export function isVersionAtLeast(version: string, other: string): boolean {
  return spokenVersions.indexOf(version) >= spokenVersions.indexOf(other);
}

/** The lexically first `*.conflist`, as containerd takes it. Throws Error when there is none. */
export function readConfigList(directory: string): ConfigList {
  const [name] = readdirSync(directory)
    .filter((file) => file.endsWith('.conflist'))
    .sort();
  if (name === undefined)
    throw new Error(`There is no conflist in "${directory}": the agent has not installed it`);
  const path = join(directory, name);
  return parseConfigList(readFileSync(path, 'utf8'), path);
}
