import { describe, expect, test } from '@jest/globals';
import { type CommandWords, completionScript } from './completion-script.ts';

const word = (text: string) => ({ word: text, summary: `What "${text}" is` });
const tree: readonly CommandWords[] = [
  { path: [], commands: [word('lab'), word('status')], options: [word('--help')] },
  { path: ['lab'], commands: [word('up')], options: [word('--help')] },
  { path: ['lab', 'up'], commands: [], options: [word('--nodes'), word('--help')] },
  { path: ['status'], commands: [], options: [word('--json'), word('--help')] },
];

test('bash', () => {
  expect(completionScript('bash', tree)).toBe(`_netloom() {
  local current=\${COMP_WORDS[COMP_CWORD]} path= word words=
  for word in "\${COMP_WORDS[@]:1:COMP_CWORD-1}"; do
    [[ $word == -- ]] && return
    case "\${path:+$path }$word" in
      "lab" | "lab up" | "status") path="\${path:+$path }$word" ;;
    esac
  done
  if [[ $current == -* ]]; then
    case $path in
    "") words="--help" ;;
    "lab") words="--help" ;;
    "lab up") words="--nodes --help" ;;
    "status") words="--json --help" ;;
    esac
  else
    case $path in
    "") words="lab status" ;;
    "lab") words="up" ;;
    "lab up") words="" ;;
    "status") words="" ;;
    esac
  fi
  COMPREPLY=($(compgen -W "$words" -- "$current"))
}
complete -o default -F _netloom netloom
`);
});

test('zsh uses bash’s', () => {
  const script = completionScript('zsh', tree);
  expect(script.startsWith('#compdef netloom\n')).toBe(true);
  expect(script.endsWith(completionScript('bash', tree))).toBe(true);
});

describe('fish', () => {
  const lines = completionScript('fish', tree).split('\n');
  test.each([
    `complete -c netloom -f -n '__netloom_at ""' -a lab -d 'What "lab" is'`,
    `complete -c netloom -f -n '__netloom_at "lab"' -a up -d 'What "up" is'`,
    `complete -c netloom -n '__netloom_at "lab up"' -l nodes -d 'What "--nodes" is'`,
  ])('%s', (line) => {
    expect(lines).toContain(line);
  });
});
