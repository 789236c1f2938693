// Durations as nft prints them: "3h25m", "59m59s308ms".
const units: readonly (readonly [text: string, milliseconds: bigint])[] = [
  ['d', 86_400_000n],
  ['h', 3_600_000n],
  ['m', 60_000n],
  ['s', 1000n],
  ['ms', 1n],
];

export function durationText(milliseconds: bigint): string {
  let rest = milliseconds;
  let text = '';
  for (const [unit, size] of units) {
    if (rest / size > 0n) text += `${rest / size}${unit}`;
    rest %= size;
  }
  return text === '' ? '0s' : text;
}
