// The network namespaces that can be seen from here, each once, and the addresses in them. Not who uses them for what.
import { readdirSync, readFileSync, readlinkSync, statSync } from 'node:fs';
import type { IpAddress } from '../net/address.ts';
import { NETLINK_ROUTE, NetlinkSocket } from './netlink/netlink-socket.ts';
import { Netns } from './netns.ts';
import { dumps } from './route/requests.ts';
import { readAddress } from './route/wire-address.ts';

export interface VisibleNamespace {
  /** Device and inode, as `Netns.identity` has them. */
  readonly identity: string;
  /** Ways to it, any of which may be gone by now; mounted ones first. */
  readonly paths: readonly string[];
}

export interface VisibleNamespaces {
  readonly namespaces: readonly VisibleNamespace[];
  /**
   * True when all processes of the machine can be seen, and the mounts of its first one: a namespace without a process that is
   * mounted somewhere else only is all that may be missing.
   */
  readonly isComplete: boolean;
}

/** Inode of the pid namespace that the machine starts with (PROC_PID_INIT_INO of linux/proc_ns.h). */
const firstPidNamespace = 0xeffffffc;
/** Beyond this many, the others are left out. */
const mostNamespaces = 20_000;
/** A namespace of a hundred processes needs no hundred ways to it. */
const mostPaths = 4;

export function visibleNamespaces(): VisibleNamespaces {
  const ways = new Map<number, string[]>();
  let isComplete = isFirstPidNamespace();
  const note = (inode: number | undefined, path: string): void => {
    if (inode === undefined) return;
    const paths = ways.get(inode);
    if (paths === undefined) {
      if (ways.size < mostNamespaces) ways.set(inode, [path]);
      else isComplete = false;
    } else if (paths.length < mostPaths) paths.push(path);
  };
  const { dev, ino } = statSync('/proc/self/ns/net');
  for (const [inode, path] of mounted('self')) note(inode, path);
  for (const path of namedPaths()) note(inodeOn(dev, path), path);
  try {
    if (!hasOurMounts('1')) for (const [inode, path] of mounted('1')) note(inode, `/proc/1/root${path}`);
  } catch {
    isComplete = false;
  }
  note(ino, '/proc/self/ns/net');
  for (const pid of readdirSync('/proc')) {
    if (!/^\d+$/.test(pid)) continue;
    const path = `/proc/${pid}/ns/net`;
    try {
      note(inodeIn(readlinkSync(path)), path);
    } catch (error) {
      // Otherwise it ended meanwhile.
      if (isForbidden(error)) isComplete = false;
    }
  }
  const namespaces = [...ways].map(([inode, paths]) => ({ identity: `${dev}:${inode}`, paths }));
  return { namespaces, isComplete };
}

function isForbidden(error: unknown): boolean {
  return typeof error === 'object' && error !== null && 'code' in error && error.code === 'EACCES';
}

function isFirstPidNamespace(): boolean {
  return readlinkSync('/proc/self/ns/pid') === `pid:[${firstPidNamespace}]`;
}

function hasOurMounts(pid: string): boolean {
  return readlinkSync(`/proc/${pid}/ns/mnt`) === readlinkSync('/proc/self/ns/mnt');
}

/** Of "net:[4026531840]". */
function inodeIn(text: string): number | undefined {
  const inode = /^net:\[(\d+)\]$/.exec(text)?.[1];
  return inode === undefined ? undefined : Number(inode);
}

/** Network namespaces that are bound to a path (proc_pid_mountinfo(5): root, mount point, and the type behind " - "). */
function mounted(pid: string): readonly (readonly [inode: number, path: string])[] {
  return readFileSync(`/proc/${pid}/mountinfo`, 'utf8')
    .split('\n')
    .filter((line) => line.includes(' - nsfs '))
    .flatMap((line) => {
      const [, , , root = '', path = ''] = line.split(' ');
      const inode = inodeIn(root);
      return inode === undefined ? [] : [[inode, unescaped(path)] as const];
    });
}

/** Spaces and the like are written as three octal digits. */
function unescaped(path: string): string {
  return path.replace(/\\([0-7]{3})/g, (_, digits: string) =>
    String.fromCharCode(Number.parseInt(digits, 8)),
  );
}

/** Those of `ip netns`; some programs link them to a process's. */
function namedPaths(): readonly string[] {
  try {
    return readdirSync('/run/netns').map((name) => `/run/netns/${name}`);
  } catch {
    return [];
  }
}

function inodeOn(dev: number, path: string): number | undefined {
  try {
    const stat = statSync(path);
    return stat.dev === dev ? stat.ino : undefined;
  } catch {
    return undefined;
  }
}

/** Address -> a path of the namespace that has it on an interface. Namespaces that are gone meanwhile are passed over. */
export function namespaceAddresses(namespaces: readonly VisibleNamespace[]): ReadonlyMap<string, string> {
  const holders = new Map<string, string>();
  for (const { identity, paths } of namespaces) {
    using netns = openAny(paths, identity);
    if (netns === undefined) continue;
    for (const address of addressesIn(netns)) holders.set(address.toString(), netns.path);
  }
  return holders;
}

/** A process's number may be another's by now: its namespace must be the one that was seen. */
function openAny(paths: readonly string[], identity: string): Netns | undefined {
  for (const path of paths) {
    try {
      const netns = Netns.open(path);
      if (netns.identity === identity) return netns;
      netns.close();
    } catch {
      // Another path may lead to it still.
    }
  }
  return undefined;
}

function addressesIn(netns: Netns): readonly IpAddress[] {
  using socket = new NetlinkSocket({ protocol: NETLINK_ROUTE, netns });
  // Which link has it does not matter, so no link is asked for its name.
  const names = { nameOf: (index: number) => String(index) };
  return ([4, 6] as const).flatMap((family) =>
    socket.dump(dumps.addresses(family), ({ body }) => readAddress(body, names)?.prefix.address),
  );
}
