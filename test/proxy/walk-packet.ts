// Walks a packet of the table through fake kernels on the test node, in every way that random numbers can fall, and says in the
// table's words what becomes of it and how likely that is.
import { type Chance, everyOutcome } from '../../kernel/every-outcome.ts';
import type { HookOutcome } from '../../kernel/hook-outcome.ts';
import type { HookPart } from '../../kernel/hook-part.ts';
import { type Packet, packet } from '../../kernel/nft/packet.ts';
import { walkPacket } from '../../kernel/packet-way.ts';
import type { IpvsAnswer } from '../../kernel/packet-way-ipvs.ts';
import type { IpAddress } from '../../net/address.ts';
import { transportNumber } from '../../net/transport.ts';
import { endpointText, type TestPacket } from './packet-row.ts';
import { linkOf, linkTo } from './test-node.ts';

export interface RunKernels {
  readonly localAddresses: readonly IpAddress[];
  /** Runs the rules of the packet's hook. */
  hook(packet: Packet, chance: Chance, part?: HookPart): HookOutcome<unknown>;
  ipvs(packet: Packet, chance: Chance): IpvsAnswer | undefined;
}

/**
 * Likelihood by outcome. Outcomes are those of rows; " mark" and " priority" say that a packet left the node, or came to a queue of lo, with
 * something on it that rules put there. `kernels` are asked for each way anew: what packets leave in them must not be seen by the next.
 */
export function packetOutcomes(given: TestPacket, kernels: () => RunKernels): ReadonlyMap<string, number> {
  const chances = new Map<string, number>();
  for (const { result, probability } of everyOutcome((chance) => walkOnce(given, kernels(), chance)))
    chances.set(result, (chances.get(result) ?? 0) + probability);
  return chances;
}

/** One way of the packet. */
export function walkOnce(given: TestPacket, run: RunKernels, chance: Chance): string {
  const way = walkPacket((now, part) => run.hook(now, chance, part), {
    packet: packet({
      hook: given.from === 'node' ? 'output' : 'prerouting',
      saddr: given.source,
      daddr: given.destination,
      protocol: transportNumber[given.protocol],
      dport: given.port,
      iif: given.from === 'node' ? undefined : linkOf(given),
      ct: { state: given.flow },
    }),
    localAddresses: run.localAddresses,
    linkTo,
    ipvs: (now) => run.ipvs(now, chance),
  });
  if (way.verdict === 'drop') return 'DROP';
  if (way.verdict === 'reject') return 'REJECT';
  const { daddr, dport, ct, byIpvs } = way.packet;
  const queued = way.hops.find(({ hook }) => hook === 'postrouting')?.packet;
  return [
    ct.dnat === true || byIpvs === true ? endpointText(daddr, dport) : 'none',
    way.masqueraded ? ' masq' : '',
    (queued?.mark ?? 0) === 0 ? '' : ' mark',
    (queued?.priority ?? 0) === 0 ? '' : ' priority',
  ].join('');
}
