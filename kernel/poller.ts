// Waits for many descriptors in one thread of the pool and calls back on the main thread. It does not read them.
import * as libc from './libc.ts';

const entrySize = 8;

/** How long one wait may last: it bounds how long a poller that is not closed can keep the process from ending. */
const longestWait = 1000;

/**
 * One for a process: each wait occupies a thread of libuv's pool (of four), however many descriptors it covers, and keeps the
 * process alive; without any there is no wait.
 * Callbacks must read their descriptor until it is empty, or they are called again at once.
 */
export class Poller {
  readonly #watched = new Map<number, () => void>();
  readonly #wake = libc.eventfd();
  #loop: Promise<void> | undefined;
  #closed = false;

  /** Calls `onReadable` each time `fd` can be read. Returns how to stop that. */
  watch(fd: number, onReadable: () => void): () => void {
    if (this.#closed) throw new TypeError(`Cannot watch descriptor ${fd}: the poller is closed`);
    if (this.#watched.has(fd)) throw new TypeError(`Cannot watch descriptor ${fd} twice`);
    this.#watched.set(fd, onReadable);
    libc.signalEventfd(this.#wake);
    this.#loop ??= this.#run();
    return () => {
      this.#watched.delete(fd);
      if (!this.#closed) libc.signalEventfd(this.#wake);
    };
  }

  /** Stops the wait; resolves when the pool's thread is free and no callback will come any more. */
  async close(): Promise<void> {
    if (this.#closed) return;
    this.#closed = true;
    libc.signalEventfd(this.#wake);
    await this.#loop;
    libc.close(this.#wake);
  }

  async #run(): Promise<void> {
    while (!this.#closed && this.#watched.size > 0) {
      const watched = [...this.#watched];
      const entries = Buffer.alloc((watched.length + 1) * entrySize);
      entries.writeInt32LE(this.#wake, 0);
      entries.writeInt16LE(libc.POLLIN, 4);
      watched.forEach(([fd], i) => {
        entries.writeInt32LE(fd, (i + 1) * entrySize);
        entries.writeInt16LE(libc.POLLIN, (i + 1) * entrySize + 4);
      });
      const ready = await libc.poll(entries, longestWait);
      if (entries.readInt16LE(6) !== 0) libc.clearEventfd(this.#wake);
      if (ready <= 0 || this.#closed) continue;
      watched.forEach(([fd, onReadable], i) => {
        // POLLIN, or POLLERR for a netlink socket that lost messages: reading it tells.
        const woken = entries.readInt16LE((i + 1) * entrySize + 6) !== 0;
        if (woken && this.#watched.get(fd) === onReadable) onReadable();
      });
    }
    this.#loop = undefined;
  }
}
