// The job of many nodes in one process: each has a store of its own with its own connections, as the agents of a cluster have. It tells
// how many of them hear their store, and how often they try to connect.
import { subscribe, unsubscribe } from 'node:diagnostics_channel';
import { openLeaseStore } from '../../../store/open-lease-store.ts';
import { monotonic, type RunningJob, type ScaleJob, type ScaleNews } from './scale-job.ts';

/** Milliseconds between two words about attempts. */
const tellMs = 100;
/** Where Node tells of each socket that is to be connected. */
const channel = 'net.client.socket';

export async function openCrowd(
  { store: choice, clients }: Extract<ScaleJob, { readonly kind: 'crowd' }>,
  tell: (news: ScaleNews) => void,
): Promise<RunningJob> {
  const abort = new AbortController();
  let attempts = 0;
  const count = (): void => {
    attempts++;
  };
  subscribe(channel, count);
  const telling = setInterval(() => {
    if (attempts > 0) tell({ news: 'attempts', at: monotonic(), count: attempts });
    attempts = 0;
  }, tellMs);
  const connected = new Set<number>();
  tell({ news: 'began', at: monotonic() });
  const follow = async (client: number): Promise<void> => {
    const store = await openLeaseStore(choice, {
      onStatus: (status) => {
        if ('connected' in status && status.connected) connected.add(client);
        else connected.delete(client);
        tell({ news: 'crowd', at: monotonic(), connected: connected.size });
      },
    });
    try {
      for await (const _ of store.watch(abort.signal)) {
        // What they hear is the same for all; that they hear it is what counts here.
      }
    } finally {
      await store.close();
    }
  };
  const following = Promise.all(Array.from({ length: clients }, (_, client) => follow(client)));
  return {
    async [Symbol.asyncDispose]() {
      clearInterval(telling);
      unsubscribe(channel, count);
      abort.abort(new Error('The benchmark is over'));
      await following;
    },
  };
}
