// The files of a directory of manifests, at any depth: what is there, and what of it has to be read again. When to look is decided in
// service-directory.ts, what counts of it in service-index.ts.
import { hash } from 'node:crypto';
import { lstatSync, statSync } from 'node:fs';
import { readdir } from 'node:fs/promises';
import { basename } from 'node:path';
import { Breather } from '../breather.ts';
import { parseManifestSteps } from '../kubernetes/parse-manifests.ts';
import type { StoreProblem } from '../lease-store.ts';
import type { ServiceIndex } from '../service-index.ts';
import { errnoOf } from './errno.ts';
import { FileAges } from './file-ages.ts';
import { type FileStamp, readManifestFile } from './manifest-file.ts';
import { enterFolder, type Folder, folderOf } from './service-folders.ts';

/** A file that was written to less than this ago may not be whole yet; milliseconds. */
export const usualSettleMs = 50;

/** Hidden files are editors' and Kubernetes' own. */
const manifestName = /^[^.].*\.(?:ya?ml|json)$/;

/** A file as it was read last. */
interface FileState {
  /** Undefined: it could not be read. */
  readonly stamp: FileStamp | undefined;
  /** Whether another state may have the same stamp. */
  readonly isRacy: boolean;
  /** Of its text, where that will be read again for nothing but this. */
  readonly digest?: string;
}

/** What to look at: paths from the directory on, the directory itself being "". */
export interface ServiceWork {
  /** Folders with all that is below them. */
  readonly trees: ReadonlySet<string>;
  /** Folders' own entries. */
  readonly folders: ReadonlySet<string>;
  /** Files, or what may be folders now. */
  readonly paths: ReadonlySet<string>;
}

interface LookOptions {
  /** Also at folders below that are known. */
  readonly isDeep: boolean;
}

export interface ServiceFilesOptions {
  readonly directory: string;
  readonly index: ServiceIndex;
  /** False: what is there now is taken as it is, as there will not be another look. */
  readonly isPatient?: boolean;
  /** `usualSettleMs` unless given. */
  readonly settleMs?: number | undefined;
}

export class ServiceFiles {
  readonly ages = new FileAges();
  readonly #directory: string;
  readonly #index: ServiceIndex;
  readonly #isPatient: boolean;
  readonly #settleMs: number;
  readonly #files = new Map<string, FileState>();
  readonly #folders = new Map<string, Folder>();
  readonly #problems = new Map<string, string>();
  readonly #breather = new Breather();
  #unsettled = new Set<string>();
  #contentsMs = 0;
  /** Since when the directory is gone, while what was in it is kept. */
  #missingSince: number | undefined;

  constructor({ directory, index, isPatient = true, settleMs = usualSettleMs }: ServiceFilesOptions) {
    this.#directory = directory;
    this.#index = index;
    this.#isPatient = isPatient;
    this.#settleMs = settleMs;
  }

  /** By path. Those that can be watched. */
  get folders(): ReadonlyMap<string, Omit<Folder, 'children'>> {
    return this.#folders;
  }

  /** Files and folders that cannot be read. */
  get problems(): readonly StoreProblem[] {
    return [...this.#problems]
      .sort(([one], [other]) => (one < other ? -1 : 1))
      .map(([path, message]) => ({ object: this.pathOf(path), message }));
  }

  pathOf(path: string): string {
    // node:path would look at every character, which for 50,000 files costs more than to open them.
    return path === '' ? this.#directory : `${this.#directory}/${path}`;
  }

  /** A look that is going on ends at once, in the middle; there will be no other. */
  stop(): void {
    this.#breather.stop();
  }

  /** How long the last look was about what changed files say: that is not done again with the next one. */
  get contentsMs(): number {
    return this.#contentsMs;
  }

  /** Brings the index to what is there. Gives the paths that are being written: to be looked at again after that time. */
  async look({ trees, folders, paths }: ServiceWork): Promise<ReadonlySet<string>> {
    this.#unsettled = new Set();
    this.#contentsMs = 0;
    if (trees.has('')) {
      await this.#lookAtFolder('', { isDeep: true });
      return this.#unsettled;
    }
    for (const path of [...trees].sort()) await this.#lookAtFolder(path, { isDeep: true });
    for (const path of [...folders].sort()) {
      if (!trees.has(path)) await this.#lookAtFolder(path, { isDeep: false });
    }
    for (const path of paths) {
      // What is in no folder that we know is found when that is looked at.
      const folder = this.#folders.get(folderOf(path));
      if (path === '') await this.#lookAtFolder(path, { isDeep: true });
      else if (folder !== undefined) {
        if (await this.#lookAt(path, { isDeep: true })) folder.children.add(path);
        else folder.children.delete(path);
      }
    }
    return this.#unsettled;
  }

  async #lookAtFolder(path: string, { isDeep }: LookOptions): Promise<void> {
    const known = this.#folders.get(path);
    const folder = enterFolder(path, { fullPath: this.pathOf(path), folders: this.#folders });
    if (folder === 'missing') return path === '' ? this.#missing() : this.#forget(path);
    if ('reason' in folder) {
      this.#problems.set(path, `Cannot read "${this.pathOf(path)}": ${folder.reason}`);
      return;
    }
    this.#missingSince = undefined;
    this.#folders.set(path, folder);
    let names: readonly string[];
    try {
      names = (await readdir(this.pathOf(path))).sort();
    } catch (error) {
      // It goes this very moment, or it may not be read: the last state stays.
      this.#problems.set(path, `Cannot list "${this.pathOf(path)}": ${errnoOf(error) ?? String(error)}`);
      if (errnoOf(error) === 'ENOENT') this.#unsettled.add(path);
      return;
    }
    this.#problems.delete(path);
    const isOther = known?.realPath !== folder.realPath;
    const children = new Set<string>();
    for (const name of names) {
      if (name.startsWith('.')) continue;
      const child = path === '' ? name : `${path}/${name}`;
      if (await this.#lookAt(child, { isDeep: isDeep || isOther })) children.add(child);
    }
    for (const child of folder.children) if (!children.has(child)) await this.#forget(child);
    folder.children = children;
  }

  /** Looks at what may be a file of manifests or a folder; false when it is neither. */
  async #lookAt(path: string, { isDeep }: LookOptions): Promise<boolean> {
    if (this.#breather.isDue) await this.#breather.breathe();
    const isManifest = manifestName.test(basename(path));
    const isFolder = this.#folders.has(path);
    if (isFolder || !isManifest) {
      const kind = this.#kindOf(path);
      if (kind === 'folder' && (isDeep || !isFolder)) await this.#lookAtFolder(path, { isDeep: true });
      if (kind === 'folder' || kind === 'unknown') return isFolder || kind === 'folder';
      if (isFolder) await this.#forget(path);
    }
    return isManifest ? this.#lookAtFile(path) : false;
  }

  async #lookAtFile(path: string): Promise<boolean> {
    const state = this.#files.get(path);
    const file = await readManifestFile(this.pathOf(path), {
      known: state?.isRacy ? undefined : state?.stamp,
      isYoung: (stamp) => this.#isYoung(path, stamp),
    });
    switch (file.kind) {
      case 'same':
        return true;
      case 'folder':
        await this.#forget(path);
        await this.#lookAtFolder(path, { isDeep: true });
        return true;
      case 'missing':
        await this.#forget(path);
        if (!this.#isLink(path)) return false;
        this.#problems.set(path, `Cannot read "${this.pathOf(path)}": it links to nothing`);
        return true;
      case 'growing':
        this.#unsettled.add(path);
        return true;
      case 'failed':
        if (file.stamp !== undefined && this.#isYoung(path, file.stamp)) this.#unsettled.add(path);
        else {
          this.#files.set(path, { stamp: file.stamp, isRacy: false });
          this.#problems.set(path, `Cannot read "${this.pathOf(path)}": ${file.reason}`);
        }
        return true;
      case 'text':
        await this.#take(path, file);
        return true;
      default:
        return file satisfies never;
    }
  }

  async #take(
    path: string,
    { text, stamp }: { readonly text: string; readonly stamp: FileStamp },
  ): Promise<void> {
    const age = this.ages.ageOf(path, stamp);
    const isNew = this.#isYoung(path, stamp);
    const isRacy = this.ages.isRacy(age);
    const before = this.#files.get(path);
    const digest = isRacy || before?.digest !== undefined ? hash('sha1', text) : undefined;
    const state = { stamp, isRacy, ...(isRacy && digest !== undefined ? { digest } : {}) };
    if (digest !== undefined && before?.digest === digest) {
      this.#files.set(path, state);
      return;
    }
    if (isNew && mayBePart(text, { stamp, last: this.#files.get(path)?.stamp })) {
      this.#unsettled.add(path);
      return;
    }
    const startedAt = performance.now();
    const parsed = await this.#run(parseManifestSteps(text, { file: this.pathOf(path) }));
    if (isNew && !parsed.whole) {
      this.#unsettled.add(path);
      return;
    }
    await this.#run(this.#index.setFile(path, parsed));
    this.#contentsMs += performance.now() - startedAt;
    this.#files.set(path, state);
    this.#problems.delete(path);
  }

  /** The directory itself: between two names of it, as when it is replaced, nothing is forgotten. */
  async #missing(): Promise<void> {
    this.#problems.set('', `Cannot read "${this.#directory}": there is no such directory`);
    this.#missingSince ??= performance.now();
    if (performance.now() - this.#missingSince < this.#settleMs && this.#folders.has('')) {
      this.#unsettled.add('');
      return;
    }
    const children = this.#folders.get('')?.children ?? [];
    this.#folders.delete('');
    for (const child of children) await this.#forget(child);
  }

  async #forget(path: string): Promise<void> {
    this.#problems.delete(path);
    this.ages.forget(path);
    if (this.#files.delete(path)) await this.#run(this.#index.removeFile(path));
    const folder = this.#folders.get(path);
    if (folder === undefined) return;
    this.#folders.delete(path);
    for (const child of folder.children) await this.#forget(child);
  }

  async #run<Result>(steps: Generator<undefined, Result>): Promise<Result> {
    for (;;) {
      if (this.#breather.isDue) await this.#breather.breathe();
      const step = steps.next();
      if (step.done) return step.value;
    }
  }

  #kindOf(path: string): 'folder' | 'other' | 'missing' | 'unknown' {
    try {
      const stats = statSync(this.pathOf(path), { throwIfNoEntry: false });
      if (stats === undefined) return 'missing';
      return stats.isDirectory() ? 'folder' : 'other';
    } catch {
      return 'unknown';
    }
  }

  #isYoung(path: string, stamp: FileStamp): boolean {
    const age = this.ages.ageOf(path, stamp);
    return this.#isPatient && age >= 0 && age < this.#settleMs;
  }

  #isLink(path: string): boolean {
    return lstatSync(this.pathOf(path), { throwIfNoEntry: false })?.isSymbolicLink() ?? false;
  }
}

/**
 * Whether a text may be the first part of a longer one, though it can be read: YAML can be cut at any line. JSON cannot. A file that
 * is written in place grows, so that being smaller than before says the same.
 */
function mayBePart(
  text: string,
  { stamp, last }: { readonly stamp: FileStamp; readonly last: FileStamp | undefined },
): boolean {
  if (/^\s*[[{]/.test(text)) return false;
  return !text.endsWith('\n') || (last?.inode === stamp.inode && stamp.size < last.size);
}
