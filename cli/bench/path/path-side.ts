// One side of the path's benchmark: two machines with their pods and the way between them, and what serves in the second pod. Ours and the
// peer's are the same but for who made the way.

import type { IpAddress } from '../../../net/address.ts';
import { openAgentDirectory } from '../bench-agent.ts';
import { startIperf } from './iperf.ts';
import { openHosts, type PathHosts } from './path-hosts.ts';
import { type Place, startJob } from './path-process.ts';

/** The pods' addresses. */
export interface PathEnds {
  readonly from: IpAddress;
  readonly to: IpAddress;
}

export interface PathSide extends AsyncDisposable, PathEnds {
  /** Undefined: ours. */
  readonly peer: string | undefined;
  /** Where packets start. */
  readonly pod: Place;
}

export interface OpenSide {
  readonly peer?: string;
  readonly signal: AbortSignal;
  /** With a server for it in the second pod. */
  readonly withIperf: boolean;
  readonly make: (
    hosts: PathHosts,
    options: Omit<Place, 'home'> & { readonly made: AsyncDisposableStack },
  ) => Promise<PathEnds>;
}

export async function openSide({ peer, signal, withIperf, make }: OpenSide): Promise<PathSide> {
  await using made = new AsyncDisposableStack();
  const { path: directory } = made.use(openAgentDirectory());
  const hosts = made.use(await openHosts());
  const ends = await make(hosts, { directory, signal, made });
  const serving = { home: hosts.second.pod, directory, signal };
  const back = { own: ends.to, peer: ends.from };
  for (const protocol of ['udp', 'tcp'] as const)
    made.use(await startJob({ do: 'answer', protocol, ...back }, serving));
  made.use(await startJob({ do: 'count', ...back }, serving));
  if (withIperf) made.use(await startIperf(ends.to, serving));
  const all = made.move();
  return {
    ...ends,
    peer,
    pod: { home: hosts.first.pod, directory, signal },
    [Symbol.asyncDispose]: () => all.disposeAsync(),
  };
}
