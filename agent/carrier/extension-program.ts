// The operator's program of the extension backend: how it is called and what it may answer. It is named by the node's own settings; what a
// peer or the network's configuration says reaches it as JSON on standard input, never as an argument, in the environment or by a shell.
import { execute } from '../../kernel/exec.ts';
import type { Netns } from '../../kernel/netns.ts';
import type { JsonValue } from '../../store/go-json.ts';

/**
 * "advertise": standard output is what this node tells the others. "start": this node's lease is as the input says. "add" and "remove": a peer is
 * there, is as the input says now, or is gone. All of them may be called again with the same input.
 */
export type ExtensionVerb = 'advertise' | 'start' | 'add' | 'remove';

/** `call` runs it to its end. Rejects with ProgramError that quotes its last words, or Error when it says too much. */
export interface ExtensionProgram {
  call(verb: ExtensionVerb, input: JsonValue, signal: AbortSignal): Promise<string>;
}

export interface ExtensionProgramOptions {
  /** Absolute. */
  readonly path: string;
  /** Before the verb. */
  readonly args: readonly string[];
  /** Milliseconds. */
  readonly timeout: number;
  readonly netns?: Netns | undefined;
}

/** It becomes a part of the lease, which every other node reads. */
const longestAnswer = 4096;

/** The agent's own environment may hold passwords of its store. */
const environment = { PATH: '/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin', LANG: 'C.UTF-8' };

export function openExtensionProgram({
  path,
  args,
  timeout,
  netns,
}: ExtensionProgramOptions): ExtensionProgram {
  return {
    async call(verb, input, signal) {
      const { stdout } = await execute([path, ...args, verb], {
        input: `${JSON.stringify(input)}\n`,
        env: environment,
        inheritsEnv: false,
        timeout,
        signal,
        netns,
      });
      const answer = stdout.trim();
      if (answer.length > longestAnswer) {
        throw new Error(
          `Cannot use what "${path} ${verb}" prints: ${answer.length} characters, at most ${longestAnswer} are taken`,
        );
      }
      return answer;
    },
  };
}
