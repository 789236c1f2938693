// One call as the agent and the executable do it: an ADD comes after the queued DELs of its own interface, and is undone when
// nobody waits for it any more. The work itself is runPlugin's.
import { CniError, cniCodes } from '../agent/wiring/cni-error.ts';
import { errorMessage } from '../runtime/error-text.ts';
import { stateDirectoryOf } from './agent-client.ts';
import { type KeptDel, replayDelQueue } from './del-queue.ts';
import { failedOutput, type PluginOutput, runPlugin } from './plugin.ts';
import type { PluginInput } from './request.ts';
import type { VerbContext } from './verb-context.ts';

export interface RunCallOptions {
  readonly context: VerbContext;
  /** Aborted when whoever called is gone. */
  readonly signal?: AbortSignal | undefined;
  /** Gets what nobody waits for: an ADD that could not be undone, spoilt entries of the queue. */
  readonly report?: (problem: string) => void;
}

/** Never rejects. */
export async function runCall(input: PluginInput, options: RunCallOptions): Promise<PluginOutput> {
  const { context, signal, report = () => undefined } = options;
  // Whoever gave up queued its DEL, or repeats it: to begin now could hit what came after.
  if (signal?.aborted)
    return failedOutput(new CniError(cniCodes.tryAgainLater, 'The caller is gone'), input.stdin);
  if (input.env['CNI_COMMAND'] !== 'ADD') return await runPlugin(input, context);
  try {
    await runOwnDels(input, { context, report });
  } catch (error) {
    return failedOutput(error, input.stdin);
  }
  const output = await runPlugin(input, context);
  // At once: before any other operation on the interface can begin.
  if (output.exitCode === 0 && signal?.aborted) await undo(input, { context, report });
  return output;
}

type Reporting = Required<Pick<RunCallOptions, 'context' | 'report'>>;

/** Rejects with CniError (try again later) when one fails: it would later hit what this ADD makes. */
async function runOwnDels({ env, stdin }: PluginInput, { context, report }: Reporting): Promise<void> {
  const { CNI_CONTAINERID: containerId = '', CNI_IFNAME: ifname = '' } = env;
  if (containerId === '') return;
  const { kept, spoilt } = await replayQueue({
    stateDirectory: stateDirectoryOf(stdin),
    containerId,
    run: (input) => runPlugin(input, context),
  });
  for (const problem of spoilt) report(problem);
  const first = kept.find((del) => del.ifname === ifname);
  if (first !== undefined) throw refusal(first);
}

/** A queue that cannot be read may hold a DEL of ours. */
async function replayQueue(options: Parameters<typeof replayDelQueue>[0]): ReturnType<typeof replayDelQueue> {
  try {
    return await replayDelQueue(options);
  } catch (cause) {
    throw new CniError(
      cniCodes.tryAgainLater,
      `Cannot look for queued DELs in "${options.stateDirectory}": ${errorMessage(cause)}`,
      { cause },
    );
  }
}

function refusal({ containerId, ifname, why }: KeptDel): CniError {
  return new CniError(
    cniCodes.tryAgainLater,
    `An earlier DEL of interface "${ifname}" of container "${containerId}" is queued and fails`,
    { details: why },
  );
}

async function undo({ env, stdin }: PluginInput, { context, report }: Reporting): Promise<void> {
  const { exitCode, stdout } = await runPlugin({ env: { ...env, CNI_COMMAND: 'DEL' }, stdin }, context);
  if (exitCode !== 0)
    report(`Cannot undo the ADD of container "${env['CNI_CONTAINERID']}", whose caller is gone: ${stdout}`);
}
