// The worker that a proof starts in each machine, as root: does what it is told on standard input until that ends, and then takes away
// what it made.
import { createInterface } from 'node:readline';
import { errorMessage } from '../../runtime/error-text.ts';
import { type Answer, parseOrder } from './orders.ts';
import { createWorker } from './worker.ts';

const worker = createWorker();
const answer = (message: Answer): void => void process.stdout.write(`${JSON.stringify(message)}\n`);
// The session may be cut while something is under way; what was made is taken away all the same.
process.stdout.on('error', () => undefined);
for (const signal of ['SIGHUP', 'SIGINT', 'SIGTERM'] as const)
  process.on(signal, () => process.stdin.destroy());

const under = new Set<Promise<void>>();
const lines = createInterface({ input: process.stdin });
lines.on('line', (line) => {
  const { id, order } = parseOrder(line);
  const done = worker
    .execute(order)
    .then(
      (result) => answer({ id, result }),
      (error: unknown) => answer({ id, error: errorMessage(error) }),
    )
    .finally(() => under.delete(done));
  under.add(done);
});
process.stdin.on('close', () => lines.close());
lines.on('close', () => {
  void Promise.allSettled([...under])
    .then(() => worker.close())
    .catch((error: unknown) => {
      process.stderr.write(`${errorMessage(error)}\n`);
      process.exitCode = 1;
    });
});
