// Network namespaces: hold one open, run synchronous code inside it, make and remove named ones. Not who uses them for what.
import { closeSync, fstatSync, mkdirSync, openSync, rmSync, stat, statfsSync, statSync } from 'node:fs';
import { dirname } from 'node:path';
import { isNotFound, KernelError } from './kernel-error.ts';
import * as libc from './libc.ts';

// The threads of libuv's pool start with its first task and keep the namespace of that moment for good. They must all be
// started before the main thread enters another namespace for the first time: libuv starts all of them, and waits for it, before
// this call returns.
stat('/', () => {});

const nsfsMagic = 0x6e736673;
const EINVAL = 22;

/** The namespace of the calling thread, opened once: `Netns.run` must find back. */
let home: number | undefined;

function homeDescriptor(): number {
  home ??= libc.open('/proc/thread-self/ns/net', 0);
  return home;
}

/** An open network namespace. Keeps it alive until `close()`. */
export class Netns implements Disposable {
  readonly path: string;
  readonly #fd: number;
  #open = true;

  private constructor(path: string, fd: number) {
    this.path = path;
    this.#fd = fd;
  }

  /**
   * Opens "/run/netns/NAME", "/proc/PID/ns/net" or the like. Throws KernelError: ENOENT when it is not there, EINVAL when
   * the path is not a namespace.
   */
  static open(path: string): Netns {
    const fd = libc.open(path, 0);
    if (statfsSync(`/proc/self/fd/${fd}`).type !== nsfsMagic) {
      libc.close(fd);
      throw new KernelError({
        operation: 'open network namespace',
        object: path,
        errno: EINVAL,
        kernelMessage: 'not a namespace',
      });
    }
    return new Netns(path, fd);
  }

  /** The namespace that this process works in. */
  static current(): Netns {
    return Netns.open('/proc/thread-self/ns/net');
  }

  /** Makes an empty namespace that no path leads to: it goes with this handle and what was started in it. Throws KernelError: EPERM. */
  static create(): Netns {
    const back = homeDescriptor();
    libc.unshare(libc.CLONE_NEWNET);
    try {
      return Netns.current();
    } finally {
      leaveTo(back);
    }
  }

  get fd(): number {
    if (!this.#open) throw new TypeError(`Cannot use namespace "${this.path}": it is closed`);
    return this.#fd;
  }

  /** Device and inode: two handles of one namespace have the same. */
  get identity(): string {
    const { dev, ino } = fstatSync(this.fd);
    return `${dev}:${ino}`;
  }

  equals(other: Netns): boolean {
    return this.identity === other.identity;
  }

  /**
   * Runs `action` with the thread inside the namespace. Only synchronous system calls belong in it: whatever is asynchronous
   * would run somewhere else, so a promise returned is an error. If there is no way back the process aborts.
   */
  run<T>(action: () => T): T {
    const back = homeDescriptor();
    libc.setns(this.fd, libc.CLONE_NEWNET);
    try {
      const result = action();
      if (isThenable(result)) throw new TypeError(`Cannot run asynchronous code in namespace "${this.path}"`);
      return result;
    } finally {
      leaveTo(back);
    }
  }

  close(): void {
    if (!this.#open) return;
    this.#open = false;
    libc.close(this.#fd);
  }

  [Symbol.dispose](): void {
    this.close();
  }
}

function isThenable(value: unknown): boolean {
  return typeof value === 'object' && value !== null && 'then' in value;
}

function leaveTo(back: number): void {
  try {
    libc.setns(back, libc.CLONE_NEWNET);
  } catch {
    // To go on in a stranger's namespace would program the wrong kernel state.
    process.abort();
  }
}

/** Makes an empty namespace and binds it to `path` ("/run/netns/NAME"), as `ip netns add` does. EEXIST when the path is taken. */
export function createNetns(path: string): void {
  const back = homeDescriptor();
  shareDirectory(dirname(path));
  closeSync(openSync(path, 'wx', 0o444));
  try {
    libc.unshare(libc.CLONE_NEWNET);
    try {
      libc.mount('/proc/thread-self/ns/net', path, libc.MS_BIND);
    } finally {
      leaveTo(back);
    }
  } catch (error) {
    rmSync(path, { force: true });
    throw error;
  }
}

/**
 * Makes the directory a shared mount, as the first `ip netns add` does. Were it done by that later, it would bind the directory
 * over itself with our handles in it: each would be mounted twice, below where no path leads, and could not be removed.
 */
function shareDirectory(directory: string): void {
  mkdirSync(directory, { recursive: true });
  try {
    libc.mount('', directory, libc.MS_SHARED | libc.MS_REC);
  } catch (error) {
    // EINVAL: no mount point yet.
    if (!(error instanceof KernelError && error.code === 'EINVAL')) throw error;
    libc.mount(directory, directory, libc.MS_BIND | libc.MS_REC);
    libc.mount('', directory, libc.MS_SHARED | libc.MS_REC);
  }
}

/** Unbinds and removes a namespace's path; the namespace goes when its last process and handle do. Nothing there is success. */
export function removeNetns(path: string): void {
  // More than once when somebody bound it again.
  while (unmount(path));
  try {
    rmSync(path, { force: true });
  } catch (cause) {
    // EBUSY: mounted still, where no path leads.
    throw new Error(
      `Cannot remove network namespace "${path}": it is in use (see "findmnt ${dirname(path)}")`,
      {
        cause,
      },
    );
  }
}

/** False when nothing is mounted there. */
function unmount(path: string): boolean {
  try {
    libc.umount(path);
    return true;
  } catch (error) {
    // EINVAL: a plain file, which is also what a crash leaves behind before the mount.
    if (isNotFound(error) || (error instanceof KernelError && error.code === 'EINVAL')) return false;
    throw error;
  }
}

/** True when `path` names a namespace at this moment. */
export function isNetns(path: string): boolean {
  try {
    return statSync(path).isFile() && statfsSync(path).type === nsfsMagic;
  } catch {
    return false;
  }
}
