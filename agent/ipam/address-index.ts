// What is known of the files of one network's directory, in memory. It reads nothing before an answer needs it: a process that
// lives for one call does without, the agent reads each file once. What the files say is reservation-files.ts's.
import type { ReservationFiles } from './reservation-files.ts';

/** `owner` is the text that the file had at `stamp`; undefined: it was not read yet. */
interface SeenFile {
  readonly owner: string | undefined;
  readonly stamp: string;
}

/**
 * All methods want the directory's lock to be held. After a stranger's change the names are listed again, and only what came
 * is read. That is not enough for a name that stayed: its address may have been given back and out again in between. So the
 * next question for an owner compares inode and time of each file with those of its reading, a stat(2) a file, and reads what
 * is another now; inode numbers come back, but not within the same tick of the clock in which we read the file before.
 *
 * The index may be behind in one case, a stranger's change within the clock tick of our own last one (a directory's time is
 * that coarse before Linux 6.13). So nothing relies on it alone: a file is made under a name that must be free, read again before
 * it is removed, and the names are listed again before an owner or a free address is said not to be there.
 */
export class AddressIndex {
  readonly #files: ReservationFiles;
  readonly #seen = new Map<string, SeenFile>();
  readonly #addresses = new Map<string, Set<string>>();
  /** That of the directory when the names of `#seen` were all; undefined: it was never listed. */
  #stamp: string | undefined;
  /** True while the names of `#seen` are all. */
  #isListed = false;
  /** True while each file of `#seen` was read. */
  #isRead = false;
  /** True when names that stayed may have changed hands. */
  #isDoubtful = false;

  constructor(files: ReservationFiles) {
    this.#files = files;
  }

  /** To be called first under each lock. */
  refresh(): void {
    if (this.#stamp === undefined) return;
    this.#isListed = this.#stamp === this.#files.directoryStamp();
    if (!this.#isListed) this.#isDoubtful = true;
  }

  /** To be called last under each lock: our own changes are no reason to list the names again. */
  settle(): void {
    if (this.#isListed) this.#stamp = this.#files.directoryStamp();
  }

  /** Undefined when the directory would have to be listed to know it. */
  isTaken(address: string): boolean | undefined {
    return this.#isListed ? this.#seen.has(address) : undefined;
  }

  /** Lists the directory, whatever is known. Reads no file. */
  listNames(): void {
    const names = new Set(this.#files.addresses());
    for (const address of [...this.#seen.keys()]) if (!names.has(address)) this.remove(address);
    for (const address of names) {
      if (this.#seen.has(address)) continue;
      this.#seen.set(address, { owner: undefined, stamp: '' });
      this.#isRead = false;
    }
    this.#stamp = this.#files.directoryStamp();
    this.#isListed = true;
  }

  /** The addresses whose files say one of these texts. */
  addressesOf(texts: readonly string[]): readonly string[] {
    this.#readFiles();
    return texts.flatMap((text) => [...(this.#addresses.get(text) ?? [])]);
  }

  /** Owner's text -> its addresses. */
  entries(): readonly (readonly [owner: string, addresses: readonly string[]])[] {
    this.#readFiles();
    return [...this.#addresses].map(([owner, addresses]) => [owner, [...addresses]]);
  }

  #readFiles(): void {
    if (!this.#isListed) this.listNames();
    if (this.#isRead && !this.#isDoubtful) return;
    for (const [address, { owner, stamp }] of [...this.#seen]) {
      if (owner !== undefined && !this.#isDoubtful) continue;
      const now = this.#files.stampOf(address);
      if (owner !== undefined && stamp === now) continue;
      const text = this.#files.readOwner(address);
      if (text === undefined) this.remove(address);
      else this.#see(address, { owner: text, stamp: now });
    }
    this.#isRead = true;
    this.#isDoubtful = false;
  }

  set(address: string, owner: string): void {
    this.#see(address, { owner, stamp: this.#files.stampOf(address) });
  }

  #see(address: string, file: { readonly owner: string; readonly stamp: string }): void {
    this.remove(address);
    this.#seen.set(address, file);
    if (file.owner === '') return;
    const addresses = this.#addresses.get(file.owner);
    if (addresses === undefined) this.#addresses.set(file.owner, new Set([address]));
    else addresses.add(address);
  }

  remove(address: string): void {
    const owner = this.#seen.get(address)?.owner;
    this.#seen.delete(address);
    if (owner === undefined) return;
    const addresses = this.#addresses.get(owner);
    addresses?.delete(address);
    if (addresses?.size === 0) this.#addresses.delete(owner);
  }
}
