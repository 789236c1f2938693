// Completion scripts for three shells out of the words of the command tree. Pure text.
export const completionShells = ['bash', 'zsh', 'fish'] as const;
export type CompletionShell = (typeof completionShells)[number];

export interface Word {
  readonly word: string;
  readonly summary: string;
}

/** What can follow one command: `path` is empty for `netloom` itself, ["lab", "pod"] for `netloom lab pod`. */
export interface CommandWords {
  readonly path: readonly string[];
  readonly commands: readonly Word[];
  readonly options: readonly Word[];
}

export function completionScript(shell: CompletionShell, tree: readonly CommandWords[]): string {
  switch (shell) {
    case 'bash':
      return bashScript(tree);
    case 'zsh':
      return `#compdef netloom\nautoload -U +X bashcompinit && bashcompinit\n${bashScript(tree)}`;
    case 'fish':
      return fishScript(tree);
    default:
      return shell satisfies never;
  }
}

/** Finds the command by the words that are no options, then offers its subcommands, or its options after a "-". */
function bashScript(tree: readonly CommandWords[]): string {
  const cases = (pick: (node: CommandWords) => readonly Word[]): string =>
    tree
      .map(
        (node) =>
          `    "${node.path.join(' ')}") words="${pick(node)
            .map(({ word }) => word)
            .join(' ')}" ;;`,
      )
      .join('\n');
  const paths = tree.filter(({ path }) => path.length > 0).map(({ path }) => `"${path.join(' ')}"`);
  return `_netloom() {
  local current=\${COMP_WORDS[COMP_CWORD]} path= word words=
  for word in "\${COMP_WORDS[@]:1:COMP_CWORD-1}"; do
    [[ $word == -- ]] && return
    case "\${path:+$path }$word" in
      ${paths.join(' | ')}) path="\${path:+$path }$word" ;;
    esac
  done
  if [[ $current == -* ]]; then
    case $path in
${cases(({ options }) => options)}
    esac
  else
    case $path in
${cases(({ commands }) => commands)}
    esac
  fi
  COMPREPLY=($(compgen -W "$words" -- "$current"))
}
complete -o default -F _netloom netloom
`;
}

/** The same walk in fish's language, as a condition that its completions name. */
function fishScript(tree: readonly CommandWords[]): string {
  const paths = tree.filter(({ path }) => path.length > 0).map(({ path }) => `'${path.join(' ')}'`);
  const lines = tree.flatMap(({ path, commands, options }) => {
    const when = `-n '__netloom_at "${path.join(' ')}"'`;
    const describe = (summary: string): string =>
      `-d '${summary.split('\n')[0]?.replaceAll("'", '’') ?? ''}'`;
    return [
      ...commands.map(
        ({ word, summary }) => `complete -c netloom -f ${when} -a ${word} ${describe(summary)}`,
      ),
      ...options.map(
        ({ word, summary }) => `complete -c netloom ${when} -l ${word.slice(2)} ${describe(summary)}`,
      ),
    ];
  });
  return `function __netloom_at
  set -l path
  for word in (commandline -opc)[2..]
    contains -- (string join ' ' $path $word) ${paths.join(' ')}; and set path $path $word
  end
  test (string join ' ' $path) = "$argv[1]"
end
${lines.join('\n')}
`;
}
