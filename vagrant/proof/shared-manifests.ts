// The manifests that a proof shares with the machines: one file of its own in their service directory.
import { chmodSync, readFileSync, renameSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { manifestsOf } from '../../cli/lab/services/service-files.ts';
import { type ServiceManifest, serviceManifest } from '../../cli/lab/services/service-manifest.ts';
import { namesIn } from '../../runtime/names-in.ts';

const own = 'vagrant-check.json';

/** Services of others, whose addresses and ports are taken. */
export function servicesThere(directory: string): readonly ServiceManifest[] {
  return namesIn(directory)
    .filter((name) => name !== own && /\.(json|ya?ml)$/.test(name))
    .flatMap((name) => manifestsOf(readFileSync(join(directory, name), 'utf8')))
    .flatMap((object) => {
      const service = serviceManifest.safeParse(object);
      return service.success ? [service.data] : [];
    });
}

/** Written beside and renamed: a machine reads the old objects or the new ones. Without any the file goes. */
export function writeShared(directory: string, objects: readonly unknown[]): void {
  const path = join(directory, own);
  if (objects.length === 0) {
    rmSync(path, { force: true });
    return;
  }
  // Names that begin with a dot are not manifests.
  const beside = join(directory, `.${own}.new`);
  writeFileSync(beside, JSON.stringify({ apiVersion: 'v1', kind: 'List', items: objects }));
  // The machines' QEMU processes may run as another user.
  chmodSync(beside, 0o644);
  renameSync(beside, path);
}
