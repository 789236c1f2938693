// Guesses what a misspelt name was meant to be.

/** The known name with the fewest slips from `name`, whatever the case and separators; undefined if none is near. */
export function nearestName(name: string, known: Iterable<string>): string | undefined {
  const bare = strip(name);
  let best: string | undefined;
  let least = Math.max(1, Math.floor(bare.length / 3)) + 1;
  for (const candidate of known) {
    const distance = slips(bare, strip(candidate));
    if (distance < least) {
      best = candidate;
      least = distance;
    }
  }
  return best;
}

const strip = (name: string): string => name.replace(/[-_.\s]/g, '').toLowerCase();

/** Optimal string alignment: letters added, left out, changed, or two neighbours swapped. */
function slips(a: string, b: string): number {
  let beforeLast: number[] = [];
  let last = Array.from({ length: b.length + 1 }, (_, j) => j);
  for (let i = 1; i <= a.length; i++) {
    const row = [i];
    for (let j = 1; j <= b.length; j++) {
      const same = a[i - 1] === b[j - 1];
      let cost = Math.min((last[j] ?? 0) + 1, (row[j - 1] ?? 0) + 1, (last[j - 1] ?? 0) + (same ? 0 : 1));
      if (i > 1 && j > 1 && a[i - 1] === b[j - 2] && a[i - 2] === b[j - 1]) {
        cost = Math.min(cost, (beforeLast[j - 2] ?? 0) + 1);
      }
      row.push(cost);
    }
    beforeLast = last;
    last = row;
  }
  return last[b.length] ?? 0;
}
