// A text to the values in it: YAML or JSON, several documents, lists taken apart. What the values are is parse-manifests.ts's to say.
// A generator that yields often, so that a text of 100,000 objects can be read between other work. Of a key that is given twice in
// JSON the last one counts, as in Kubernetes; in YAML it is an error.
import { quote } from '../store-error.ts';
import { endOfValue, skipSpace, splitItems } from './json-text.ts';
import { yamlDocuments } from './yaml-document.ts';

/** Where in a file an object is: both count from 1; `item` in a list. */
export interface ManifestPlace {
  readonly document: number;
  readonly item: number | undefined;
}

export interface ManifestValue {
  readonly place: ManifestPlace;
  readonly value: unknown;
  /** Of the list that it is in: its items may leave out their own. */
  readonly list: { readonly apiVersion: unknown; readonly kind: unknown } | undefined;
}

/** A part of the text that is neither JSON nor YAML. */
export interface UnreadableText {
  readonly place: ManifestPlace;
  readonly reason: string;
}

/** Undefined: only for breath. */
export type ManifestStep = ManifestValue | UnreadableText | undefined;

/** Longest quotation of a parser's own words: they quote the text, whatever it holds. */
const longestReason = 200;

/** JSON up to this length is parsed in one go: a millisecond. */
const longestAtOnce = 64 * 1024;

/** JSON that cannot be read is tried as YAML in flow style up to this length; a long one is only half-written. */
const longestFlow = 64 * 1024;

export function* manifestValues(text: string): Generator<ManifestStep> {
  let document = 0;
  let directives = '';
  for (const { part, offset } of documentTexts(text)) {
    yield;
    // Comments alone are no document, and are not counted.
    if (!/^\s*[^#\s]/m.test(part)) continue;
    const start = skipSpace(part, 0);
    // Lines such as %YAML belong to the document behind the next "---".
    if (part[start] === '%' && !/^[^%#\s]/m.test(part)) {
      directives = part;
      continue;
    }
    document++;
    const firstLine = () => text.slice(0, offset).split('\n').length - directives.split('\n').length;
    if (part[start] === '{' || part[start] === '[') yield* jsonValues(part, document);
    else yield* yamlValues(directives === '' ? part : `${directives}---\n${part}`, { document, firstLine });
    directives = '';
  }
}

/** Cut at "---", which in YAML ends a document wherever it begins a line, and which cannot begin a line within a JSON value. */
function* documentTexts(text: string): Generator<{ readonly part: string; readonly offset: number }> {
  let offset = 0;
  for (let mark = nextMark(text, 0); mark !== -1; mark = nextMark(text, offset)) {
    yield { part: text.slice(offset, mark), offset };
    offset = mark + 3;
  }
  yield { part: text.slice(offset), offset };
}

/** Where the next "---" stands alone at the begin of a line; -1: nowhere. */
function nextMark(text: string, from: number): number {
  let mark = from === 0 && text.startsWith('---') ? 0 : text.indexOf('\n---', from) + 1;
  while (mark > 0 || (from === 0 && mark === 0 && text.startsWith('---'))) {
    const next = text[mark + 3];
    if (next === undefined || /\s/.test(next)) return mark;
    mark = text.indexOf('\n---', mark + 1) + 1;
    if (mark === 0) return -1;
  }
  return -1;
}

/** JSON values one behind the other; YAML that looks like JSON is tried as YAML. */
function* jsonValues(text: string, document: number): Generator<ManifestStep> {
  const first = skipSpace(text, 0);
  for (let start = first; start < text.length; ) {
    const limit = Math.min(text.length, start + longestAtOnce);
    let end = endOfValue(text, { start, limit });
    const list = end === -1 && text[start] === '{' ? yield* splitItems(text, start) : undefined;
    const header = list === undefined ? undefined : tryJson(list.header);
    if (list !== undefined && isListHeader(header)) {
      for (const [i, range] of list.items.entries()) {
        const place = { document, item: i + 1 };
        const item = tryJson(text.slice(range.start, range.end));
        yield item instanceof Unreadable
          ? { place, reason: item.reason.replace(/ in JSON at position .*/, '') }
          : { place, value: item, list: header };
      }
      end = list.end;
    } else {
      if (end === -1) end = endOfValue(text, { start });
      if (end === -1) end = text.length;
      const value = tryJson(text.slice(start, end));
      if (value instanceof Unreadable) {
        // YAML in flow style is so from its begin.
        const mayBeYaml = text.length <= longestFlow && start === first;
        const values = mayBeYaml ? yamlDocuments(text) : value.reason;
        if (typeof values === 'string') yield { place: { document, item: undefined }, reason: value.reason };
        else for (const one of values) yield* itemsOf(one, document);
        return;
      }
      yield* itemsOf(value, document);
    }
    start = skipSpace(text, end);
  }
}

/** A value, or the items of a list. */
function* itemsOf(value: unknown, document: number): Generator<ManifestStep> {
  if (!isListHeader(value) || !('items' in value) || !Array.isArray(value.items)) {
    yield { place: { document, item: undefined }, value, list: undefined };
    return;
  }
  for (const [i, item] of value.items.entries()) {
    yield { place: { document, item: i + 1 }, value: item, list: value };
  }
}

interface YamlPart {
  readonly document: number;
  /** The line of the file before the part's first one. */
  readonly firstLine: () => number;
}

function* yamlValues(text: string, { document, firstLine }: YamlPart): Generator<ManifestStep> {
  const place = { document, item: undefined };
  const values = yamlDocuments(text, { firstLine });
  if (typeof values === 'string') yield { place, reason: `it is not YAML: ${printable(values)}` };
  else for (const value of values) yield* itemsOf(value, document);
}

interface ListHeader {
  readonly apiVersion: unknown;
  readonly kind: unknown;
}

/** Lists of one kind ("ServiceList") leave out the kind of their items. */
export function isListHeader(value: unknown): value is ListHeader {
  return (
    typeof value === 'object' &&
    value !== null &&
    'kind' in value &&
    typeof value.kind === 'string' &&
    /^[A-Za-z]*List$/.test(value.kind)
  );
}

/** What could not be read, in place of a value. */
class Unreadable {
  readonly reason: string;

  constructor(reason: string) {
    this.reason = reason;
  }
}

function tryJson(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch (error) {
    return new Unreadable(`it is not JSON (half-written?): ${printable(String(error))}`);
  }
}

function printable(message: string): string {
  const plain = message.replace(/^\w*Error: /, '').replace(/\p{C}+/gu, ' ');
  return plain.length <= longestReason ? plain : quote(plain.slice(0, longestReason));
}
