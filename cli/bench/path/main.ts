// Entry of the processes of the path's benchmark: `node cli/bench/path/main.ts JOB`. The benchmark starts them; nobody types this. A job
// is JSON; what serves says "ready" on standard output, what measures says its report.
import { writeSync } from 'node:fs';
import { errorMessage } from '../../../runtime/error-text.ts';
import { naiveLoop } from './naive-loop.ts';
import { decodeJob, type PathJob } from './path-job.ts';
import { answer, count, flow, ping } from './traffic.ts';

/** At once: a process that never gets back to its event loop prints nothing otherwise. */
function say(line: string): void {
  writeSync(1, `${line}\n`);
}

function run(job: PathJob): void {
  const onReady = (): void => say('ready');
  switch (job.do) {
    case 'answer':
      answer(job.protocol, job, onReady);
      break;
    case 'count':
      count(job, onReady);
      break;
    case 'flow':
      say(JSON.stringify(flow(job)));
      break;
    case 'ping':
      say(JSON.stringify(ping(job)));
      break;
    case 'naive-loop':
      naiveLoop({ ...job, onReady });
      break;
    default:
      job satisfies never;
  }
}

const [text] = process.argv.slice(2);
if (text === undefined) throw new SyntaxError('Cannot start without a job');
try {
  run(decodeJob(text));
} catch (error) {
  // Its words are all that the benchmark shows.
  writeSync(2, `${errorMessage(error)}\n`);
  process.exitCode = 1;
}
