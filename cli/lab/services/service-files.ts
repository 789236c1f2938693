// The service directory of a lab: reads what manifests are there, writes and removes those that the lab's own commands made. A file
// that somebody else put there is read like the others.
import { mkdirSync, readFileSync, renameSync, rmSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { parseAllDocuments } from 'yaml';
import { namesIn } from '../../../runtime/names-in.ts';
import { serviceDirectory } from '../lab-plan.ts';
import { type ServiceManifest, serviceManifest } from './service-manifest.ts';

/** Objects of all documents and lists of a text. What is no YAML gives none: the proxies report it. */
export function manifestsOf(text: string): readonly unknown[] {
  return parseAllDocuments(text).flatMap((document) => {
    if ('empty' in document || document.errors.length > 0) return [];
    const value: unknown = document.toJS({ maxAliasCount: 100 });
    return itemsOf(value);
  });
}

function itemsOf(value: unknown): readonly unknown[] {
  if (typeof value !== 'object' || value === null) return [];
  const list = 'items' in value && Array.isArray(value.items) ? value.items : undefined;
  return list === undefined ? [value] : list.flatMap(itemsOf);
}

/** The services of all files directly in the directory. */
export function readServices(lab: string): readonly ServiceManifest[] {
  const directory = serviceDirectory(lab);
  return namesIn(directory)
    .filter((name) => /\.(json|ya?ml)$/.test(name))
    .flatMap((name) => manifestsOf(readIfThere(join(directory, name))))
    .flatMap((object) => {
      const service = serviceManifest.safeParse(object);
      return service.success ? [service.data] : [];
    });
}

function readIfThere(path: string): string {
  try {
    return readFileSync(path, 'utf8');
  } catch {
    // It went between the listing and now.
    return '';
  }
}

/** The file of a service that a command of the lab made. A namespace has no ".", so two services never share one. */
export function serviceFile(lab: string, key: string): string {
  return join(serviceDirectory(lab), `${key.replace('/', '.')}.json`);
}

export function slicesFile(lab: string, key: string): string {
  return join(serviceDirectory(lab), 'endpoints', `${key.replace('/', '.')}.json`);
}

/** Written beside and renamed: a reader sees the old file or the new one. */
export function writeManifest(path: string, objects: readonly unknown[]): void {
  mkdirSync(dirname(path), { recursive: true, mode: 0o700 });
  // Names that begin with a dot are not manifests.
  const beside = join(dirname(path), `.${process.pid}.new`);
  writeFileSync(beside, manifestText(objects), { mode: 0o600 });
  renameSync(beside, path);
}

/** One object as it is, several as a list. */
export function manifestText(objects: readonly unknown[]): string {
  const value = objects.length === 1 ? objects[0] : { apiVersion: 'v1', kind: 'List', items: objects };
  return `${JSON.stringify(value, undefined, 2)}\n`;
}

export function removeManifest(path: string): void {
  rmSync(path, { force: true });
}
