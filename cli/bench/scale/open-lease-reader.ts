// Jobs of a reader that follow leases: the real store alone, or with a whole agent behind it that programs a namespace.
import { isReady } from '../../../agent/status.ts';
import { Netns } from '../../../kernel/netns.ts';
import type { Lease } from '../../../store/lease.ts';
import { openLeaseStore } from '../../../store/open-lease-store.ts';
import { startBenchAgent } from '../bench-agent.ts';
import { monotonic, type RunningJob, type ScaleJob, type ScaleNews } from './scale-job.ts';
import { readerName, readerRequest } from './scale-nodes.ts';

type LeaseJob = Extract<ScaleJob, { readonly kind: 'leases' | 'agent' }>;

export async function openLeaseReader(job: LeaseJob, tell: (news: ScaleNews) => void): Promise<RunningJob> {
  return job.kind === 'leases' ? await followLeases(job, tell) : await runAgent(job, tell);
}

async function followLeases(
  { store: choice }: Extract<LeaseJob, { readonly kind: 'leases' }>,
  tell: (news: ScaleNews) => void,
): Promise<RunningJob> {
  const abort = new AbortController();
  const { signal } = abort;
  const store = await openLeaseStore(choice);
  let lease: Lease | undefined;
  tell({ news: 'began', at: monotonic() });
  const follow = async (): Promise<void> => {
    for await (const { leases, problems } of store.watch(signal))
      tell({ news: 'leases', at: monotonic(), leases: leases.size, problems: problems.length });
  };
  const following = follow();
  return {
    async acquire() {
      lease = await store.acquire(readerRequest, signal);
    },
    async renew() {
      if (lease === undefined) throw new Error('There is no lease to renew: acquire one first');
      lease = await store.renew(lease, signal);
    },
    async [Symbol.asyncDispose]() {
      abort.abort(new Error('The benchmark is over'));
      await following;
      await store.close();
    },
  };
}

async function runAgent(
  { store: choice, netns: path, directory }: Extract<LeaseJob, { readonly kind: 'agent' }>,
  tell: (news: ScaleNews) => void,
): Promise<RunningJob> {
  const netns = Netns.open(path);
  const store = await openLeaseStore(choice);
  tell({ news: 'began', at: monotonic() });
  const running = startBenchAgent({
    netns,
    store,
    directory,
    node: readerName,
    onPass: (state) => {
      const steps = [...(state.pass?.steps.values() ?? [])].reduce((sum, count) => sum + count, 0);
      const peers = state.pass?.desired?.peers.length ?? 0;
      tell({ news: 'pass', at: monotonic(), peers, ready: isReady(state), steps });
    },
  });
  return {
    async [Symbol.asyncDispose]() {
      await running.stop();
      await store.close();
      netns.close();
    },
  };
}
