// Compares what becomes of packets in fake kernels with rows of the packet table.
import type { ProxyModeName } from '../../proxy/proxy-mode.ts';
import type { FakeKernels } from './fake-kernels.ts';
import { outcomesIn } from './fake-node.ts';
import { type PacketRow, parseRows } from './packet-row.ts';
import type { PacketState } from './packet-state.ts';

const parsed = new WeakMap<PacketState, readonly PacketRow[]>();

/** The rows of a state that are about the mode. */
export function rowsFor(state: PacketState, mode: ProxyModeName): readonly PacketRow[] {
  const rows = parsed.get(state) ?? parseRows(state.rows);
  parsed.set(state, rows);
  return rows.filter(({ only }) => only?.includes(mode) ?? true);
}

/** One line a row that does not hold: the row, and what was seen instead. */
export function failingRows(kernels: FakeKernels, rows: readonly PacketRow[]): readonly string[] {
  return rows.flatMap((row) => {
    const seen = seenAs(row, outcomesIn(kernels, row.packet));
    return seen === undefined ? [] : [`${row.text}\n   but: ${seen}`];
  });
}

/** iptables rounds its probabilities to 2^-31. */
const tolerance = 1e-6;

function seenAs({ outcomes }: PacketRow, chances: ReadonlyMap<string, number>): string | undefined {
  const seen = [...chances.keys()].sort();
  if (seen.join() !== [...outcomes].sort().join()) return seen.join(', ');
  const isEven = [...chances.values()].every((chance) => Math.abs(chance - 1 / seen.length) < tolerance);
  return isEven ? undefined : [...chances].map(([one, chance]) => `${one} (${chance})`).join(', ');
}
