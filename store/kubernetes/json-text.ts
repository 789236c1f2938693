// Where the values of a long JSON text begin and end, found without reading them: so that a list of 100,000 objects can be read
// object by object, and not in one call that stops everything else for a second. What a value holds is JSON.parse's to say.

/** From `start` to before `end`. */
export interface TextRange {
  readonly start: number;
  readonly end: number;
}

const quoteCode = 0x22;
const commaCode = 0x2c;

/** The first character from `from` on that is no JSON white space. */
export function skipSpace(text: string, from: number): number {
  let i = from;
  for (; i < text.length; i++) {
    const code = text.charCodeAt(i);
    if (code !== 0x20 && code !== 0x0a && code !== 0x0d && code !== 0x09) break;
  }
  return i;
}

/** After the string that begins at `from`; -1 when the text ends in it. */
function endOfString(text: string, from: number): number {
  for (let i = text.indexOf('"', from + 1); i !== -1; i = text.indexOf('"', i + 1)) {
    let backslashes = 0;
    while (text.charCodeAt(i - 1 - backslashes) === 0x5c) backslashes++;
    if (backslashes % 2 === 0) return i + 1;
  }
  return -1;
}

/** After the value that begins at `start`; -1 when there is no end before `limit`. Brackets are counted, not told apart. */
export function endOfValue(
  text: string,
  { start, limit = text.length }: { readonly start: number; readonly limit?: number },
): number {
  let depth = 0;
  for (let i = start; i < limit; i++) {
    const code = text.charCodeAt(i);
    if (code === quoteCode) {
      i = endOfString(text, i) - 1;
      if (i < 0) return -1;
    } else if (code === 0x7b || code === 0x5b) {
      depth++;
    } else if (code === 0x7d || code === 0x5d) {
      if (depth === 0) return i;
      depth--;
    } else if (depth === 0) {
      if (code === commaCode || code <= 0x20) return i;
      continue;
    } else continue;
    if (depth === 0) return i + 1;
  }
  return -1;
}

export interface JsonList {
  /** The object with an empty list in place of its items. */
  readonly header: string;
  readonly items: readonly TextRange[];
  /** After the object. */
  readonly end: number;
}

/**
 * Takes an object apart that has a list "items" at its top: the object without them, and where each is. Yields between two of
 * them, for breath. Undefined where there is no such list or the text is not in order.
 */
export function* splitItems(text: string, start: number): Generator<undefined, JsonList | undefined> {
  let i = skipSpace(text, start + 1);
  let list: { readonly open: number; readonly items: readonly TextRange[]; readonly end: number } | undefined;
  while (text.charCodeAt(i) === quoteCode) {
    const keyEnd = endOfString(text, i);
    if (keyEnd === -1) return undefined;
    const isItems = text.slice(i, keyEnd) === '"items"';
    i = skipSpace(text, keyEnd);
    if (text[i] !== ':') return undefined;
    i = skipSpace(text, i + 1);
    if (isItems && text[i] === '[' && list === undefined) {
      const items: TextRange[] = [];
      const open = i;
      i = skipSpace(text, i + 1);
      while (i < text.length && text[i] !== ']') {
        const end = endOfValue(text, { start: i });
        if (end <= i) return undefined;
        items.push({ start: i, end });
        yield;
        i = skipSpace(text, end);
        if (text[i] !== ',') break;
        i = skipSpace(text, i + 1);
        if (text[i] === ']') return undefined;
      }
      if (text[i] !== ']') return undefined;
      i++;
      list = { open, items, end: i };
    } else {
      const end = endOfValue(text, { start: i });
      if (end <= i) return undefined;
      i = end;
    }
    i = skipSpace(text, i);
    if (text[i] === '}') {
      if (list === undefined) return undefined;
      const header = `${text.slice(start, list.open)}[]${text.slice(list.end, i + 1)}`;
      return { header, items: list.items, end: i + 1 };
    }
    if (text[i] !== ',') return undefined;
    i = skipSpace(text, i + 1);
  }
  return undefined;
}
