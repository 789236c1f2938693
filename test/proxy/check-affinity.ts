// What session affinity means for the rows of a state: whoever came to an endpoint once comes to the same again, by whatever way leads to
// the service port (in IPVS mode: by the same way, as its virtual servers remember clients each for themselves); nobody else is concerned.
// In fake kernels.
import type { ProxyModeName } from '../../proxy/proxy-mode.ts';
import { errorMessage } from '../../runtime/error-text.ts';
import { failingRows } from './check-rows.ts';
import { type FakeKernels, forkKernels } from './fake-kernels.ts';
import { sendIn } from './fake-node.ts';
import type { PacketRow } from './packet-row.ts';

/** One line a row that does not hold after another packet was sent. The state has one service port a protocol. */
export function failingAffinity(
  kernels: FakeKernels,
  { rows, mode }: { readonly rows: readonly PacketRow[]; readonly mode: ProxyModeName },
): readonly string[] {
  const failing: string[] = [];
  for (const first of rows.filter(leads)) {
    for (let choice = 0; choice < first.outcomes.length; choice++) {
      const after = forkKernels(kernels);
      const sent = send(after, first, choice);
      const expected = rows.map((row) =>
        isOneMemory(row, first, mode) ? { ...row, outcomes: outcomesAfter(row, sent) } : row,
      );
      failing.push(
        ...failingRows(after, expected).map((line) => `after "${first.text}" went to ${sent}: ${line}`),
      );
    }
  }
  return failing;
}

function send(kernels: FakeKernels, { packet }: PacketRow, choice: number): string {
  try {
    return sendIn(kernels, packet, choice);
  } catch (error) {
    return errorMessage(error);
  }
}

function leads({ outcomes }: PacketRow): boolean {
  return outcomes.every((one) => !['REJECT', 'DROP', 'none'].includes(one));
}

function isOneMemory({ packet: one }: PacketRow, { packet: other }: PacketRow, mode: ProxyModeName): boolean {
  if (!one.source.equals(other.source) || one.protocol !== other.protocol) return false;
  return mode !== 'ipvs' || (one.destination.equals(other.destination) && one.port === other.port);
}

function outcomesAfter(row: PacketRow, sent: string): readonly string[] {
  const same = row.outcomes.filter((one) => endpointOf(one) === endpointOf(sent));
  // Where it may not go there, it goes where it may.
  return same.length === 0 ? row.outcomes : same;
}

function endpointOf(outcome: string): string {
  return outcome.split(' ')[0] ?? '';
}
