// Installs a release on a node and takes an installation away again. What that is, plan-install.ts knows; here it is looked up, done,
// recorded and told to systemd.
import { existsSync } from 'node:fs';
import { basename } from 'node:path';
import { errorMessage } from '../../runtime/error-text.ts';
import { wantedState } from './item.ts';
import { NodeRoot } from './node-root.ts';
import { planInstall, planUninstall } from './plan-install.ts';
import { type InstallRecord, readRecord, recordPath, removeRecord, writeRecord } from './record.ts';
import { currentLink, dpkgMark, itemsOf, type Layout, openRelease, releasesDirectory } from './release.ts';
import type { ServiceManager } from './service-manager.ts';
import { type InstallStep, stepText } from './step.ts';

export interface InstallReport {
  readonly version: string;
  /** What was done (with `dryRun`: would be), as commands. */
  readonly done: readonly string[];
  /** What stays as it is on purpose, and why. */
  readonly left: readonly string[];
}

export interface RunOptions {
  readonly root: string;
  /** Say what would be done, and do nothing. */
  readonly dryRun: boolean;
  /** Undefined where none runs. Asked only when the root is this machine's own. */
  readonly services: ServiceManager | undefined;
}

export interface RunInstallOptions extends RunOptions, Layout {
  /** The release's. */
  readonly directory: string;
  /** Restart the daemons that run, so that they are of the new version. */
  readonly restart: boolean;
}

/** Throws when a step fails; what was done by then is recorded, and the next run goes on from there. */
export async function runInstall(options: RunInstallOptions): Promise<InstallReport> {
  const { dryRun, pluginOnly } = options;
  const root = openRoot(options.root);
  const release = openRelease(options.directory);
  const { version } = release;
  const record = readRecord(root.at(recordPath));
  const previous = previousVersion(root, { version, record });
  const keep = new Set([previous, version].map((name) => `${releasesDirectory}/${name}`));
  const {
    steps: planned,
    left,
    before,
    after,
  } = planInstall(
    {
      version,
      items: itemsOf(release, options),
      record,
      previous,
      // The container of an agent brings the plugin of its version; what else is installed is not its business.
      keeps: ({ path, kind }) => (kind === 'tree' ? keep.has(path) : pluginOnly),
    },
    { found: (path, as) => root.found(path, as), wanted: wantedState },
  );
  const steps = [...leftovers(root), ...planned];
  const changed = steps.length > 0 || JSON.stringify(after) !== JSON.stringify(record);
  if (changed && !dryRun) {
    writeRecord(root.at(recordPath), before);
    for (const step of steps) root.do(step);
    writeRecord(root.at(recordPath), after);
  }
  const told = await tellServices(steps, {
    ...options,
    services: root.isMachine ? options.services : undefined,
  });
  return { version, done: [...steps.map(stepText), ...told], left };
}

/** Undefined when nothing was installed. */
export async function runUninstall(options: RunOptions): Promise<InstallReport | undefined> {
  const { dryRun } = options;
  const root = openRoot(options.root);
  const record = readRecord(root.at(recordPath));
  if (record === undefined) return undefined;
  const done: string[] = [];
  const services = root.isMachine ? options.services : undefined;
  const hasUnits = Object.keys(record.items).some((path) => path.endsWith('.service'));
  if (services !== undefined && hasUnits) {
    done.push('systemctl disable --now netloom.service netloom-agent.service netloom-proxy.service');
    if (!dryRun) await services.disable();
  }
  const { steps, left } = planUninstall(record, { found: (path, as) => root.found(path, as) });
  const cache = '/var/cache/netloom';
  const all: readonly InstallStep[] = [
    ...(root.found(cache, 'directory') === undefined ? [] : [{ kind: 'remove', path: cache } as const]),
    ...leftovers(root),
    ...steps.filter(({ kind }) => kind === 'remove'),
  ];
  for (const step of all) {
    if (!dryRun) root.do(step);
    done.push(stepText(step));
  }
  if (!dryRun) removeRecord(root.at(recordPath));
  // The record lies in one of them.
  for (const step of steps.filter(({ kind }) => kind === 'remove-directory')) {
    if (dryRun || root.do(step)) done.push(stepText(step));
  }
  if (services !== undefined && hasUnits && !dryRun) await services.reload();
  const made = '/var/lib/netloom/made.json';
  const rest =
    root.found(made, 'file') === undefined
      ? []
      : [`${made}: what the agent made on the node is still there; netloom cleanup takes it away`];
  return { version: record.version, done, left: [...left, ...rest] };
}

/** Of an installation that was killed while it copied a release. */
function leftovers(root: NodeRoot): readonly InstallStep[] {
  return root
    .names(releasesDirectory)
    .filter((name) => /^\.\d.*\.[A-Za-z0-9]{6}$/.test(name))
    .map((name) => ({ kind: 'remove', path: `${releasesDirectory}/${name}` }));
}

function openRoot(directory: string): NodeRoot {
  const root = new NodeRoot(directory);
  if (existsSync(root.at(dpkgMark)))
    throw new Error(
      `Cannot change "${releasesDirectory}": it belongs to the Debian package; use apt or dpkg`,
    );
  return root;
}

/** The one that the node goes by until now; on a repeated installation, the one before it still. */
function previousVersion(
  root: NodeRoot,
  { version, record }: { readonly version: string; readonly record: InstallRecord | undefined },
): string | undefined {
  const current = root.found(currentLink, 'link')?.replace(/^link /, '');
  if (current === undefined || current === version) return record?.previous;
  return root.names(releasesDirectory).includes(basename(current)) ? basename(current) : undefined;
}

async function tellServices(
  steps: readonly InstallStep[],
  { services, dryRun, restart }: Pick<RunInstallOptions, 'services' | 'dryRun' | 'restart'>,
): Promise<readonly string[]> {
  if (services === undefined) return [];
  const done: string[] = [];
  const touched = steps.map((step) => (step.kind === 'put' ? step.item.path : step.path));
  if (touched.some((path) => path.endsWith('.service'))) {
    done.push('systemctl daemon-reload');
    if (!dryRun) await services.reload();
  }
  const isNew = touched.some((path) => path === currentLink || path.startsWith(`${releasesDirectory}/`));
  if (!restart || !isNew) return done;
  for (const unit of await services.active()) {
    done.push(`systemctl restart ${unit}`);
    if (!dryRun) await restartOne(unit, services);
  }
  return done;
}

async function restartOne(unit: string, services: ServiceManager): Promise<void> {
  try {
    await services.restart(unit);
  } catch (error) {
    throw new Error(
      `The new version is installed, but ${unit} does not start: ${errorMessage(error)}. The one before is in "${releasesDirectory}": its scripts/netloom install goes back`,
      { cause: error },
    );
  }
}
