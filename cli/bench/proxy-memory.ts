// What a process of `netloom proxy` weighs: the program as it is installed, in a namespace, after it has programmed everything.
import { setTimeout as sleep } from 'node:timers/promises';
import type { Netns } from '../../kernel/netns.ts';
import { isRunning, residentMemory, startDaemon, stopProcesses } from '../../kernel/process.ts';
import { proxySocketPath } from '../../proxy/proxy-servers.ts';
import { programFile } from '../../runtime/package-files.ts';
import { unixRequest } from '../../runtime/unix-request.ts';
import type { ProxyDirectory } from './proxy-directory.ts';
import { podNetwork } from './proxy-services.ts';

/** Milliseconds until it must be ready. */
const patience = 120_000;

export interface ProxyMemoryOptions {
  readonly netns: Netns;
  readonly directory: ProxyDirectory;
  /** Milliseconds from its readiness to the look. */
  readonly idle: number;
  readonly signal: AbortSignal;
}

/** Resident bytes. Throws Error when it ends or does not get ready. */
export async function proxyMemory({ netns, directory, idle, signal }: ProxyMemoryOptions): Promise<number> {
  const command = [
    process.execPath,
    // As scripts/netloom starts it.
    '--max-semi-space-size=1',
    programFile('cli/main'),
    'proxy',
    `--service-directory=${directory.services}`,
    `--run-directory=${directory.run}`,
    `--cluster-cidr=${podNetwork}`,
    '--healthz-bind-address=',
    '--metrics-bind-address=',
    '--log-level=error',
  ] as const;
  const process_ = await startDaemon(command, { netns, logFile: directory.log });
  try {
    const deadline = performance.now() + patience;
    while (!(await isReady(directory))) {
      if (!isRunning(process_)) throw new Error('The proxy ended before it was ready');
      if (performance.now() > deadline) throw new Error('The proxy did not get ready');
      await sleep(100, undefined, { signal });
    }
    await sleep(idle, undefined, { signal });
    const bytes = residentMemory(process_.pid);
    if (bytes === undefined) throw new Error('The proxy ended before it was weighed');
    return bytes;
  } finally {
    await stopProcesses([process_], { grace: 5000 });
  }
}

async function isReady({ run }: ProxyDirectory): Promise<boolean> {
  try {
    await unixRequest({ socketPath: proxySocketPath(run), path: '/readyz', timeoutMs: 2000 });
    return true;
  } catch {
    return false;
  }
}
