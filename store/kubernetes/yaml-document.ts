// YAML by the library, with what can harm switched off: tags beyond the core schema's, long chains of aliases, texts that take
// seconds. A key that is given twice is an error: two readers could take different ones.
import { isNode, isScalar, LineCounter, type ParsedNode, parseAllDocuments, visit } from 'yaml';
import { quote } from '../store-error.ts';

/** The library takes about two seconds for a megabyte, and nothing else happens meanwhile. */
const largestText = 8 * 1024 * 1024;

/** More copies than that of what anchors name are an attack ("billion laughs"). */
const mostAliases = 100;

const coreTags: ReadonlySet<string> = new Set(
  ['str', 'int', 'float', 'bool', 'null', 'map', 'seq'].map((name) => `tag:yaml.org,2002:${name}`),
);

/** The values of the documents in a text, or why they cannot be read. `firstLine`: lines of the file before this text. */
export function yamlDocuments(
  text: string,
  { firstLine = () => 0 }: { readonly firstLine?: () => number } = {},
): readonly unknown[] | string {
  if (text.length > largestText) {
    return `a document of ${text.length} characters must be JSON: at most ${largestText} are taken of YAML`;
  }
  const lineCounter = new LineCounter();
  const at = (offset: number) => {
    const { line, col } = lineCounter.linePos(offset);
    return `line ${firstLine() + line}, column ${col}`;
  };
  try {
    const documents = parseAllDocuments(text, {
      version: '1.2',
      schema: 'core',
      merge: false,
      // Looked for below: the library takes quadratic time for it.
      uniqueKeys: false,
      prettyErrors: false,
      logLevel: 'silent',
      lineCounter,
    });
    const values: unknown[] = [];
    for (const document of 'empty' in documents ? [] : documents) {
      // An unknown tag is only a warning.
      const error = document.errors[0] ?? document.warnings[0];
      if (error !== undefined) return `${at(error.pos[0])}: ${error.message}`;
      const problem = refused(document.contents);
      if (problem !== undefined) return `${at(problem.offset)}: ${problem.message}`;
      values.push(document.toJS({ maxAliasCount: mostAliases }));
    }
    return values;
  } catch (error) {
    if (error instanceof RangeError) return 'it is nested too deep';
    return String(error);
  }
}

/** The first thing in a document that is YAML and that we do not take. */
function refused(
  contents: ParsedNode | null,
): { readonly offset: number; readonly message: string } | undefined {
  let problem: { offset: number; message: string } | undefined;
  const refuse = (node: unknown, message: string) => {
    problem = { offset: (isNode(node) ? node.range?.[0] : undefined) ?? 0, message };
    return visit.BREAK;
  };
  visit(contents, {
    Value: (_, node) =>
      node.tag === undefined || coreTags.has(node.tag)
        ? undefined
        : refuse(node, `tag ${quote(node.tag)} is not taken`),
    Map: (_, map) => {
      if (map.tag !== undefined && !coreTags.has(map.tag)) {
        return refuse(map, `tag ${quote(map.tag)} is not taken`);
      }
      const names = new Set<string>();
      for (const { key } of map.items) {
        const name = String(isScalar(key) ? key.value : key);
        if (names.has(name)) return refuse(key, `key ${quote(name)} is given twice`);
        names.add(name);
      }
      return undefined;
    },
  });
  return problem;
}
