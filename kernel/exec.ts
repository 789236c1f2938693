// Runs programs to their end: an argument vector and standard input, never a shell. Long-running children are process.ts's.
import type { Netns } from './netns.ts';

export interface ExecuteOptions {
  /** Given to the program's standard input, which is closed after it. */
  readonly input?: string | Uint8Array;
  /** The namespace that the program runs in; our own if absent. */
  readonly netns?: Netns | undefined;
  readonly env?: Readonly<Record<string, string>>;
  /** False: the program finds nothing in its environment but `env`. */
  readonly inheritsEnv?: boolean;
  /** Kills the program (SIGTERM, after 2 s SIGKILL). */
  readonly signal?: AbortSignal;
  /** Milliseconds; 30 s if absent. */
  readonly timeout?: number;
  /** Exit codes that are success; 0 if absent. */
  readonly okCodes?: readonly number[];
}

export interface Executed {
  readonly exitCode: number;
  readonly stdout: string;
  readonly stderr: string;
}

/** A program that could not be started, was killed, or ended with another code than wanted. */
export class ProgramError extends Error {
  readonly program: string;
  /** Undefined when it did not start or was killed. */
  readonly exitCode: number | undefined;
  readonly stderr: string;

  constructor(
    message: string,
    detail: {
      readonly program: string;
      readonly exitCode: number | undefined;
      readonly stderr: string;
      readonly cause?: unknown;
    },
  ) {
    super(message, { cause: detail.cause });
    this.name = 'ProgramError';
    this.program = detail.program;
    this.exitCode = detail.exitCode;
    this.stderr = detail.stderr;
  }
}

/** Output beyond this many characters is cut: no program that we run has more to say. */
const longestOutput = 64 << 20;

/** Runs `command[0]` with the rest as its arguments. Throws ProgramError that quotes the command and its last words. */
export async function execute(
  command: readonly [string, ...string[]],
  options: ExecuteOptions = {},
): Promise<Executed> {
  const { netns, okCodes = [0] } = options;
  // Loaded when it is first needed: an agent that runs no program does without its hundred files and 5 MB.
  const { execa } = await import('execa');
  const [program, ...args] = netns === undefined ? command : enter(netns, command);
  const result = await execa(program, args, {
    reject: false,
    stripFinalNewline: false,
    maxBuffer: longestOutput,
    timeout: options.timeout ?? 30_000,
    forceKillAfterDelay: 2000,
    input: options.input ?? '',
    ...(options.env === undefined ? {} : { env: options.env }),
    extendEnv: options.inheritsEnv ?? true,
    ...(options.signal === undefined ? {} : { cancelSignal: options.signal }),
  });
  const { stdout, stderr, exitCode } = result;
  if (exitCode !== undefined && okCodes.includes(exitCode)) return { exitCode, stdout, stderr };
  const why = reasonOf(result);
  const words = stderr.trim().split('\n').slice(-3).join('; ');
  throw new ProgramError(`Cannot run "${command.join(' ')}": ${why}${words === '' ? '' : `: ${words}`}`, {
    program: command[0],
    exitCode,
    stderr,
    cause: result.cause,
  });
}

function reasonOf(result: {
  readonly exitCode?: number | undefined;
  readonly timedOut: boolean;
  readonly isCanceled: boolean;
  readonly signal?: string | undefined;
  readonly originalMessage?: string | undefined;
}): string {
  if (result.exitCode !== undefined) return `exit code ${result.exitCode}`;
  if (result.timedOut) return 'it took too long';
  if (result.isCanceled) return 'it was stopped';
  return result.signal === undefined
    ? (result.originalMessage ?? 'it did not start')
    : `killed by ${result.signal}`;
}

/** A child is started with our own namespace, whatever the thread's is; nsenter changes it, through our open handle. */
function enter(netns: Netns, command: readonly [string, ...string[]]): readonly [string, ...string[]] {
  return ['nsenter', `--net=/proc/${process.pid}/fd/${netns.fd}`, '--', ...command];
}
