// What all operations of the wiring share: the node's side of the kernel, and where addresses and records are.
import { join } from 'node:path';
import { lockFile } from '../../kernel/file-lock.ts';
import { Netns } from '../../kernel/netns.ts';
import { openRouteDriver } from '../../kernel/route/driver.ts';
import { namesIn } from '../../runtime/names-in.ts';
import { AddressStore } from '../ipam/address-store.ts';
import { withAttachmentLock } from './attachment-lock.ts';
import { AttachmentRecords } from './attachment-record.ts';
import { openParts, type WiringParts } from './open-parts.ts';
import type { PodFirewall } from './pod-firewall.ts';
import type { Host } from './pod-links.ts';
import type { AttachmentPlace } from './wire-request.ts';

export interface WiringOptions {
  /** The node's namespace; the process's own if absent. */
  readonly netns?: Netns | undefined;
  /** Opened if absent; one that is given is not closed. */
  readonly firewall?: PodFirewall | undefined;
  /**
   * True for a process that ends after one call: to an ADD, a container without a record is one without addresses. A look at all
   * files would tell, and takes 200 ms when there are 20,000; what such a container has from before a reboot is collected later.
   */
  readonly isOneShot?: boolean;
}

/** Where the addresses of a network are. */
export interface StorePlace {
  readonly network: string;
  readonly ipamDirectory: string;
}

export interface WiringState {
  readonly host: Host;
  readonly parts: WiringParts;
  readonly isOneShot: boolean;
  /** One for a directory, kept: it remembers who has what. */
  store(place: StorePlace): AddressStore;
  close(): Promise<void>;
}

export function openWiringState({ netns, firewall, isOneShot = false }: WiringOptions): WiringState {
  const host: Host = { netns: netns ?? Netns.current(), route: openRouteDriver({ netns }) };
  const parts = openParts(host, { firewall });
  const stores = new Map<string, AddressStore>();
  return {
    host,
    parts,
    isOneShot,
    store({ network, ipamDirectory }) {
      const directory = join(ipamDirectory, network);
      const known = stores.get(directory);
      if (known !== undefined) return known;
      const store = new AddressStore(directory);
      stores.set(directory, store);
      return store;
    },
    async close() {
      await parts.close();
      host.route.close();
      if (netns === undefined) host.netns.close();
    },
  };
}

function locksIn(runDirectory: string): string {
  return join(runDirectory, 'locks');
}

/** Runs `action` with the attachment's records under its lock. Rejects with CniError (try again later) while it is held. */
export function exclusively<T>(
  { attachment, runDirectory }: AttachmentPlace,
  { waitMs }: { readonly waitMs: number },
  action: (records: AttachmentRecords) => Promise<T>,
): Promise<T> {
  const options = { directory: locksIn(runDirectory), waitMs };
  return withAttachmentLock(attachment, () => action(new AttachmentRecords({ runDirectory })), options);
}

/** Removes what killed operations left in the run directory besides records: files of locks, records that were never finished. */
export async function sweepRunDirectory(runDirectory: string): Promise<void> {
  const records = new AttachmentRecords({ runDirectory });
  // To give a lock up is to remove its file.
  for (const name of new Set([...records.unfinished(), ...namesIn(locksIn(runDirectory))]))
    await unlessHeld({ runDirectory, name }, async () => records.removeUnfinished(name));
}

/** As `exclusively`, by the lock's name (attachmentFileName); undefined, at once, when somebody holds it. */
export async function unlessHeld<T>(
  { runDirectory, name }: { readonly runDirectory: string; readonly name: string },
  action: () => Promise<T>,
): Promise<T | undefined> {
  const lock = await lockFile(join(locksIn(runDirectory), name), { wait: 0 });
  if (lock === undefined) return undefined;
  try {
    return await action();
  } finally {
    lock.release();
  }
}
