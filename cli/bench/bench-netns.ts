// A namespace for a benchmark, with no way out: made for one case and removed after it. Nothing else is measured in it.
import { execute } from '../../kernel/exec.ts';
import { createNetns, Netns, removeNetns } from '../../kernel/netns.ts';

let count = 0;

export interface BenchNetns extends AsyncDisposable {
  readonly name: string;
  readonly netns: Netns;
}

/** Makes "/run/netns/netloom-bench-PID-N". It shows in `ip netns` while the benchmark runs. */
export function openBenchNetns(): BenchNetns {
  const name = `netloom-bench-${process.pid}-${count++}`;
  const path = `/run/netns/${name}`;
  createNetns(path);
  const netns = Netns.open(path);
  return {
    name,
    netns,
    async [Symbol.asyncDispose]() {
      netns.close();
      removeNetns(path);
    },
  };
}

/** True when the program answers: a peer may be missing on this machine. */
export async function isInstalled(program: string): Promise<boolean> {
  try {
    await execute([program, '-V']);
    return true;
  } catch {
    return false;
  }
}
