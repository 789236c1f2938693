// The cases of the proxy's nftables mode that need no daemon and have peers: full load, one endpoint changed, and how long a load keeps the
// event loop. Beside `nft -f` of our own table and of kube-proxy's layout, each in a namespace of its own.
import { monitorEventLoopDelay } from 'node:perf_hooks';
import { setTimeout as sleep } from 'node:timers/promises';
import { execute } from '../../kernel/exec.ts';
import { openNftDriver } from '../../kernel/nft/driver.ts';
import { type BenchNetns, isInstalled, openBenchNetns } from './bench-netns.ts';
import { aloneRow, rowsOf, sampleInTurn, timed, type Way } from './compare-in-turn.ts';
import { kubeProxyLayout, type NftText, ownLayout } from './nft-peers.ts';
import { median } from './paired.ts';
import type { ProxyMeasuring } from './proxy-measuring.ts';
import { openRig, type Rig } from './proxy-rig.ts';
import { changeRows, changing, restartCase, serviceCases } from './proxy-rig-cases.ts';
import { type Amount, amountText, wholeBatch } from './proxy-services.ts';

/** Above so many services kube-proxy's layout takes minutes. */
export const mostForKubeProxy = 10_000;

/** Most rounds of a load that takes seconds. */
const mostLoads = 3;

/** Milliseconds in which the watch on the event loop looks several times. */
const loopLook = 10;

const by = { kind: 'nftables' } as const;

export async function nftablesCases(measuring: ProxyMeasuring, amount: Amount): Promise<void> {
  await using home = openBenchNetns();
  await using peers = await openPeers(home, amount);
  await loadCase(measuring, { amount, home, peers: peers.all });
  await using rig = await openRig(home.netns, by);
  await rig.load(wholeBatch(amount));
  await changeCases(measuring, { amount, rig, peers: peers.all });
  await serviceCases(measuring, { amount, rig, by });
  await restartCase(measuring, { amount, by, home });
}

interface Peer {
  readonly text: NftText;
  readonly home: BenchNetns;
  readonly series: 'nft' | 'kube-proxy';
}

/** Where `nft` is, with our own table as text, for which it is loaded once. */
async function openPeers(
  home: BenchNetns,
  amount: Amount,
): Promise<AsyncDisposable & { readonly all: readonly Peer[] }> {
  await using opened = new AsyncDisposableStack();
  const all: Peer[] = [];
  const add = (text: NftText, series: Peer['series']): void => {
    all.push({ text, series, home: opened.use(openBenchNetns()) });
  };
  if (await isInstalled('nft')) {
    add(await ownText(home, amount), 'nft');
    if (amount.services <= mostForKubeProxy) add(kubeProxyLayout(amount), 'kube-proxy');
  }
  const rest = opened.move();
  return { all, [Symbol.asyncDispose]: () => rest.disposeAsync() };
}

async function ownText({ netns }: BenchNetns, amount: Amount): Promise<NftText> {
  await using rig = await openRig(netns, by);
  await rig.load(wholeBatch(amount));
  const driver = openNftDriver({ netns });
  try {
    return ownLayout(driver, amount);
  } finally {
    driver.close();
    await rig.cleanUp();
  }
}

async function runNft({ home }: Peer, input: string): Promise<void> {
  await execute(['nft', '-f', '-'], { netns: home.netns, input, timeout: 300_000 });
}

async function loadCase(
  { progress, rows, mark, runs, signal }: ProxyMeasuring,
  {
    amount,
    home,
    peers,
  }: { readonly amount: Amount; readonly home: BenchNetns; readonly peers: readonly Peer[] },
): Promise<void> {
  const name = `${amountText(amount)}: full load, from parsed objects`;
  progress(name);
  const blocks: number[] = [];
  const ours: Way = {
    async sample() {
      const batch = wholeBatch(amount);
      await using rig = await openRig(home.netns, by);
      const delay = monitorEventLoopDelay({ resolution: 1 });
      delay.enable();
      // Its first look is what the next ones are measured from.
      await sleep(loopLook);
      const time = await timed(() => rig.load(batch));
      await sleep(loopLook);
      delay.disable();
      blocks.push(delay.max / 1e6);
      await rig.cleanUp();
      return time;
    },
  };
  const theirs = peers.map(
    (peer): Way => ({
      peer: peer.text.name,
      async sample() {
        const time = await timed(() => runNft(peer, peer.text.load));
        await runNft(peer, peer.text.clear);
        return time;
      },
    }),
  );
  const rounds = amount.services * amount.endpoints > 10_000 ? Math.min(runs, mostLoads) : runs;
  const samples = await sampleInTurn([ours, ...theirs], { runs: rounds, signal });
  rows.push(...rowsOf(name, samples));
  rows.push(
    aloneRow(`${amountText(amount)}: longest block of the event loop in a load`, median(blocks.slice(1))),
  );
  markAll(mark, { what: 'load', amount, samples, peers });
}

function markAll(
  mark: ProxyMeasuring['mark'],
  of: {
    readonly what: 'load' | 'change';
    readonly amount: Amount;
    readonly samples: Awaited<ReturnType<typeof sampleInTurn>>;
    readonly peers: readonly Peer[];
  },
): void {
  for (const { peer, values } of of.samples) {
    const series = of.peers.find(({ text }) => text.name === peer)?.series ?? 'ours';
    mark({ what: of.what, series, amount: of.amount, milliseconds: median(values) });
  }
}

async function changeCases(
  { progress, rows, mark, runs, signal }: ProxyMeasuring,
  { amount, rig, peers }: { readonly amount: Amount; readonly rig: Rig; readonly peers: readonly Peer[] },
): Promise<void> {
  const prefix = amountText(amount);
  const name = `${prefix}: one endpoint changed, tracker to kernel`;
  progress(name);
  const samples = await sampleInTurn([changing(rig, amount), ...(await changingPeers(peers))], {
    runs,
    signal,
  });
  rows.push(...changeRows(name, samples));
  markAll(mark, { what: 'change', amount, samples, peers });
}

async function changingPeers(peers: readonly Peer[]): Promise<readonly Way[]> {
  const ways: Way[] = [];
  for (const peer of peers) {
    await runNft(peer, peer.text.load);
    let moved = false;
    ways.push({
      peer: peer.text.name,
      async sample() {
        moved = !moved;
        const text = peer.text.change(moved);
        return await timed(() => runNft(peer, text));
      },
    });
  }
  return ways;
}
