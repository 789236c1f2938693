// The cases of the proxy's benchmark that every mode has in the same way, and nobody beside it: services that come and go, and a restart.
import type { BenchRow } from './bench.ts';
import type { BenchNetns } from './bench-netns.ts';
import {
  aloneRow,
  percentile99,
  rowsOf,
  type Samples,
  sampleInTurn,
  timed,
  type Way,
} from './compare-in-turn.ts';
import { median } from './paired.ts';
import type { ProxyMeasuring } from './proxy-measuring.ts';
import { modeText, openRig, type Rig, type RigMode } from './proxy-rig.ts';
import {
  type Amount,
  amountText,
  type Batch,
  changeBatch,
  serviceBatch,
  wholeBatch,
} from './proxy-services.ts';

/** Samples of a change in each round: they take less than a millisecond. */
const changesInRound = 100;

/** "10,000 x 3: ipvs, ": how rows begin. nftables is not named. */
export function casePrefix(amount: Amount, by: RigMode): string {
  return `${amountText(amount)}: ${modeText(by)}`;
}

/** One endpoint moves, of another service each time: from the tracker to the kernel. */
export function changing(rig: Rig, amount: Amount): Way {
  const spread = spreadOver(amount);
  return {
    times: changesInRound,
    async sample() {
      const { number, turn } = spread();
      const batch = changeBatch(number, { amount, moved: turn });
      return await timed(() => rig.take(batch));
    },
  };
}

/** `samples`: those of `changing`, then its peers'. */
export function changeRows(name: string, samples: readonly Samples[]): readonly BenchRow[] {
  return [
    ...rowsOf(`${name}, p50`, samples),
    aloneRow(`${name}, p99`, percentile99(samples[0]?.values ?? [])),
  ];
}

/** A service comes, grows by an endpoint and goes. */
export async function serviceCases(
  { progress, rows, runs, signal }: ProxyMeasuring,
  { amount, rig, by }: { readonly amount: Amount; readonly rig: Rig; readonly by: RigMode },
): Promise<void> {
  const prefix = casePrefix(amount, by);
  progress(`${prefix}services come, grow and go`);
  const number = amount.services;
  const whole = (there: boolean) => serviceBatch(number, { amount, there });
  const sized = (service: number, grown: boolean) => changeBatch(service, { amount, grown });
  const takes = (name: string, batch: Batch) => ({
    peer: `one service ${name}`,
    sample: () => timed(() => rig.take(batch)),
  });
  // Somebody else has that many endpoints: the chain that picks among them is there.
  await rig.take(sized(0, true));
  const samples = await sampleInTurn(
    Array.from({ length: changesInRound }, () => [
      takes('added', whole(true)),
      takes('resized', sized(number, true)),
      takes('removed', whole(false)),
    ]).flat(),
    { runs, signal },
  );
  await rig.take(sized(0, false));
  for (const name of ['added', 'resized', 'removed'].map((one) => `one service ${one}`)) {
    const values = samples.filter(({ peer }) => peer === name).flatMap((one) => one.values);
    rows.push(aloneRow(`${prefix}${name}`, median(values)));
  }
}

/** Each change is of the next service; once round, they change back. */
export function spreadOver(amount: Amount): () => { readonly number: number; readonly turn: boolean } {
  let count = 0;
  // No neighbours in a row, and all of them in the end: the step has no factor of the usual amounts.
  return () => {
    const number = (count * 7919) % amount.services;
    const turn = Math.floor(count / amount.services) % 2 === 0;
    count++;
    return { number, turn };
  };
}

/** A program that starts anew finds everything as it left it. */
export async function restartCase(
  { progress, rows, runs, signal }: ProxyMeasuring,
  { amount, by, home }: { readonly amount: Amount; readonly by: RigMode; readonly home: BenchNetns },
): Promise<void> {
  const name = `${casePrefix(amount, by)}restart with everything in place, no change made`;
  progress(name);
  const batch = wholeBatch(amount);
  await using filler = await openRig(home.netns, by);
  await filler.load(batch);
  const samples = await sampleInTurn(
    [
      {
        async sample() {
          await using rig = await openRig(home.netns, by);
          return await timed(async () => {
            const { changes } = await rig.load(batch);
            if (changes > 0) throw new RangeError(`A restart is no restart: it made ${changes} changes`);
          });
        },
      },
    ],
    { runs, signal },
  );
  rows.push(...rowsOf(name, samples));
}
