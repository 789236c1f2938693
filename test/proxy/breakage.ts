// One fault in what a mode made. Which there are is breakages.ts.
import { type FakeKernels, forkKernels } from './fake-kernels.ts';

export interface Breakage {
  readonly name: string;
  /** Does it to the kernels. */
  readonly apply: (kernels: FakeKernels) => Promise<void>;
  /** What becomes of packets does not tell: only a look at everything finds it. */
  readonly isUnseen?: true;
}

/** Kernels with the fault; those given stay as they are. */
export async function broken(kernels: FakeKernels, { apply }: Breakage): Promise<FakeKernels> {
  const forked = forkKernels(kernels);
  await apply(forked);
  return forked;
}
