import { describe, expect, test } from '@jest/globals';
import type { Command, CommanderError } from 'commander';
import type { CommandContext } from './context.ts';
import { buildProgram, commandNames, descendants } from './program.ts';
import { openTerminal } from './terminal.ts';

function testContext(): { readonly context: CommandContext; readonly out: string[]; readonly err: string[] } {
  const out: string[] = [];
  const err: string[] = [];
  const terminal = openTerminal({
    stdout: { write: (text: string) => out.push(text) },
    stderr: { write: (text: string) => err.push(text) },
    noColor: true,
  });
  const context: CommandContext = {
    terminal,
    signal: new AbortController().signal,
    env: {},
    program: 'netloom',
    releaseSignals: () => undefined,
    fail: () => undefined,
  };
  return { context, out, err };
}

/** Runs a command line that commander itself answers: help, or a complaint. */
async function answer(...argv: readonly string[]) {
  const { context, out, err } = testContext();
  const program = await buildProgram(context, argv[0]);
  const error = await program.parseAsync([...argv], { from: 'user' }).then(
    () => undefined,
    (thrown: CommanderError) => thrown,
  );
  return { exitCode: error?.exitCode, out: out.join(''), err: err.join('') };
}

test('only the command that is called is loaded', async () => {
  const program = await buildProgram(testContext().context, 'lab');
  const loaded = program.commands.filter((command) => command.options.length + command.commands.length > 0);
  expect(loaded.map((command) => command.name())).toEqual(['lab']);
  expect(program.commands.map((command) => command.name())).toEqual(commandNames);
});

describe('every command', () => {
  const path = (command: Command): string =>
    command.parent === null ? command.name() : `${path(command.parent)} ${command.name()}`;

  test('has a description, and help with examples of its own', async () => {
    const { context } = testContext();
    const program = await buildProgram(context, undefined);
    for (const command of descendants(program)) {
      expect([path(command), command.description()]).toEqual([path(command), expect.stringMatching(/\w/)]);
      if (command.commands.length > 0) continue;
      let help = '';
      command.configureOutput({ writeOut: (text) => (help += text) }).outputHelp();
      expect(help).toContain('Examples:');
      expect(help).toContain(path(command));
    }
  });
});

test.each([
  [
    ['lab', 'up', '--nodes', 'many'],
    "option '--nodes <n>' argument 'many' is invalid. Want a whole number from 1 to 50.",
  ],
  [['lab', 'up', '--backend', 'ipsec'], 'Allowed choices are vxlan, host-gw, ipip'],
  [['lab', 'check', '--nmae', 'x'], 'Did you mean --name?'],
  [['lab', 'pod', 'add'], "missing required argument 'pod'"],
  [['lab', 'exec', 'pod-1a'], "missing required argument 'command'"],
  [['lab', 'up', '--nodes', '51'], 'Want a whole number from 1 to 50.'],
  [['bench', 'nothing'], 'Allowed choices are kernel'],
  [['lba'], 'Did you mean lab?'],
  [['completion', 'tcsh'], 'Allowed choices are bash, zsh, fish.'],
])('%j is a usage error that says so', async (argv, words) => {
  const { exitCode, err, out } = await answer(...argv);
  expect(exitCode).toBe(1);
  expect(err).toMatch(/^netloom: /);
  expect(err).toContain(words);
  expect(out).toBe('');
});

test('help goes to standard output', async () => {
  const { exitCode, out, err } = await answer('lab', 'up', '--help');
  expect(exitCode).toBe(0);
  expect(out).toContain('netloom lab up --nodes 5 --backend host-gw');
  expect(err).toBe('');
});

test('the completion script knows the commands', async () => {
  const { out } = await answer('completion', 'bash');
  expect(out).toContain('"lab pod add") words="--node --label --name --json --help"');
});
