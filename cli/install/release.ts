// A release: the directory that scripts/release makes and this program runs from, and what of it goes where on a node.
import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { z } from 'zod';
import { errorMessage } from '../../runtime/error-text.ts';
import type { Item } from './item.ts';

/** Versions lie side by side here, and `current` names one. The launcher has this path in it (scripts/release). */
export const releasesDirectory = '/opt/netloom';
export const currentLink = `${releasesDirectory}/current`;
/** Laid down by the Debian package: its files are dpkg's. */
export const dpkgMark = `${releasesDirectory}/installed-by-dpkg`;
export const units: readonly string[] = ['netloom.service', 'netloom-agent.service', 'netloom-proxy.service'];

export interface Release {
  readonly version: string;
  readonly directory: string;
}

const shape = z.object({ name: z.literal('netloom'), version: z.string().regex(/^\d[0-9A-Za-z.+~]*$/) });

/** Throws for a directory that is none, such as a checkout. */
export function openRelease(directory: string): Release {
  if (!existsSync(join(directory, 'share/netloom.yaml')))
    throw new Error(
      `Cannot install from "${directory}": that is no release but a checkout; scripts/package makes what can be installed`,
    );
  try {
    const { version } = shape.parse(JSON.parse(readFileSync(join(directory, 'package.json'), 'utf8')));
    return { version, directory };
  } catch (error) {
    throw new Error(`Cannot read the release in "${directory}": ${errorMessage(error)}`, { cause: error });
  }
}

export interface Layout {
  /** The plugin, and what it runs when there is no agent: for nodes whose agent is a container. */
  readonly pluginOnly: boolean;
  /** Where container runtimes look for plugins. */
  readonly cniBinDirectory: string;
}

/** In the order in which they are made: the daemons' link last, when all that it leads to is there. */
export function itemsOf(
  { version, directory }: Release,
  { pluginOnly, cniBinDirectory }: Layout,
): readonly Item[] {
  const share = join(directory, 'share');
  const launcher = join(directory, 'build/netloom-cni');
  const plugin: Item = existsSync(launcher)
    ? { kind: 'file', path: join(cniBinDirectory, 'netloom-cni'), source: launcher }
    : {
        kind: 'link',
        path: join(cniBinDirectory, 'netloom-cni'),
        target: `${currentLink}/scripts/netloom-cni`,
      };
  const current: Item = { kind: 'link', path: currentLink, target: version };
  const release: Item = { kind: 'tree', path: join(releasesDirectory, version), source: directory };
  if (pluginOnly) return [release, current, plugin];
  return [
    release,
    { kind: 'directory', path: '/etc/cni/net.d' },
    // Where leases and services are looked for, unless settings say otherwise.
    { kind: 'directory', path: '/var/lib/netloom/leases' },
    { kind: 'directory', path: '/var/lib/netloom/services' },
    {
      kind: 'file',
      path: '/etc/netloom/netloom.yaml',
      source: join(share, 'netloom.yaml'),
      configuration: true,
    },
    ...units.map(
      (unit): Item => ({
        kind: 'file',
        path: `/etc/systemd/system/${unit}`,
        source: join(share, 'systemd', unit),
      }),
    ),
    ...manuals(share),
    {
      kind: 'file',
      path: '/usr/local/share/bash-completion/completions/netloom',
      source: join(share, 'completions/netloom.bash'),
    },
    { kind: 'link', path: '/usr/local/bin/netloom', target: `${currentLink}/scripts/netloom` },
    current,
    plugin,
  ];
}

function manuals(share: string): readonly Item[] {
  return ['man5', 'man8'].flatMap((section) =>
    readdirSync(join(share, 'man', section))
      .sort()
      .map(
        (name): Item => ({
          kind: 'file',
          path: `/usr/local/share/man/${section}/${name}`,
          source: join(share, 'man', section, name),
        }),
      ),
  );
}
