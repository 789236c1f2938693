// Writes share/, the licences and package.json of a release: write-share.mjs DIRECTORY VERSION ARCH SECONDS DIRECTORY-OF-node_modules. What is in them comes from the
// commands and the settings themselves; scripts/release calls it.
import { cpSync, existsSync, globSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { completionShells } from '../cli/completion-script.ts';
import { manualPages, settingsManual } from '../cli/manual-page.ts';
import { buildProgram } from '../cli/program.ts';
import { nodeSettings, settingsFileText } from '../cli/settings-file-text.ts';

const [directory, version, arch, date, packages] = process.argv.slice(2);
if (packages === undefined)
  throw new TypeError(
    'Cannot write a release: want a directory, a version, a processor, a time and the packages',
  );

function write(path, text) {
  mkdirSync(dirname(join(directory, path)), { recursive: true });
  writeFileSync(join(directory, path), text);
}

/** Runs a command line and returns what it prints. */
async function printed(argv) {
  const lines = [];
  const terminal = { print: (line) => lines.push(line), note: () => undefined };
  const context = { program: 'netloom', terminal, env: {}, signal: new AbortController().signal };
  const program = await buildProgram(context, argv?.[0]);
  if (argv === undefined) return program;
  await program.parseAsync(argv, { from: 'user' });
  return `${lines.join('\n')}\n`;
}

const own = JSON.parse(readFileSync('package.json', 'utf8'));
write(
  'package.json',
  `${JSON.stringify({ name: own.name, version, description: own.description, license: own.license, private: true, os: ['linux'], cpu: [arch] }, null, 2)}\n`,
);

write('share/netloom.yaml', settingsFileText());
const manual = { version, date: Number(date) };
for (const [name, page] of manualPages(await printed(undefined), manual))
  write(`share/man/man8/${name}`, page);
write('share/man/man5/netloom.yaml.5', settingsManual(nodeSettings, manual));
for (const shell of completionShells)
  write(`share/completions/netloom.${shell}`, await printed(['completion', shell]));
cpSync('deploy/systemd', join(directory, 'share/systemd'), { recursive: true });
for (const file of globSync('deploy/*.yml')) write(`share/${file}`, readFileSync(file));

// Of all that is built in or lies beside; what only developers need is not.
const { packages: locked } = JSON.parse(readFileSync(`${packages}/package-lock.json`, 'utf8'));
const missing = [];
for (const [path, { dev, license, version: of }] of Object.entries(locked)) {
  if (path === '' || dev === true || !existsSync(`${packages}/${path}`)) continue;
  const texts = globSync(`${packages}/${path}/*`).filter((file) =>
    /\/(?:licen[cs]e|notice|copying)[^/]*$/i.test(file),
  );
  const name = path.slice(path.lastIndexOf('node_modules/') + 'node_modules/'.length);
  const text = texts.map((file) => readFileSync(file, 'utf8')).join('\n');
  if (texts.length === 0) missing.push(name);
  write(
    `licenses/${name.replace('/', '-')}-${of}.txt`,
    `${name} ${of}\nLicence: ${license ?? 'see below'}\n\n${text || 'The package has no text of its licence.\n'}`,
  );
}
if (missing.length > 0) console.error(`release: no licence text in ${missing.join(', ')}`);
