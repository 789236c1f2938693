// Long work in slices, with room for other work between: a load of ten thousand services must not hold up the process.

export interface SliceOptions {
  readonly pause: () => Promise<void>;
  readonly signal: AbortSignal;
}

/** Results in the order of the items. Throws the signal's reason once it aborts; what ran by then has run. */
export async function inSlices<T, R>(
  items: readonly T[],
  options: SliceOptions & { readonly size: number; readonly run: (slice: readonly T[]) => readonly R[] },
): Promise<readonly R[]> {
  const { size, run, pause, signal } = options;
  if (items.length === 0) return [];
  if (items.length <= size) return run(items);
  const results: R[] = [];
  for (let start = 0; start < items.length; start += size) {
    if (start > 0) await givingWay({ pause, signal });
    results.push(...run(items.slice(start, start + size)));
  }
  return results;
}

export async function givingWay({ pause, signal }: SliceOptions): Promise<void> {
  await pause();
  signal.throwIfAborted();
}
