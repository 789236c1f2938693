// The devices of a backend that this node had until lately: they stay for a while, so that what peers send before they have heard of the
// change is still received. Which they are, desired-state.ts says; this remembers since when.

/** Milliseconds: what a lease needs to get to all nodes, with a store that is slow or was away for a moment. */
export const retirement = 60_000;

export interface RetiredDevices {
  /** Of these, which are all that there are now, those that stay. */
  spare(devices: readonly string[]): ReadonlySet<string>;
}

export function createRetiredDevices(now: () => number): RetiredDevices {
  const since = new Map<string, number>();
  return {
    spare(devices) {
      for (const name of since.keys()) if (!devices.includes(name)) since.delete(name);
      for (const name of devices) if (!since.has(name)) since.set(name, now());
      return new Set(devices.filter((name) => now() - (since.get(name) ?? 0) < retirement));
    },
  };
}
