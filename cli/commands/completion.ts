// `netloom completion SHELL`: a script that completes the commands and options of this very version.
import { Argument, Command } from 'commander';
import { type CommandWords, completionScript, completionShells } from '../completion-script.ts';
import type { CommandContext } from '../context.ts';

export function completionCommand(context: CommandContext, wholeProgram: () => Promise<Command>): Command {
  return new Command('completion')
    .description('Prints a completion script for your shell')
    .addArgument(new Argument('<shell>').choices(completionShells))
    .addHelpText(
      'after',
      `
Examples:
  source <(netloom completion bash)
  netloom completion zsh >"\${fpath[1]}/_netloom"
  netloom completion fish >~/.config/fish/completions/netloom.fish`,
    )
    .action(async (shell: string) => {
      const known = completionShells.find((name) => name === shell);
      if (known === undefined) throw new TypeError(`Cannot complete for shell "${shell}"`);
      context.terminal.print(completionScript(known, commandWords(await wholeProgram(), [])).trimEnd());
    });
}

/** The tree as the words that can be typed after each command. */
function commandWords(command: Command, path: readonly string[]): readonly CommandWords[] {
  const options = command.options
    .filter(({ hidden }) => !hidden)
    .map(({ long, description }) => ({ word: long ?? '', summary: description }))
    .filter(({ word }) => word !== '');
  const children = command.commands.map((child) => ({
    word: child.name(),
    summary: child.summary() || child.description(),
  }));
  return [
    { path, commands: children, options: [...options, { word: '--help', summary: 'Tells what it does' }] },
    ...command.commands.flatMap((child) => commandWords(child, [...path, child.name()])),
  ];
}
