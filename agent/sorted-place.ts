// Where in a sorted list something belongs, by bisection.

/** The index of the first item that is not before it. `isBefore` is true for a beginning of the list, then false. */
export function sortedPlace<T>(sorted: readonly T[], isBefore: (item: T) => boolean): number {
  let low = 0;
  let high = sorted.length;
  while (low < high) {
    const middle = (low + high) >> 1;
    const item = sorted[middle];
    if (item !== undefined && isBefore(item)) low = middle + 1;
    else high = middle;
  }
  return low;
}
