// The cases of the whole daemon: a directory of manifests, the watch on it, the tracker, the mode, the kernel. From the files to the
// kernel's acknowledgement, at the start, at a restart, and when one file is replaced; and what the process weighs.
import { setTimeout as sleep } from 'node:timers/promises';
import type { Netns } from '../../kernel/netns.ts';
import { openNftDriver } from '../../kernel/nft/driver.ts';
import { proxyTableId } from '../../proxy/nftables/proxy-table.ts';
import { openBenchNetns } from './bench-netns.ts';
import { startBenchProxy } from './bench-proxy.ts';
import { aloneRow, percentile99, rowsOf, sampleInTurn } from './compare-in-turn.ts';
import { median } from './paired.ts';
import { openProxyDirectory, type ProxyDirectory } from './proxy-directory.ts';
import type { ProxyMeasuring } from './proxy-measuring.ts';
import { proxyMemory } from './proxy-memory.ts';
import { type Amount, amountText } from './proxy-services.ts';

/** Starts take seconds. */
const mostStarts = 3;
/** YAML takes a millisecond or two a service: more would take minutes. */
const mostInYaml = 10_000;
/** Between two files that are replaced: the directory rests for 20 ms after each look, the loop for 10 after each sync. */
const quiet = 60;
/** Files replaced for one figure. */
const eventsPerRun = 20;
/** How long a process does nothing before it is weighed. */
const idle = 3000;

export async function daemonCases(measuring: ProxyMeasuring, amount: Amount): Promise<void> {
  measuring.progress(`${amountText(amount)}: writing ${amount.services} manifests`);
  await using home = openBenchNetns();
  using directory = openProxyDirectory(amount, 'json');
  const at = { amount, directory, netns: home.netns };
  await startCases(measuring, at);
  if (amount.services <= mostInYaml) await yamlCase(measuring, at);
  await eventCase(measuring, at);
  await memoryCases(measuring, at);
}

interface Place {
  readonly amount: Amount;
  readonly directory: ProxyDirectory;
  readonly netns: Netns;
}

function wipe(netns: Netns): void {
  const driver = openNftDriver({ netns });
  try {
    driver.apply([{ kind: 'table-delete', table: proxyTableId(4) }]);
  } finally {
    driver.close();
  }
}

async function startCases({ progress, rows, runs, signal }: ProxyMeasuring, at: Place): Promise<void> {
  const prefix = amountText(at.amount);
  const load = `${prefix}: daemon, full load from JSON files`;
  const restart = `${prefix}: daemon, restart with everything in place, no change made`;
  progress(load);
  const samples = await sampleInTurn(
    [
      { peer: load, sample: () => startTime(at, 'load') },
      {
        peer: restart,
        async sample() {
          const time = await startTime(at, 'restart');
          wipe(at.netns);
          return time;
        },
      },
    ],
    { runs: Math.min(runs, mostStarts), signal },
  );
  for (const { peer = '', values } of samples) rows.push(aloneRow(peer, median(values)));
}

/** Milliseconds from the start to the end of the first sync. */
async function startTime({ netns, directory }: Place, kind: 'load' | 'restart'): Promise<number> {
  const begun = performance.now();
  await using proxy = await startBenchProxy(netns, directory);
  const { report, at } = await proxy.synced(({ full }) => full);
  if ((kind === 'restart') !== (report.changes === 0))
    throw new RangeError(`That was no ${kind}: ${report.changes} changes`);
  return at - begun;
}

async function yamlCase({ progress, rows }: ProxyMeasuring, { amount, netns }: Place): Promise<void> {
  const name = `${amountText(amount)}: daemon, full load from YAML files`;
  progress(name);
  using directory = openProxyDirectory(amount, 'yaml');
  const time = await startTime({ amount, directory, netns }, 'load');
  rows.push(aloneRow(name, time));
  wipe(netns);
}

async function eventCase(
  { progress, rows, runs, signal }: ProxyMeasuring,
  { amount, directory, netns }: Place,
): Promise<void> {
  const name = `${amountText(amount)}: daemon, one file replaced to the kernel`;
  progress(name);
  await using proxy = await startBenchProxy(netns, directory);
  await proxy.synced(({ full }) => full);
  // Its watches are made after the first read.
  await sleep(idle, undefined, { signal });
  let count = 0;
  const samples = await sampleInTurn(
    [
      {
        times: eventsPerRun,
        async sample() {
          const number = (count * 7919) % amount.services;
          const moved = Math.floor(count / amount.services) % 2 === 0;
          count++;
          const { commit } = directory.replace(number, { amount, moved });
          await sleep(quiet, undefined, { signal });
          const done = proxy.synced(({ full, changes }) => !full && changes > 0);
          const begun = performance.now();
          commit();
          return (await done).at - begun;
        },
      },
    ],
    { runs, signal },
  );
  rows.push(...rowsOf(`${name}, p50`, samples));
  rows.push(aloneRow(`${name}, p99`, percentile99(samples[0]?.values ?? [])));
}

/** One that reads what is there needs more for a while, and keeps it. */
async function memoryCases(
  { progress, rows, signal }: ProxyMeasuring,
  { amount, directory, netns }: Place,
): Promise<void> {
  wipe(netns);
  for (const start of ['a load', 'a restart']) {
    const name = `${amountText(amount)}: memory of a proxy's process, idle after ${start}`;
    progress(name);
    const bytes = await proxyMemory({ netns, directory, idle, signal });
    rows.push(aloneRow(name, bytes / 1e6, 'MB'));
  }
}
