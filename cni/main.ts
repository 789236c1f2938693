// The plugin as a process of its own: what the launcher (cni/launcher.c) runs when there is no agent, and the executable where
// there is no launcher. It answers VERSION itself, hands everything else to the agent, and does the work itself when there is
// none. Nothing but the one answer goes to standard output.
import { readSync, writeSync } from 'node:fs';
import { askAgent, cniVariables } from './agent-client.ts';
import type { PluginOutput } from './plugin.ts';
import { aboutText, versionAnswer } from './versions.ts';

/** Bytes of standard input; a configuration has a few thousand. */
const longestInput = 1 << 20;

const pause = new Int32Array(new SharedArrayBuffer(4));

/** Retries `action` while the descriptor is not ready: a runtime may have made its pipes non-blocking. */
function whenReady<T>(action: () => T): T {
  for (;;) {
    try {
      return action();
    } catch (error) {
      if (!(error instanceof Error && 'code' in error && error.code === 'EAGAIN')) throw error;
      Atomics.wait(pause, 0, 0, 1);
    }
  }
}

/** Undefined when there is more than may be. */
function readInput(): Buffer | undefined {
  const chunks: Buffer[] = [];
  let size = 0;
  while (size <= longestInput) {
    const chunk = Buffer.allocUnsafe(1 << 16);
    const count = whenReady(() => readSync(0, chunk));
    if (count === 0) return Buffer.concat(chunks, size);
    chunks.push(chunk.subarray(0, count));
    size += count;
  }
  return undefined;
}

function write(fd: number, text: string): void {
  let rest = Buffer.from(text);
  while (rest.length > 0) rest = rest.subarray(whenReady(() => writeSync(fd, rest)));
}

async function answer(): Promise<PluginOutput> {
  const env = cniVariables(process.env);
  const command = env['CNI_COMMAND'] ?? '';
  if (command === '') return { exitCode: 0, stdout: '', stderr: aboutText() };
  if (command === 'VERSION') return { exitCode: 0, stdout: versionAnswer() };
  const stdin = readInput();
  if (stdin === undefined) {
    const msg = `Cannot decode the network configuration: it is longer than 1 MiB`;
    return { exitCode: 1, stdout: JSON.stringify({ code: 6, msg }) };
  }
  const outcome = await askAgent({ env, stdin });
  if (outcome.kind === 'answered') return outcome.answer;
  // Loaded only now: it is most of the program.
  const { agentFailed, runInProcess } = await import('./in-process.ts');
  return outcome.kind === 'failed'
    ? agentFailed(outcome.detail, { env, stdin })
    : await runInProcess({ env, stdin: stdin.toString('utf8') });
}

async function main(): Promise<void> {
  try {
    const { exitCode, stdout, stderr = '' } = await answer();
    write(2, stderr);
    write(1, stdout);
    process.exitCode = exitCode;
  } catch (error) {
    // A fault of ours, or a closed pipe: the runtime shows what it can get.
    process.exitCode = 1;
    write(1, JSON.stringify({ code: 999, msg: `netloom-cni failed: ${String(error)}` }));
  }
}

void main();
