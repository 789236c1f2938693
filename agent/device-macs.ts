// The hardware addresses of the links that the agent makes: fixed when they are made and kept over restarts, re-creation and
// takeover from flannel, because peers know them. They come, in this order, from the link that is there, from the state
// directory, from the lease, from a hash of the node's name.
import { createHash } from 'node:crypto';
import { mkdirSync, readFileSync } from 'node:fs';
import { dirname } from 'node:path';
import type { RouteState } from '../kernel/route/objects.ts';
import { Mac } from '../net/mac.ts';
import { writeFileAtomicSync } from '../runtime/write-file.ts';
import type { Lease } from '../store/lease.ts';
import type { DeviceMacs } from './backend/backend.ts';
import { vxlanDeviceName } from './backend/vxlan.ts';

export interface DeviceMacsOptions {
  readonly node: string;
  /** Where they are kept: "/var/lib/netloom/macs.json". */
  readonly path: string;
}

export interface KnownMacs {
  /** What is there when the agent starts. */
  readonly actual: RouteState;
  /** The node's lease as the store has it, before it was taken again. */
  readonly lease: Lease | undefined;
}

export interface MacKeeper {
  /** Returns the same for a link as long as the keeper lives: a MAC that is changed by hand is put back. */
  choose(known: KnownMacs): DeviceMacs;
  /** Writes what was chosen, if that is new. Throws when the file cannot be written. */
  save(): void;
}

export function createMacKeeper({ node, path }: DeviceMacsOptions): MacKeeper {
  const stored = readStored(path);
  const chosen = new Map<string, Mac>();
  let savedText = JSON.stringify(Object.fromEntries(stored));
  return {
    choose: (known) => (link) => {
      const mac =
        chosen.get(link) ??
        ofLink(known.actual, link) ??
        stored.get(link) ??
        ofLease(known.lease, link) ??
        hashedMac(node, link);
      chosen.set(link, mac);
      return mac;
    },
    save() {
      const text = JSON.stringify(Object.fromEntries([...stored, ...chosen]));
      if (text === savedText) return;
      mkdirSync(dirname(path), { recursive: true, mode: 0o755 });
      writeFileAtomicSync(path, `${text}\n`);
      savedText = text;
    },
  };
}

/** The same on every start, different for each node and link. */
export function hashedMac(node: string, link: string): Mac {
  return Mac.local(createHash('sha256').update(`netloom ${link} ${node}`).digest());
}

function ofLink(state: RouteState, name: string): Mac | undefined {
  const link = state.links.get(name);
  const ours = link?.detail.kind === 'vxlan' || link?.detail.kind === 'bridge';
  return ours ? usable(link.mac) : undefined;
}

function ofLease(lease: Lease | undefined, link: string): Mac | undefined {
  const candidates = [
    { data: lease?.backendData, family: 4 },
    { data: lease?.backendDataV6, family: 6 },
  ] as const;
  for (const { data, family } of candidates) {
    if (data?.kind === 'vxlan' && vxlanDeviceName(data.vni, family) === link) return usable(data.vtepMac);
  }
  return undefined;
}

function usable(mac: Mac | undefined): Mac | undefined {
  return mac === undefined || mac.isZero || mac.isMulticast ? undefined : mac;
}

/** A file that is gone or spoilt is no obstacle: the next source is asked. */
function readStored(path: string): ReadonlyMap<string, Mac> {
  try {
    const parsed: unknown = JSON.parse(readFileSync(path, 'utf8'));
    if (typeof parsed !== 'object' || parsed === null) return new Map();
    return new Map(
      Object.entries(parsed).flatMap(([link, text]) => {
        const mac = typeof text === 'string' ? usable(Mac.tryParse(text)) : undefined;
        return mac === undefined ? [] : [[link, mac] as const];
      }),
    );
  } catch {
    return new Map();
  }
}
