// Compares what becomes of real packets with rows of the packet table.
import type { IpAddress } from '../../net/address.ts';
import { errorMessage } from '../../runtime/error-text.ts';
import { endpointText, type PacketRow, type TestPacket } from './packet-row.ts';
import type { RealNode } from './real-node.ts';
import { type Seen, sendPacket } from './real-packet.ts';
import { isOwnAddress } from './test-node.ts';

/** Milliseconds: for packets that must be answered or refused, and for those that must not. */
const patience = { answer: 15_000, silence: 200 } as const;

/** A row with several endpoints is tried so many times. Which are drawn is chance: that all are is for fakes and `chiSquare`. */
const tries = 4;

/**
 * Rows whose packets can be sent here: of a transport that the kernel has, the first of a connection, from an address that somebody
 * has, by the usual link.
 */
export function canBeSent({ packet }: PacketRow, world: RealNode): boolean {
  const { from, source, destination, protocol, flow, link } = packet;
  if (protocol === 'sctp' || flow !== 'new' || link !== undefined) return false;
  // The kernel takes packets for 127.0.0.0/8 from nobody else; whether it would is asked of fakes.
  if (destination.isLoopback && !source.isLoopback) return false;
  return world.hasSender(from, source);
}

export interface RealRowOptions {
  readonly rows: readonly PacketRow[];
  /** What was there of earlier rows still waits for the end of its connections: it refuses new ones. */
  readonly isDraining: (packet: TestPacket) => boolean;
}

/** One line a row that does not hold. */
export async function failingRealRows(
  world: RealNode,
  { rows, isDraining }: RealRowOptions,
): Promise<readonly string[]> {
  const failing = await Promise.all(rows.map((row) => failingRow(world, { row, isDraining })));
  return failing.flat();
}

async function failingRow(
  world: RealNode,
  { row, isDraining }: Pick<RealRowOptions, 'isDraining'> & { readonly row: PacketRow },
): Promise<readonly string[]> {
  const [first] = row.outcomes;
  const count = row.outcomes.length > 1 ? tries : 1;
  const options = {
    netns: world.holder(row.packet.source),
    patience: first === 'DROP' ? patience.silence : patience.answer,
  };
  const seen = await Promise.all(
    Array.from({ length: count }, () =>
      sendPacket(row.packet, options).then(
        (one) => outcomeOf(one, row),
        (error: unknown) => errorMessage(error),
      ),
    ),
  );
  const allowed = row.outcomes.map((one) => expected(one, row.packet.source));
  if ((first === 'none' || first === 'DROP') && isDraining(row.packet)) allowed.push('REJECT');
  const wrong = [...new Set(seen)].filter((one) => !allowed.includes(one));
  return wrong.length === 0 ? [] : [`${row.text}\n   but: ${wrong.join(', ')}`];
}

/** Masquerading what the node sends itself cannot be seen: it is the node either way. */
function expected(outcome: string, source: IpAddress): string {
  return isOwnAddress(source) ? outcome.replace(' masq', '') : outcome;
}

function outcomeOf(seen: Seen, { packet }: PacketRow): string {
  switch (seen.kind) {
    case 'refused':
      return 'REJECT';
    case 'silence':
      return 'DROP';
    case 'answer': {
      const { at, saw } = seen.sighting;
      const to = at === endpointText(packet.destination, packet.port) ? 'none' : at;
      if (saw.equals(packet.source) || isOwnAddress(packet.source)) return to;
      return isOwnAddress(saw) ? `${to} masq` : `${to} as ${saw}`;
    }
    default:
      return seen satisfies never;
  }
}
