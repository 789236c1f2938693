// Runs something that draws random numbers once for each way in which they can fall.

/** The results in the order of the numbers drawn. `run` must draw the same way when it is given the same numbers. */
export function everyOutcome<T>(run: (random: (modulus: number) => number) => T): readonly T[] {
  const results: T[] = [];
  /** What was drawn in this run, and of how many; the next run begins with its first drawn numbers. */
  let drawn: { readonly value: number; readonly modulus: number }[] = [];
  for (;;) {
    let count = 0;
    results.push(
      run((modulus) => {
        const before = drawn[count];
        if (before === undefined) drawn.push({ value: 0, modulus });
        count += 1;
        return before?.value ?? 0;
      }),
    );
    // As an odometer: the last number that can go up does, those behind it are drawn anew.
    let last = drawn.pop();
    while (last !== undefined && last.value + 1 >= last.modulus) last = drawn.pop();
    if (last === undefined) return results;
    drawn = [...drawn, { value: last.value + 1, modulus: last.modulus }];
  }
}
