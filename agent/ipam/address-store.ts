// Gives out the addresses of one network on this node. Its memory is a directory in host-local's format
// (<dataDir>/<network>/<address>, cni.dev "host-local"), so a node can move from host-local and back with its pods running.
import { existsSync } from 'node:fs';
import { IpAddress } from '../../net/address.ts';
import { CniError, cniCodes } from '../wiring/cni-error.ts';
import { AddressIndex } from './address-index.ts';
import { candidates, isInSet, type RangeSets, type SetPlace, setText } from './address-range.ts';
import { withDirectoryLock } from './directory-lock.ts';
import { assignRequests } from './requested-addresses.ts';
import { type AddressOwner, formatOwner, ownerTexts, parseOwner } from './reservation.ts';
import { ReservationFiles } from './reservation-files.ts';

export interface KnownAddresses {
  /**
   * What the caller knows of the owner's addresses: it has no others, and may have lost some of these. Spares a process that
   * lives for one call the look at every file. Undefined: nothing is known.
   */
  readonly known?: readonly IpAddress[] | undefined;
}

export interface AllocateRequest extends KnownAddresses {
  readonly owner: AddressOwner;
  /** One address of each. */
  readonly sets: RangeSets;
  /** Wanted ones, at most one of a set; the others are chosen. */
  readonly requested?: readonly IpAddress[] | undefined;
}

export interface Allocation {
  /** In the order of the sets. */
  readonly addresses: readonly IpAddress[];
  /** Those that this call reserved, and the owner did not have before: what a failed ADD gives back. */
  readonly reserved: readonly IpAddress[];
}

export interface AddressHolding {
  readonly owner: AddressOwner;
  /** IPv4 first. */
  readonly addresses: readonly IpAddress[];
}

/** One address that is taken. */
export interface Reservation {
  readonly address: IpAddress;
  /** Undefined when the file does not say: it is empty, or spoilt. */
  readonly owner: AddressOwner | undefined;
  /** Milliseconds since 1970. */
  readonly writtenAt: number;
}

/** Tries at a free address before the directory is listed: a look at 20,000 names costs as much as some hundred of them. */
const blindTries = 32;

export class AddressStore {
  readonly #files: ReservationFiles;
  readonly #index: AddressIndex;

  /** `directory` is "<dataDir>/<network>"; the network's name must be an identifier (`isIdentifier`). Opens nothing. */
  constructor(directory: string) {
    this.#files = new ReservationFiles(directory);
    this.#index = new AddressIndex(this.#files);
  }

  /**
   * Reserves an address of each set or, when one of them has none left, of no set. What the owner has already it keeps.
   * Rejects with CniError: try again later when a set is exhausted, invalid configuration when a requested address is in no
   * set or is another's.
   */
  allocate({ owner, sets, requested = [], known }: AllocateRequest): Promise<Allocation> {
    return this.#locked(() => {
      const wishes = assignRequests(sets, requested);
      const had = this.#addressesOf(owner, known);
      const reserved: IpAddress[] = [];
      this.#files.mark();
      try {
        const addresses = sets.map((set, place) => {
          const wish = wishes.get(place);
          const own = had.find((address) => isInSet(set, address));
          if (own !== undefined) return keep(own, wish);
          const address =
            wish === undefined ? this.#takeNext(owner, { sets, place }) : this.#takeWish(owner, wish);
          this.#files.writeLastReserved(place, address.toString());
          reserved.push(address);
          return address;
        });
        return { addresses, reserved };
      } catch (error) {
        for (const address of reserved) this.#free(formatOwner(owner), address.toString());
        throw error;
      }
    });
  }

  /** The owner's addresses, IPv4 first. */
  find(owner: AddressOwner, { known }: KnownAddresses = {}): Promise<readonly IpAddress[]> {
    return this.#ifThere([], () => this.#search(owner, known));
  }

  /**
   * Gives back all that the owner has, or what it has of `known`. Resolves with what was given back; nothing is success.
   * Addresses of its container whose files name no interface go only when none does, as with host-local.
   */
  release(owner: AddressOwner, { known }: KnownAddresses = {}): Promise<readonly IpAddress[]> {
    return this.#ifThere([], () => {
      const found = this.#search(owner, known);
      for (const text of ownerTexts(owner)) {
        const freed = found.filter((address) => this.#free(text, address.toString()));
        if (freed.length > 0) return freed;
      }
      return [];
    });
  }

  /** True when each of the sets has an address that is nobody's. */
  hasFree(sets: RangeSets): Promise<boolean> {
    return this.#ifThere(true, () =>
      sets.every((_, place) => {
        for (const name of this.#freeNames({ sets, place })) if (!this.#files.has(name)) return true;
        return false;
      }),
    );
  }

  /** All who have an address. Files without a readable owner are passed over: their addresses stay taken. */
  async owners(): Promise<readonly AddressOwner[]> {
    return (await this.holdings()).map(({ owner }) => owner);
  }

  /** Who has which addresses. Files without a readable owner are passed over. */
  holdings(): Promise<readonly AddressHolding[]> {
    return this.#ifThere([], () =>
      this.#index.entries().flatMap(([text, addresses]) => {
        const owner = parseOwner(text);
        return owner === undefined ? [] : [{ owner, addresses: parsed(addresses) }];
      }),
    );
  }

  /** Every address that is taken, with its age. Reads all files. */
  reservations(): Promise<readonly Reservation[]> {
    return this.#ifThere([], () =>
      this.#files
        .readAll()
        .map(({ address, text, writtenAt }) => ({ address, owner: parseOwner(text), writtenAt })),
    );
  }

  /** Gives back those of the addresses whose files name no owner. Resolves with what was given back. */
  releaseOwnerless(addresses: readonly IpAddress[]): Promise<readonly IpAddress[]> {
    return this.#ifThere([], () =>
      addresses.filter((address) => {
        const name = address.toString();
        const text = this.#files.readOwner(name);
        if (text === undefined || parseOwner(text) !== undefined) return false;
        this.#remove(name);
        return true;
      }),
    );
  }

  /** A network that never gave out an address has no directory, and need not get one. */
  async #ifThere<T>(otherwise: T, action: () => T): Promise<T> {
    return existsSync(this.#files.directory) ? await this.#locked(action) : otherwise;
  }

  #locked<T>(action: () => T): Promise<T> {
    return withDirectoryLock(this.#files.directory, () => {
      this.#index.refresh();
      try {
        return action();
      } finally {
        this.#index.settle();
      }
    });
  }

  #search(owner: AddressOwner, known: readonly IpAddress[] | undefined): readonly IpAddress[] {
    const found = this.#addressesOf(owner, known);
    if (known !== undefined || found.length > 0) return found;
    this.#index.listNames();
    return this.#addressesOf(owner, undefined);
  }

  #addressesOf(owner: AddressOwner, known: readonly IpAddress[] | undefined): readonly IpAddress[] {
    const texts = ownerTexts(owner);
    if (known === undefined) return parsed(this.#index.addressesOf(texts));
    return known
      .filter((address) => texts.includes(this.#files.readOwner(address.toString()) ?? ''))
      .sort((a, b) => a.compare(b));
  }

  #takeWish(owner: AddressOwner, wish: IpAddress): IpAddress {
    if (this.#take(owner, [wish.toString()]) !== undefined) return wish;
    const holder = parseOwner(this.#files.readOwner(wish.toString()) ?? '');
    throw new CniError(
      cniCodes.invalidConfig,
      `Cannot reserve requested address "${wish}": ${holder === undefined ? 'it is taken' : `container "${holder.containerId}" has it`}`,
      {
        details:
          holder === undefined
            ? `its file in ${this.#files.directory} names no owner`
            : `for interface "${holder.ifname}"`,
      },
    );
  }

  #takeNext(owner: AddressOwner, where: SetPlace): IpAddress {
    const taken = this.#take(owner, this.#freeNames(where)) ?? this.#lookAgain(owner, where);
    if (taken !== undefined) return IpAddress.parse(taken);
    throw new CniError(
      cniCodes.tryAgainLater,
      `Cannot reserve an address for container "${owner.containerId}": all of ${setText(where.sets[where.place] ?? [])} are taken`,
      { details: `in ${this.#files.directory}` },
    );
  }

  /** Before a pod is refused: the index may have missed what somebody else gave back. */
  #lookAgain(owner: AddressOwner, where: SetPlace): string | undefined {
    this.#index.listNames();
    return this.#take(owner, this.#freeNames(where));
  }

  /** Names in host-local's order, without those that are known to be taken. */
  *#freeNames(where: SetPlace): Generator<string, void> {
    let tries = 0;
    for (const address of candidates(where, this.#files.lastReserved(where.place))) {
      const name = address.toString();
      if (this.#index.isTaken(name) === undefined && ++tries > blindTries) this.#index.listNames();
      if (this.#index.isTaken(name) !== true) yield name;
    }
  }

  /** Reserves the first of the names that is free. */
  #take(owner: AddressOwner, names: Iterable<string>): string | undefined {
    const content = formatOwner(owner);
    const name = this.#files.take(names, content);
    if (name !== undefined) this.#index.set(name, content);
    return name;
  }

  /** False when the file is gone or says something else by now. */
  #free(text: string, name: string): boolean {
    const now = this.#files.readOwner(name);
    if (now === text) this.#remove(name);
    else if (now === undefined) this.#index.remove(name);
    else this.#index.set(name, now);
    return now === text;
  }

  #remove(name: string): void {
    this.#files.remove(name);
    this.#index.remove(name);
  }
}

function keep(own: IpAddress, wish: IpAddress | undefined): IpAddress {
  if (wish === undefined || wish.equals(own)) return own;
  throw new CniError(
    cniCodes.invalidConfig,
    `Cannot reserve requested address "${wish}": the container has "${own}" of the same range set already`,
  );
}

function parsed(addresses: readonly string[]): readonly IpAddress[] {
  return addresses.map((address) => IpAddress.parse(address)).sort((a, b) => a.compare(b));
}
