// One network's directory as host-local keeps it: a file an address, the last one of each set, and the lock beside them. Single
// files only, under the directory's lock; whose turn it is, address-store.ts decides.
//
// Nothing is synchronised to the disk. A power cut ends all pods with their kernel, so no reservation needs to outlast it: those
// that are there afterwards are collected as dead, whether their content was lost or not. An fsync under the lock would make
// every ADD wait for the disk, to save what is thrown away. A file that is found empty counts as taken until then.
import {
  closeSync,
  constants,
  linkSync,
  openSync,
  readdirSync,
  readFileSync,
  rmSync,
  statSync,
  writeFileSync,
} from 'node:fs';
import { join } from 'node:path';
import { IpAddress } from '../../net/address.ts';
import { errorCode } from '../../runtime/error-text.ts';
import { readOwnerText } from './reservation.ts';

/** Under the directory's lock there is one writer, so one name does. It is no address: host-local passes it over. */
const temporaryName = '.netloom.tmp';
/** Empty; says that Netloom gave out addresses here. The network's records are gone after a reboot, this is not. */
const markerName = '.netloom';

/** An address file, read. */
export interface ReadReservation {
  readonly address: IpAddress;
  /** As `readOwnerText` has it: empty when there is none. */
  readonly text: string;
  /** Milliseconds since 1970. */
  readonly writtenAt: number;
}

export class ReservationFiles {
  readonly directory: string;
  #isMarked = false;

  constructor(directory: string) {
    this.directory = directory;
  }

  /** Names of the files that stand for an address. */
  addresses(): readonly string[] {
    return readdirSync(this.directory).filter(isAddressName);
  }

  has(address: string): boolean {
    return this.stampOf(address) !== '';
  }

  /** What the file says now; undefined when it is gone. Empty when it cannot be read: taken all the same. */
  readOwner(address: string): string | undefined {
    try {
      return readOwnerText(readFileSync(join(this.directory, address), 'utf8'));
    } catch (error) {
      return errorCode(error) === 'ENOENT' ? undefined : '';
    }
  }

  readAll(): readonly ReadReservation[] {
    return this.addresses().flatMap((name) => {
      const text = this.readOwner(name);
      const writtenAt = statSync(join(this.directory, name), { throwIfNoEntry: false })?.mtimeMs;
      if (text === undefined || writtenAt === undefined) return [];
      return [{ address: IpAddress.parse(name), text, writtenAt }];
    });
  }

  /** Changes when the file is another, or was written to. Empty when it is gone. */
  stampOf(address: string): string {
    const stat = statSync(join(this.directory, address), { throwIfNoEntry: false });
    return stat === undefined ? '' : `${stat.ino} ${stat.mtimeMs} ${stat.size}`;
  }

  /** Changes whenever an entry of the directory comes, goes or is renamed. */
  directoryStamp(): string {
    const { dev, ino, mtimeNs } = statSync(this.directory, { bigint: true });
    return `${dev}:${ino}:${mtimeNs}`;
  }

  /**
   * Makes a file of the first of the names that is free; undefined when none is. Name and content appear together: a crash
   * leaves no address that belongs to nobody.
   */
  take(names: Iterable<string>, content: string): string | undefined {
    const temporary = join(this.directory, temporaryName);
    let isWritten = false;
    try {
      for (const name of names) {
        if (!isWritten) writeNew(temporary, content);
        isWritten = true;
        if (linkTo(temporary, join(this.directory, name))) return name;
      }
      return undefined;
    } finally {
      if (isWritten) rmSync(temporary, { force: true });
    }
  }

  remove(address: string): void {
    rmSync(join(this.directory, address), { force: true });
  }

  /** The address that was given out last of the set at `place`; undefined when there is none, or nonsense. */
  lastReserved(place: number): IpAddress | undefined {
    try {
      return IpAddress.tryParse(readFileSync(this.#lastReservedPath(place), 'utf8').trim());
    } catch {
      return undefined;
    }
  }

  /** In place, as host-local does it: should it be lost, the search begins at the start of the set. */
  writeLastReserved(place: number, address: string): void {
    writeFileSync(this.#lastReservedPath(place), address, { mode: 0o600 });
  }

  #lastReservedPath(place: number): string {
    return join(this.directory, `last_reserved_ip.${place}`);
  }

  mark(): void {
    if (!this.#isMarked) writeFileSync(join(this.directory, markerName), '', { mode: 0o600 });
    this.#isMarked = true;
  }
}

/** True when Netloom gave out addresses of the network whose directory this is. */
export function isMarked(directory: string): boolean {
  return statSync(join(directory, markerName), { throwIfNoEntry: false }) !== undefined;
}

function writeNew(path: string, content: string): void {
  // A crash may have left it, as another name of a reservation: it must not be written to.
  rmSync(path, { force: true });
  const fd = openSync(path, constants.O_CREAT | constants.O_EXCL | constants.O_WRONLY, 0o600);
  try {
    writeFileSync(fd, content);
  } finally {
    closeSync(fd);
  }
}

/** False when the name is taken. */
function linkTo(existing: string, path: string): boolean {
  try {
    linkSync(existing, path);
    return true;
  } catch (error) {
    if (errorCode(error) === 'EEXIST') return false;
    throw error;
  }
}

/** Files beside the addresses: lock, last_reserved_ip.0, a marker, a temporary one. */
function isAddressName(name: string): boolean {
  return /^[0-9a-f:]/.test(name) && IpAddress.tryParse(name) !== undefined;
}
