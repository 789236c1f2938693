// Prints the files that a node needs beside the built programs: Node itself, and the packages that are not built in (rolldown.config.mjs says which), with
// what they need themselves and without what only their makers need. node-files.mjs x64|arm64 [DIRECTORY OF node_modules]; paths are relative to that.
import { existsSync, globSync, readFileSync } from 'node:fs';
import config from '../rolldown.config.mjs';

const [arch = '', root = '.'] = process.argv.slice(2);
if (arch !== 'x64' && arch !== 'arm64') {
  console.error(`node-files: want "x64" or "arm64", not "${arch}"`);
  process.exit(2);
}

/** Sources and documents of libraries, declarations, another C library's binding. Licences stay. */
const unneeded =
  /\.(?:d\.[cm]?ts|[cm]?ts|map|md|markdown|test\.js|cc|hh|h|inc|def|asm|S|ya?ml|tsbuildinfo)$|\/(?:docs?|vendor|tests?|fixtures?|examples?|benchmarks?|musl_[^/]*|\.github)\/|\/(?:CMakeLists\.txt|cnoke\.cjs)$/;
const licence = /\/(?:licen[cs]e|notice|copying)[^/]*$/i;

const { packages } = JSON.parse(readFileSync(`${root}/package-lock.json`, 'utf8'));
const taken = new Set();

function take(name) {
  const path = `node_modules/${name}`;
  if (taken.has(path) || !existsSync(`${root}/${path}`)) return;
  taken.add(path);
  const { dependencies, optionalDependencies } = packages[path];
  for (const other of Object.keys({ ...dependencies, ...optionalDependencies })) take(other);
}
config.external.forEach(take);

const node = `node_modules/node-linux-${arch}/bin/node`;
const binding = `node_modules/@koromix/koffi-linux-${arch}`;
for (const path of [node, binding]) {
  if (existsSync(`${root}/${path}`)) continue;
  console.error(`node-files: "${root}/${path}" is missing: the packages there are not those of ${arch}`);
  process.exit(1);
}
const files = [...taken]
  .flatMap((path) => globSync(`${path}/**`, { cwd: root, withFileTypes: true }))
  .filter((entry) => entry.isFile())
  .map((entry) => `${entry.parentPath}/${entry.name}`.slice(root === '.' ? 0 : root.length + 1))
  .filter((path) => licence.test(path) || !unneeded.test(path));
console.log([node, ...files].sort().join('\n'));
