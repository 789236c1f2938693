// Gives out the addresses of one network on this node. Its memory is a directory in host-local's format
// (<dataDir>/<network>/<address>, cni.dev "host-local"), so a node can move from host-local and back with its pods running.
import {
  closeSync,
  constants,
  existsSync,
  linkSync,
  openSync,
  readFileSync,
  rmSync,
  writeFileSync,
} from 'node:fs';
import { join } from 'node:path';
import { IpAddress } from '../../net/address.ts';
import { errorCode } from '../../runtime/error-text.ts';
import { CniError, cniCodes } from '../wiring/cni-error.ts';
import { AddressIndex } from './address-index.ts';
import { type AddressRange, candidates, isInRange, rangeText } from './address-range.ts';
import { withDirectoryLock } from './directory-lock.ts';
import { type AddressOwner, formatOwner, ownerTexts, parseOwner } from './reservation.ts';

export interface AllocateRequest {
  readonly owner: AddressOwner;
  /** One address of each. */
  readonly ranges: readonly AddressRange[];
  /** Wanted ones, at most one of a range; the others are chosen. */
  readonly requested?: readonly IpAddress[];
}

export interface Allocation {
  /** In the order of the ranges. */
  readonly addresses: readonly IpAddress[];
  /** Those that this call reserved, and the owner did not have before: what a failed ADD gives back. */
  readonly reserved: readonly IpAddress[];
}

export interface AddressHolding {
  readonly owner: AddressOwner;
  /** IPv4 first. */
  readonly addresses: readonly IpAddress[];
}

/** Under the directory's lock there is one writer, so one name does. It is no address: host-local passes it over. */
const temporaryName = '.netloom.tmp';

export class AddressStore {
  readonly #directory: string;
  readonly #index: AddressIndex;

  /** `directory` is "<dataDir>/<network>"; the network's name must be an identifier (`isIdentifier`). Opens nothing. */
  constructor(directory: string) {
    this.#directory = directory;
    this.#index = new AddressIndex(directory);
  }

  /**
   * Reserves an address of each range or, when one of them has none left, of no range. What the owner has already it keeps.
   * Rejects with CniError: try again later when a range is exhausted, invalid configuration when a requested address is not
   * in a range or is another's.
   */
  allocate(request: AllocateRequest): Promise<Allocation> {
    return this.#locked(() => {
      const had = this.#addressesOf(request.owner);
      refuseStrayRequests(request);
      const reserved: IpAddress[] = [];
      try {
        const addresses = request.ranges.map((range, place) => {
          const own = had.find((address) => isInRange(range, address));
          if (own !== undefined) return own;
          const address = this.#reserve(request, { range, place });
          reserved.push(address);
          return address;
        });
        return { addresses, reserved };
      } catch (error) {
        for (const address of reserved) this.#free(request.owner, address.toString());
        throw error;
      }
    });
  }

  /** The owner's addresses, IPv4 first. */
  find(owner: AddressOwner): Promise<readonly IpAddress[]> {
    return this.#ifThere([], () => this.#search(owner));
  }

  /** Gives back all that the owner has, or only `addresses` of it. Resolves with what was given back; nothing is success. */
  release(owner: AddressOwner, addresses?: readonly IpAddress[]): Promise<readonly IpAddress[]> {
    return this.#ifThere([], () =>
      this.#search(owner)
        .filter((address) => addresses === undefined || addresses.some((only) => only.equals(address)))
        .filter((address) => this.#free(owner, address.toString())),
    );
  }

  /** All who have an address. Files without a readable owner are passed over: their addresses stay taken. */
  owners(): Promise<readonly AddressOwner[]> {
    return this.#ifThere([], () =>
      this.#index.owners().flatMap((text) => {
        const owner = parseOwner(text);
        return owner === undefined ? [] : [owner];
      }),
    );
  }

  /** Who has which addresses. Files without a readable owner are passed over. */
  holdings(): Promise<readonly AddressHolding[]> {
    return this.#ifThere([], () =>
      this.#index.entries().flatMap(([text, addresses]) => {
        const owner = parseOwner(text);
        const parsed = addresses.map((address) => IpAddress.parse(address)).sort((a, b) => a.compare(b));
        return owner === undefined ? [] : [{ owner, addresses: parsed }];
      }),
    );
  }

  /** A network that never gave out an address has no directory, and need not get one. */
  async #ifThere<T>(otherwise: T, action: () => T): Promise<T> {
    return existsSync(this.#directory) ? await this.#locked(action) : otherwise;
  }

  #locked<T>(action: () => T): Promise<T> {
    return withDirectoryLock(this.#directory, () => {
      this.#index.refresh();
      try {
        return action();
      } finally {
        this.#index.settle();
      }
    });
  }

  #addressesOf(owner: AddressOwner): readonly IpAddress[] {
    return this.#index
      .addressesOf(ownerTexts(owner))
      .map((text) => IpAddress.parse(text))
      .sort((a, b) => a.compare(b));
  }

  #search(owner: AddressOwner): readonly IpAddress[] {
    const known = this.#addressesOf(owner);
    if (known.length > 0) return known;
    this.#index.readNewFiles();
    return this.#addressesOf(owner);
  }

  #reserve(
    { owner, requested = [] }: AllocateRequest,
    { range, place }: { readonly range: AddressRange; readonly place: number },
  ): IpAddress {
    const wish = requested.find((address) => isInRange(range, address));
    if (wish !== undefined) {
      if (this.#take(owner, wish)) return wish;
      throw new CniError(cniCodes.invalidConfig, `Cannot reserve requested address "${wish}": it is taken`, {
        details: `by ${this.#index.readOwner(wish.toString())?.replace(/\s+/, ' ') ?? 'another container'}`,
      });
    }
    const free = this.#takeNext(owner, { range, place }) ?? this.#lookAgain(owner, { range, place });
    if (free !== undefined) return free;
    throw new CniError(
      cniCodes.tryAgainLater,
      `Cannot reserve an address for container "${owner.containerId}": all of ${rangeText(range)} are taken`,
      { details: `in ${this.#directory}` },
    );
  }

  #takeNext(
    owner: AddressOwner,
    { range, place }: { readonly range: AddressRange; readonly place: number },
  ): IpAddress | undefined {
    for (const address of candidates(range, this.#lastReserved(place))) {
      if (!this.#take(owner, address)) continue;
      // In place, as host-local does it: should it be lost, the search begins at the start of the range.
      writeFileSync(this.#lastReservedPath(place), address.toString(), { mode: 0o600 });
      return address;
    }
    return undefined;
  }

  /** Before a pod is refused: the index may have missed what somebody else gave back. */
  #lookAgain(
    owner: AddressOwner,
    where: { readonly range: AddressRange; readonly place: number },
  ): IpAddress | undefined {
    this.#index.readNewFiles();
    return this.#takeNext(owner, where);
  }

  /** The name appears together with its content: a crash leaves no address that belongs to nobody. False if it is taken. */
  #take(owner: AddressOwner, address: IpAddress): boolean {
    const name = address.toString();
    if (this.#index.isTaken(name)) return false;
    const temporary = join(this.#directory, temporaryName);
    // A crash may have left it, as another name of a reservation: it must not be written to.
    rmSync(temporary, { force: true });
    const content = formatOwner(owner);
    const fd = openSync(temporary, constants.O_CREAT | constants.O_EXCL | constants.O_WRONLY, 0o600);
    try {
      writeFileSync(fd, content);
    } finally {
      closeSync(fd);
    }
    try {
      linkSync(temporary, join(this.#directory, name));
    } catch (error) {
      if (errorCode(error) !== 'EEXIST') throw error;
      this.#index.set(name, this.#index.readOwner(name) ?? '');
      return false;
    } finally {
      rmSync(temporary, { force: true });
    }
    this.#index.set(name, content);
    return true;
  }

  /** False when the file is gone or belongs to another by now. */
  #free(owner: AddressOwner, name: string): boolean {
    const text = this.#index.readOwner(name);
    if (text !== undefined && !ownerTexts(owner).includes(text)) {
      this.#index.set(name, text);
      return false;
    }
    rmSync(join(this.#directory, name), { force: true });
    this.#index.remove(name);
    return text !== undefined;
  }

  #lastReservedPath(place: number): string {
    return join(this.#directory, `last_reserved_ip.${place}`);
  }

  #lastReserved(place: number): IpAddress | undefined {
    try {
      return IpAddress.tryParse(readFileSync(this.#lastReservedPath(place), 'utf8').trim());
    } catch {
      return undefined;
    }
  }
}

function refuseStrayRequests({ requested = [], ranges }: AllocateRequest): void {
  const taken = new Set<AddressRange>();
  for (const address of requested) {
    const range = ranges.find((candidate) => isInRange(candidate, address));
    const why =
      range === undefined
        ? `it is not in ${ranges.map(rangeText).join(' or ')}`
        : taken.has(range)
          ? `another address of ${rangeText(range)} is requested too`
          : undefined;
    if (why !== undefined) {
      throw new CniError(cniCodes.invalidConfig, `Cannot reserve requested address "${address}": ${why}`);
    }
    if (range !== undefined) taken.add(range);
  }
}
