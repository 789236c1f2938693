// A reader of the stores' benchmark: a process of its own, so that its processor time and its memory are those of what it does. It gets a
// job over a unix socket, tells what it sees, and ends when that socket closes.
import { once } from 'node:events';
import { connect } from 'node:net';
import { errorMessage } from '../../../runtime/error-text.ts';
import { readMessages, sendMessage } from './message-lines.ts';
import { openCrowd } from './open-crowd.ts';
import { openLeaseReader } from './open-lease-reader.ts';
import { openServiceReader } from './open-service-reader.ts';
import type { RunningJob, ScaleJob, ScaleMessage, ScaleNews, ScaleRequest, Usage } from './scale-job.ts';

export async function runReader(path: string): Promise<void> {
  const socket = connect(path);
  const closed = once(socket, 'close');
  const send = (message: ScaleMessage): void => sendMessage(socket, message);
  const first = Promise.withResolvers<ScaleJob>();
  let job: RunningJob | undefined;
  let isFirst = true;
  readMessages<ScaleJob | ScaleRequest>(socket, (message) => {
    if ('kind' in message) {
      if (isFirst) first.resolve(message);
      isFirst = false;
    } else void answer(message).then(send);
  });
  const answer = async ({ ask }: ScaleRequest): Promise<ScaleMessage> => {
    if (ask === 'usage') return { answer: 'usage', usage: usageNow() };
    try {
      await (ask === 'acquire' ? job?.acquire?.() : job?.renew?.());
      return { answer: 'done' };
    } catch (error) {
      return { failed: errorMessage(error) };
    }
  };
  try {
    job = await openJob(await first.promise, send);
    await closed;
  } catch (error) {
    send({ failed: errorMessage(error) });
    socket.end();
  } finally {
    await job?.[Symbol.asyncDispose]();
  }
}

function openJob(job: ScaleJob, tell: (news: ScaleNews) => void): Promise<RunningJob> {
  switch (job.kind) {
    case 'leases':
    case 'agent':
      return openLeaseReader(job, tell);
    case 'services':
      return openServiceReader(job, tell);
    case 'crowd':
      return openCrowd(job, tell);
    default:
      return job satisfies never;
  }
}

function usageNow(): Usage {
  const { userCPUTime, systemCPUTime, maxRSS } = process.resourceUsage();
  return {
    cpu: (userCPUTime + systemCPUTime) / 1000,
    resident: process.memoryUsage.rss(),
    peak: maxRSS * 1024,
  };
}
