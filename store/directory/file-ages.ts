// How long ago files took on the state they have: whether somebody may still be writing them, and whether another state may look the
// same. On a file system that machines share their times are by another machine's clock: there it counts when a state was first seen.
import { type FileStamp, isSameStamp } from './manifest-file.ts';

/** Two changes within a tick of the kernel's clock (4 ms) cannot be told apart by a file's times; of FAT, served by whomever, in 2 s. */
const tickMs = { ours: 20, foreign: 2500 } as const;

export class FileAges {
  clock: keyof typeof tickMs = 'ours';
  readonly #seen = new Map<string, { readonly stamp: FileStamp; readonly at: number }>();

  /** Milliseconds, by the time that the kernel sets: the other one may be anything. Negative: it is in the future. */
  ageOf(path: string, stamp: FileStamp): number {
    if (this.clock === 'ours') return Date.now() - stamp.changedAt;
    const now = performance.now();
    const seen = this.#seen.get(path);
    if (seen !== undefined && isSameStamp(seen.stamp, stamp)) return now - seen.at;
    this.#seen.set(path, { stamp, at: now });
    return 0;
  }

  /** Whether at that age another state may have the same stamp. */
  isRacy(age: number): boolean {
    return age < tickMs[this.clock];
  }

  forget(path: string): void {
    this.#seen.delete(path);
  }
}
