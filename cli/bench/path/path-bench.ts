// `netloom bench path`: what a packet between pods of two nodes costs with each backend, beside the same way made by hand, in turn. TCP's
// throughput is iperf3's word; packets and round trips are counted by processes of our own (traffic.ts), because programs with an event
// loop, and iperf3 with small packets, measure themselves.
import { errorMessage } from '../../../runtime/error-text.ts';
import type { Bench, BenchOptions, BenchRow } from '../bench.ts';
import { isInstalled } from '../bench-netns.ts';
import { rowsOf } from '../compare-in-turn.ts';
import { hasIperf, runIperf } from './iperf.ts';
import { makeOurPath } from './our-path.ts';
import { type PathBackend, pathBackends } from './path-backends.ts';
import { runFlow, runPing } from './path-process.ts';
import { type OpenSide, openSide, type PathSide } from './path-side.ts';
import { makePeerPath, peerName } from './peer-path.ts';

/** Bytes of IP packets: of a question, and of a full packet that every backend carries whole. */
const packetSizes = [64, 1400] as const;
/** Bytes of what is written at once, where TCP cuts packets itself: the last is iperf3's own choice, with which the path is what counts. */
const writeSizes = [...packetSizes, 131_072] as const;
const defaultSeconds = 1;

/** What is measured at once: figures by the case and the unit of their row. */
interface Measurement {
  readonly case: string;
  readonly rows: readonly { readonly end: string; readonly unit: string }[];
  /** In the order of the rows. */
  readonly sample: (side: PathSide) => Promise<readonly number[]>;
}

function measurements(options: {
  readonly seconds: number;
  readonly withIperf: boolean;
}): readonly Measurement[] {
  const { seconds, withIperf } = options;
  const between = ({ from, to }: PathSide) => ({ own: from, peer: to, seconds });
  const writes = writeSizes.map(
    (length): Measurement => ({
      case: `TCP, ${length} bytes a write`,
      rows: [{ end: '', unit: 'Gbit/s' }],
      sample: async ({ to, pod }) => [(await runIperf({ to, length, seconds }, pod)) / 1e9],
    }),
  );
  const flows = packetSizes.map(
    (size): Measurement => ({
      case: `UDP, ${size} bytes`,
      rows: [
        { end: '', unit: 'kpps' },
        { end: ', throughput', unit: 'Gbit/s' },
      ],
      async sample(side) {
        const job = { do: 'flow', protocol: 'udp', size, ...between(side) } as const;
        const { received, milliseconds } = await runFlow(job, side.pod);
        const kpps = received / milliseconds;
        return [kpps, (kpps * size * 8) / 1e6];
      },
    }),
  );
  const pings = (['tcp', 'udp'] as const).flatMap((protocol) =>
    packetSizes.map(
      (size): Measurement => ({
        case: `${protocol.toUpperCase()}, ${size} bytes there and back`,
        rows: [
          { end: '', unit: 'us' },
          { end: ', p99', unit: 'us' },
        ],
        async sample(side) {
          const { median, p99 } = await runPing({ do: 'ping', protocol, size, ...between(side) }, side.pod);
          return [median, p99];
        },
      }),
    ),
  );
  return [...(withIperf ? writes : []), ...flows, ...pings];
}

interface Measuring extends BenchOptions {
  readonly withIperf: boolean;
}

async function measure(backend: PathBackend, options: Measuring): Promise<readonly BenchRow[]> {
  const { runs, signal, progress, withIperf, seconds = defaultSeconds } = options;
  await using ours = await openOrTell(backend.name, options, {
    make: (hosts, place) => makeOurPath(hosts, { ...place, backend }),
  });
  if (ours === undefined) return [];
  const peer = peerName(backend);
  await using theirs = await openOrTell(`${backend.name}, ${peer}`, options, {
    peer,
    make: (hosts, place) => makePeerPath(hosts, { ...place, backend }),
  });
  const rows: BenchRow[] = [];
  for (const item of measurements({ seconds, withIperf })) {
    progress(`${backend.name}: ${item.case}`);
    const sides = [ours, theirs]
      .filter((side) => side !== undefined)
      .map((side) => ({ side, samples: [] as (readonly number[])[] }));
    for (let round = 0; round <= runs; round++) {
      for (const { side, samples } of sides) {
        signal.throwIfAborted();
        const sample = await item.sample(side);
        // Round 0 warms up.
        if (round > 0) samples.push(sample);
      }
    }
    for (const [place, { end, unit }] of item.rows.entries()) {
      const samples = sides.map(({ side, samples: all }) => ({
        peer: side.peer,
        values: all.map((values) => values[place] ?? Number.NaN),
      }));
      rows.push(...rowsOf(`${backend.name}, ${item.case}${end}`, samples, { unit }));
    }
  }
  return rows;
}

/** Undefined when this machine cannot have it. */
async function openOrTell(
  what: string,
  { signal, withIperf, leaveOut }: Measuring,
  side: Pick<OpenSide, 'peer' | 'make'>,
): Promise<PathSide | undefined> {
  try {
    return await openSide({ ...side, signal, withIperf });
  } catch (error) {
    signal.throwIfAborted();
    leaveOut(`${what}: ${errorMessage(error)}`);
    return undefined;
  }
}

export const pathBench: Bench = {
  name: 'path',
  summary: 'packets between pods of two nodes with each backend; beside the same way made by hand',
  backends: pathBackends.map(({ name }) => name),
  async run(options) {
    if (!(await isInstalled('ip')))
      throw new Error('Cannot measure the path: "ip" (iproute2) is not on this machine');
    const { backends = pathBackends.map(({ name }) => name), leaveOut } = options;
    const withIperf = await hasIperf();
    if (!withIperf) leaveOut('the throughput of TCP: iperf3 is not on this machine');
    const rows: BenchRow[] = [];
    for (const backend of pathBackends) {
      if (!backends.includes(backend.name)) continue;
      options.progress(backend.name);
      rows.push(...(await measure(backend, { ...options, withIperf })));
    }
    if (rows.length === 0) throw new Error('Cannot measure any path on this machine');
    return rows;
  },
};
