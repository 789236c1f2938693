// The job of a reader that follows services: the real source, and the proxy's tracker that says which service ports follow from them.
import { createServiceTracker } from '../../../proxy/service-tracker.ts';
import { openServiceSource } from '../../../store/open-service-source.ts';
import { monotonic, type RunningJob, type ScaleJob, type ScaleNews } from './scale-job.ts';
import { readerName } from './scale-nodes.ts';

export async function openServiceReader(
  { source: choice }: Extract<ScaleJob, { readonly kind: 'services' }>,
  tell: (news: ScaleNews) => void,
): Promise<RunningJob> {
  const abort = new AbortController();
  const source = await openServiceSource(choice);
  const tracker = createServiceTracker({ family: 4, nodeName: readerName });
  tell({ news: 'began', at: monotonic() });
  const follow = async (): Promise<void> => {
    for await (const batch of source.watch(abort.signal)) {
      const at = monotonic();
      tracker.apply(batch);
      const { services, slices } = batch;
      tell({
        news: 'services',
        at,
        trackedAt: monotonic(),
        services: services.size,
        slices: slices.size,
      });
    }
  };
  const following = follow();
  return {
    async [Symbol.asyncDispose]() {
      abort.abort(new Error('The benchmark is over'));
      await following;
      await source.close();
    },
  };
}
