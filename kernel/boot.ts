// Which run of the kernel this is and when it began: what was made under another one is gone. The same in every namespace.
import { readFileSync } from 'node:fs';

let id: string | undefined;

/** A UUID that the kernel draws when it starts. */
export function bootId(): string {
  id ??= readFileSync('/proc/sys/kernel/random/boot_id', 'latin1').trim();
  return id;
}

/**
 * Milliseconds since 1970, to the second. By the clock of now: a clock that was set since moves it, and what was written
 * before that bears another time.
 */
export function bootTime(): number {
  const seconds = /^btime (\d+)$/m.exec(readFileSync('/proc/stat', 'latin1'))?.[1];
  if (seconds === undefined)
    throw new Error('Cannot read the time of the start from "/proc/stat": no "btime"');
  return Number(seconds) * 1000;
}
