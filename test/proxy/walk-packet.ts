// Walks a packet of the table through fake kernels on the test node, in every way that random numbers can fall, and says in the
// table's words what becomes of it and how likely that is.
import { type Chance, everyOutcome } from '../../kernel/every-outcome.ts';
import type { Packet } from '../../kernel/nft/packet.ts';
import { packet } from '../../kernel/nft/packet.ts';
import { type HookOutcome, walkPacket } from '../../kernel/packet-way.ts';
import { transportNumber } from '../../net/transport.ts';
import { endpointText, type TestPacket } from './packet-row.ts';
import { linkOf, linkTo, ownAddresses } from './test-node.ts';

/** Runs the rules of the packet's hook. */
export type RunHook = (packet: Packet, chance: Chance) => HookOutcome<unknown>;

/**
 * Likelihood by outcome. Outcomes are those of rows; " mark" and " priority" say that a packet left the node, or came to a queue of lo, with
 * something on it that rules put there. `kernel` is asked for each way anew: what packets leave in it must not be seen by the next.
 */
export function packetOutcomes(given: TestPacket, kernel: () => RunHook): ReadonlyMap<string, number> {
  const chances = new Map<string, number>();
  for (const { result, probability } of everyOutcome((chance) => walkOnce(given, kernel(), chance)))
    chances.set(result, (chances.get(result) ?? 0) + probability);
  return chances;
}

/** One way of the packet. */
export function walkOnce(given: TestPacket, run: RunHook, chance: Chance): string {
  const way = walkPacket((now) => run(now, chance), {
    packet: packet({
      hook: given.from === 'node' ? 'output' : 'prerouting',
      saddr: given.source,
      daddr: given.destination,
      protocol: transportNumber[given.protocol],
      dport: given.port,
      iif: given.from === 'node' ? undefined : linkOf(given),
      ct: { state: given.flow },
    }),
    localAddresses: ownAddresses,
    linkTo,
  });
  if (way.verdict === 'drop') return 'DROP';
  if (way.verdict === 'reject') return 'REJECT';
  const { daddr, dport, ct } = way.packet;
  const queued = way.hops.find(({ hook }) => hook === 'postrouting')?.packet;
  return [
    ct.dnat === true ? endpointText(daddr, dport) : 'none',
    way.masqueraded ? ' masq' : '',
    (queued?.mark ?? 0) === 0 ? '' : ' mark',
    (queued?.priority ?? 0) === 0 ? '' : ' priority',
  ].join('');
}
