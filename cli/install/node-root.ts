// Paths of a node below --root, which may be another machine's file system: no path may lead out of it. And the steps done there.
import {
  chmodSync,
  copyFileSync,
  cpSync,
  existsSync,
  lstatSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  realpathSync,
  renameSync,
  rmdirSync,
  rmSync,
  symlinkSync,
} from 'node:fs';
import { basename, dirname, join } from 'node:path';
import { errorCode } from '../../runtime/error-text.ts';
import { foundState, type Item, ownCache } from './item.ts';
import type { InstallStep } from './step.ts';

export class NodeRoot {
  /** Without links, and without a slash at its end: "" for the machine's own. */
  readonly #root: string;

  /** Throws when there is no such directory. */
  constructor(directory: string) {
    const real = realpathSync(directory);
    if (!lstatSync(real).isDirectory())
      throw new TypeError(`Cannot install below "${directory}": it is no directory`);
    this.#root = real === '/' ? '' : real;
  }

  /** It is the machine that this program runs on. */
  get isMachine(): boolean {
    return this.#root === '';
  }

  /** Where the path is for this process. Throws when a link in between leads out of the root; the last part may be a link. */
  at(path: string): string {
    let parent = dirname(join(this.#root, path));
    while (!existsSync(parent)) parent = dirname(parent);
    const real = realpathSync(parent);
    if (real !== this.#root && !real.startsWith(`${this.#root}/`))
      throw new Error(`Cannot install "${path}": below "${this.#root}" a link leads out of it, to "${real}"`);
    return join(this.#root, path);
  }

  found(path: string, as: Item['kind']): string | undefined {
    return foundState(this.at(path), as);
  }

  /** True when it changed something. */
  do(step: InstallStep): boolean {
    switch (step.kind) {
      case 'make-directory':
        mkdirSync(this.at(step.path), { recursive: true, mode: 0o755 });
        // Whatever the umask is.
        chmodSync(this.at(step.path), 0o755);
        return true;
      case 'put':
        this.#put(step.item);
        return true;
      case 'remove':
        rmSync(this.at(step.path), { recursive: true, force: true });
        return true;
      case 'remove-directory':
        return removeIfEmpty(this.at(step.path));
      default:
        return step satisfies never;
    }
  }

  /** Made beside and renamed: whoever opens the path meanwhile gets the old one or the new one, and a program that runs stays. */
  #put(item: Exclude<Item, { kind: 'directory' }>): void {
    const path = this.at(item.path);
    const work = mkdtempSync(join(dirname(path), `.${basename(path)}.`));
    const made = join(work, 'made');
    try {
      switch (item.kind) {
        case 'link':
          symlinkSync(item.target, made);
          break;
        case 'file':
          copyFileSync(item.source, made);
          chmodSync(made, lstatSync(item.source).mode & 0o111 ? 0o755 : 0o644);
          break;
        case 'tree':
          cpSync(item.source, made, {
            recursive: true,
            preserveTimestamps: true,
            verbatimSymlinks: true,
            filter: (source) => basename(source) !== ownCache,
          });
          // A directory cannot be renamed over one that has something in it.
          if (existsSync(path)) renameSync(path, join(work, 'old'));
          break;
        default:
          item satisfies never;
      }
      renameSync(made, path);
    } finally {
      rmSync(work, { recursive: true, force: true });
    }
  }

  /** Names in a directory; none when it is not there. */
  names(path: string): readonly string[] {
    try {
      return readdirSync(this.at(path));
    } catch (error) {
      if (errorCode(error) === 'ENOENT') return [];
      throw error;
    }
  }
}

function removeIfEmpty(path: string): boolean {
  try {
    rmdirSync(path);
    return true;
  } catch (error) {
    if (['ENOTEMPTY', 'EEXIST', 'ENOENT', 'EBUSY'].includes(errorCode(error) ?? '')) return false;
    throw error;
  }
}
