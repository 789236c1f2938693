// Entry of the thread that carries the packets of the udp backend. The agent starts it; it is not a program.
import { parentPort, receiveMessageOnPort, workerData } from 'node:worker_threads';
import { ForwardLoop } from './forward-loop.ts';
import { UdpCounters } from './udp-counters.ts';
import type { WorkerCommand, WorkerStart } from './worker-messages.ts';

function main(): void {
  if (parentPort === null) throw new TypeError('Cannot carry packets: this is a thread of the agent');
  const port = parentPort;
  // The agent starts it with this, and leaves commands of this shape.
  const { wake, counters } = workerData as WorkerStart;
  const loop = new ForwardLoop({
    wake,
    counters: new UdpCounters(counters),
    command: () => receiveMessageOnPort(port)?.message as WorkerCommand | undefined,
    tell: (news) => port.postMessage(news),
  });
  try {
    loop.run();
  } finally {
    loop.free();
  }
}

main();
