// Words of a line in iptables-restore's format, and how iptables-save quotes one. Not what they mean.

/** Splits at blanks; double quotes hold a word together, and a backslash in them takes the next character as it is. */
export function splitWords(line: string): readonly string[] {
  const words: string[] = [];
  // Whatever stands between blanks is looked at: nothing may be skipped for not fitting.
  const word = /\s*(?:"((?:[^"\\]|\\.)*)"(?=\s|$)|([^\s"]+)(?=\s|$))\s*/y;
  while (word.lastIndex < line.length) {
    const { lastIndex } = word;
    const found = word.exec(line);
    if (found === null) throw new SyntaxError(`Cannot read "${line.slice(lastIndex)}": quotes do not fit`);
    words.push(found[1] === undefined ? (found[2] ?? '') : found[1].replaceAll(/\\(.)/g, '$1'));
  }
  return words;
}

/** xtables_save_string: letters, digits, "_" and "-" go without quotes. */
export function quotedWord(word: string): string {
  return /^[A-Za-z0-9_-]+$/.test(word) ? word : `"${word.replaceAll(/["\\']/g, '\\$&')}"`;
}

/** "5", "0x4000" or "0x004000", at most 32 bits. Throws SyntaxError. */
export function readNumber(text: string, most = 0xffffffff): number {
  const value = /^(0|[1-9]\d*|0[xX][0-9a-fA-F]+)$/.test(text) ? Number(text) : Number.NaN;
  if (!(value <= most)) throw new SyntaxError(`Cannot use "${text}": want a number up to ${most}`);
  return value;
}

export function hex(value: number): string {
  return `0x${value.toString(16)}`;
}
