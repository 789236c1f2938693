// Takes the JSON text of a list apart while it still comes, in pieces of any size: each item as soon as it is whole, and at the end the list
// without them. So a list of 50 MB is never in memory as a whole. What an item holds is JSON.parse's to say.

const quote = 0x22;
const comma = 0x2c;
const colon = 0x3a;
const openBracket = 0x5b;
const closeBracket = 0x5d;
const openBrace = 0x7b;
const closeBrace = 0x7d;

/** Of the list's own fields, and of its items. */
const fieldDepth = 1;
const itemDepth = 2;

export class ListText {
  /** From the item, or the string, that is being read on. */
  #text = '';
  /** Up to where it was looked at. */
  #at = 0;
  #depth = 0;
  /** Where the string began that is being read; -1: none is. */
  #string = -1;
  /** Where the item began that is being read; -1: none is. */
  #item = -1;
  #key = '';
  #isInItems = false;
  #hadItems = false;
  /** The list without its items. */
  #header = '';

  /** The texts of the items that this piece completes. Throws SyntaxError for what no list of objects has. */
  *take(piece: string): Generator<string, void, undefined> {
    this.#text += piece;
    const text = this.#text;
    let used = 0;
    let i = this.#at;
    while (i < text.length) {
      if (this.#string !== -1) {
        const end = endOfString(text, { start: this.#string, from: i });
        if (end === -1) {
          i = text.length;
          break;
        }
        if (this.#depth === fieldDepth) this.#key = text.slice(this.#string, end);
        this.#string = -1;
        i = end;
        continue;
      }
      const code = text.charCodeAt(i);
      const isBetween = this.#isInItems && this.#depth === itemDepth && code > 0x20;
      if (isBetween && code !== openBrace && code !== comma && code !== closeBracket) {
        throw new SyntaxError('an item of the list is no object');
      } else if (code === quote) {
        this.#string = i;
      } else if (code === openBrace || code === openBracket) {
        const isItems = code === openBracket && this.#depth === fieldDepth && this.#key === '"items"';
        if (isItems && !this.#hadItems) {
          this.#header += text.slice(used, i + 1);
          used = i + 1;
          this.#isInItems = true;
          this.#hadItems = true;
        } else if (this.#isInItems && this.#depth === itemDepth) this.#item = i;
        this.#depth++;
      } else if (code === closeBrace || code === closeBracket) {
        this.#depth--;
        if (this.#isInItems && this.#depth === itemDepth && this.#item !== -1) {
          const item = text.slice(this.#item, i + 1);
          this.#item = -1;
          used = i + 1;
          yield item;
        } else if (this.#isInItems && this.#depth === fieldDepth) {
          this.#isInItems = false;
          used = i;
        }
      } else if (code === colon && this.#depth === 0) {
        throw new SyntaxError('it is no JSON object');
      }
      i++;
    }
    if (this.#item !== -1) used = this.#item;
    else if (!this.#isInItems) {
      // A string of the header may go on in the next piece.
      const end = this.#string === -1 ? text.length : this.#string;
      this.#header += text.slice(used, end);
      used = end;
    } else used = text.length;
    this.#text = text.slice(used);
    this.#at = text.length - used;
    if (this.#item !== -1) this.#item -= used;
    if (this.#string !== -1) this.#string -= used;
  }

  /** The list with no items, as text. Throws SyntaxError when it has not come to its end. */
  end(): string {
    if (this.#depth !== 0 || this.#string !== -1) throw new SyntaxError('it ends in the middle');
    return this.#header;
  }
}

/** After the string that begins at `start` and has no end before `from`; -1: not yet. */
function endOfString(
  text: string,
  { start, from }: { readonly start: number; readonly from: number },
): number {
  for (let i = text.indexOf('"', Math.max(start + 1, from)); i !== -1; i = text.indexOf('"', i + 1)) {
    let backslashes = 0;
    while (i - 1 - backslashes > start && text.charCodeAt(i - 1 - backslashes) === 0x5c) backslashes++;
    if (backslashes % 2 === 0) return i + 1;
  }
  return -1;
}
