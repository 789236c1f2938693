// Who has which address of one network's directory, in memory: so that neither the next free address nor a container's own
// costs a look at every file. It is refreshed when the directory was changed by somebody else.
import { readdirSync, readFileSync, statSync } from 'node:fs';
import { join } from 'node:path';
import { IpAddress } from '../../net/address.ts';
import { errorCode } from '../../runtime/error-text.ts';
import { readOwnerText } from './reservation.ts';

/**
 * All methods want the directory's lock to be held. The index may be behind in one case, a stranger's change within the clock
 * tick of our own last one (file times are that coarse before Linux 6.13). So nothing relies on it alone: a file is made with
 * O_EXCL semantics, read again before it is removed, and an owner that seems unknown is looked for again (`readNewFiles`).
 */
export class AddressIndex {
  readonly #directory: string;
  /** Address -> text of its owner; empty when it has none. */
  readonly #owners = new Map<string, string>();
  readonly #addresses = new Map<string, Set<string>>();
  #stamp = '';

  constructor(directory: string) {
    this.#directory = directory;
  }

  /** Reads the directory anew unless it is as `settle` left it. */
  refresh(): void {
    const stamp = this.#readStamp();
    if (stamp === this.#stamp) return;
    this.#owners.clear();
    this.#addresses.clear();
    this.readNewFiles();
    this.#stamp = stamp;
  }

  /** To be called after our own changes: they are no reason to refresh. */
  settle(): void {
    this.#stamp = this.#readStamp();
  }

  /** Reads the files that appeared, and forgets those that went. */
  readNewFiles(): void {
    const names = new Set(readdirSync(this.#directory).filter(isAddressName));
    for (const address of [...this.#owners.keys()]) if (!names.has(address)) this.remove(address);
    for (const address of names) {
      if (!this.#owners.has(address)) this.set(address, this.readOwner(address) ?? '');
    }
  }

  /** What the file says now; undefined when it is gone. Empty when it cannot be read: taken all the same. */
  readOwner(address: string): string | undefined {
    try {
      return readOwnerText(readFileSync(join(this.#directory, address), 'utf8'));
    } catch (error) {
      return errorCode(error) === 'ENOENT' ? undefined : '';
    }
  }

  isTaken(address: string): boolean {
    return this.#owners.has(address);
  }

  /** The addresses whose files say one of these texts. */
  addressesOf(texts: readonly string[]): readonly string[] {
    return texts.flatMap((text) => [...(this.#addresses.get(text) ?? [])]);
  }

  /** Texts of all owners. */
  owners(): readonly string[] {
    return [...this.#addresses.keys()];
  }

  /** Owner's text -> its addresses. */
  entries(): readonly (readonly [owner: string, addresses: readonly string[]])[] {
    return [...this.#addresses].map(([owner, addresses]) => [owner, [...addresses]]);
  }

  set(address: string, owner: string): void {
    this.remove(address);
    this.#owners.set(address, owner);
    if (owner === '') return;
    const addresses = this.#addresses.get(owner);
    if (addresses === undefined) this.#addresses.set(owner, new Set([address]));
    else addresses.add(address);
  }

  remove(address: string): void {
    const owner = this.#owners.get(address);
    if (owner === undefined) return;
    this.#owners.delete(address);
    const addresses = this.#addresses.get(owner);
    addresses?.delete(address);
    if (addresses?.size === 0) this.#addresses.delete(owner);
  }

  /** Changes whenever an entry of the directory comes, goes or is renamed. */
  #readStamp(): string {
    const { dev, ino, mtimeNs } = statSync(this.#directory, { bigint: true });
    return `${dev}:${ino}:${mtimeNs}`;
  }
}

/** Files beside the addresses: lock, last_reserved_ip.0, a temporary one. */
function isAddressName(name: string): boolean {
  return /^[0-9a-f]/.test(name) && IpAddress.tryParse(name) !== undefined;
}
