// Namespaces for tests on the real kernel, and the refusal to run outside a sandbox. Not the sandbox itself: scripts/sandbox.
import { createNetns, Netns, removeNetns } from '../kernel/netns.ts';

/**
 * Throws unless this process runs in a network namespace of its own: NETLOOM_SANDBOX names a handle of the machine's root
 * namespace (scripts/sandbox binds it), and that is another than ours.
 */
export function refuseRoot(): void {
  const handle = process.env['NETLOOM_SANDBOX'];
  if (handle === undefined || handle === '') {
    throw new Error(
      'Cannot run tests on the real kernel: run them with scripts/sandbox (NETLOOM_SANDBOX is not set)',
    );
  }
  using outside = Netns.open(handle);
  using own = Netns.current();
  if (own.equals(outside)) {
    throw new Error(`Cannot run tests on the real kernel: this is the machine's own namespace ("${handle}")`);
  }
}

let made = 0;

/** A namespace of a test; `using` it closes and removes it. */
export interface TestNetns extends Disposable {
  readonly netns: Netns;
  /** For `ip -n NAME`. */
  readonly name: string;
}

export function testNetns(): TestNetns {
  refuseRoot();
  made += 1;
  const name = `netloom-test-${process.pid}-${made}`;
  const path = `/run/netns/${name}`;
  createNetns(path);
  const netns = Netns.open(path);
  return {
    netns,
    name,
    [Symbol.dispose]() {
      netns.close();
      removeNetns(path);
    },
  };
}
