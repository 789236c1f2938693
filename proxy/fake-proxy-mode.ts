// A mode without a kernel: it remembers what it was asked for, and refuses what it is told to. For tests of the loop and of what is
// built on it; which rules a mode makes is tested with the real ones.
import type { ModeInput, ProxyMode, ProxyModeName, SyncReport } from './proxy-mode.ts';

export interface FakeProxyMode extends ProxyMode {
  /** What each call named: sorted keys, or `all`. */
  readonly calls: readonly (readonly string[] | 'all')[];
  /** Keys that are "in the kernel". */
  readonly held: ReadonlySet<string>;
  /** Keys that cannot be programmed. */
  readonly refused: Set<string>;
  /** The next calls reject with it. */
  broken: Error | undefined;
  /** Somebody else takes a port away. */
  lose(key: string): void;
  /** A call waits until this resolves. */
  gate: Promise<void> | undefined;
  readonly isClosed: boolean;
}

export function createFakeProxyMode(name: ProxyModeName = 'nftables'): FakeProxyMode {
  const calls: (readonly string[] | 'all')[] = [];
  const held = new Set<string>();
  const refused = new Set<string>();
  let isForeign = false;
  let isClosed = false;

  function apply({ ports, changed }: ModeInput): SyncReport {
    const failed = new Map<string, Error>();
    const keys = changed === 'all' ? new Set([...held, ...ports.keys()]) : changed;
    let changes = 0;
    for (const key of keys) {
      if (!ports.has(key)) {
        if (held.delete(key)) changes++;
      } else if (refused.has(key)) failed.set(key, new Error(`Cannot program "${key}": no room`));
      else if (changed !== 'all' || !held.has(key)) {
        held.add(key);
        changes++;
      }
    }
    if (changed === 'all') isForeign = false;
    return { full: changed === 'all', changes, failed };
  }

  const mode: FakeProxyMode = {
    name,
    calls,
    held,
    refused,
    broken: undefined,
    gate: undefined,
    get isClosed() {
      return isClosed;
    },
    async sync(input) {
      calls.push(input.changed === 'all' ? 'all' : [...input.changed].sort());
      await mode.gate;
      if (mode.broken !== undefined) throw mode.broken;
      return apply(input);
    },
    lose(key) {
      held.delete(key);
      isForeign = true;
    },
    changed: () => isForeign,
    async cleanUp() {
      const words = [...held].map((key) => `port ${key}`);
      held.clear();
      return words;
    },
    close() {
      isClosed = true;
    },
  };
  return mode;
}
