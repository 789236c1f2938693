// The thread that carries packets, from the agent's side: started, told things, and stopped.
import { Worker } from 'node:worker_threads';
import { WakeUp } from '../../../kernel/tun/wake-up.ts';
import { programFile } from '../../../runtime/package-files.ts';
import type { WorkerCommand, WorkerNews, WorkerStart } from './worker-messages.ts';

/** Milliseconds that a thread may take to end before it is cut off: it looks up once a second at the latest. */
const patience = 5000;

export interface ForwarderThread {
  tell(command: WorkerCommand): void;
  /** Resolves when nothing of it runs any more. */
  stop(): Promise<void>;
}

export interface ThreadEvents {
  readonly onNews: (news: WorkerNews) => void;
  /** It ended without having been told to. */
  readonly onCrash: (error: Error) => void;
}

export type StartThread = (counters: SharedArrayBuffer, events: ThreadEvents) => ForwarderThread;

export const startForwarderThread: StartThread = (counters, { onNews, onCrash }) => {
  const wake = new WakeUp();
  const start: WorkerStart = { wake: wake.fd, counters };
  const worker = new Worker(programFile('agent/carrier/udp/worker-main'), {
    workerData: start,
    name: 'netloom-udp',
    env: {},
    // It makes next to no garbage; what it works on is not V8's.
    resourceLimits: { maxOldGenerationSizeMb: 64, maxYoungGenerationSizeMb: 2 },
  });
  let isStopping = false;
  let hasEnded = false;
  let failure: Error | undefined;
  worker.on('message', onNews);
  worker.on('error', (error) => {
    failure = error;
  });
  const ended = new Promise<void>((resolve) => {
    worker.once('exit', (code) => {
      hasEnded = true;
      wake[Symbol.dispose]();
      resolve();
      if (!isStopping) onCrash(failure ?? new Error(`The thread of backend "udp" ended with code ${code}`));
    });
  });
  function tell(command: WorkerCommand): void {
    // What woke it is another descriptor by now.
    if (hasEnded) return;
    worker.postMessage(command);
    wake.call();
  }

  return {
    tell,
    async stop() {
      if (isStopping || hasEnded) return ended;
      isStopping = true;
      tell({ kind: 'stop' });
      const cutOff = setTimeout(() => void worker.terminate(), patience);
      await ended;
      clearTimeout(cutOff);
    },
  };
};
