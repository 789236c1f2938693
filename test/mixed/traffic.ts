// Numbered packets between two pods while something happens to their nodes, and new flows from a pod to the outside: what became of each.
import { setTimeout as delay } from 'node:timers/promises';
import type { TestNetns } from '../sandbox.ts';
import { type Pod, PodProcess, type Report } from './pod.ts';

/** One direction. */
export interface Direction {
  readonly sent: number;
  /** Of those sent, how many the network did not deliver. */
  readonly lost: number;
  readonly twice: number;
  readonly tcpBytes: number;
  /** Bytes of TCP that did not arrive, or why they did not. */
  readonly tcpProblem: string;
}

export interface Exchange {
  readonly there: Direction;
  readonly back: Direction;
}

function direction(from: Report, to: Report): Direction {
  const missing = from.tcp.sent - to.tcp.received;
  return {
    sent: from.sent,
    lost: from.sent - to.received - to.drops,
    twice: to.twice,
    tcpBytes: to.tcp.received,
    tcpProblem: from.tcp.problem || to.tcp.problem || (missing === 0 ? '' : `${missing} bytes are missing`),
  };
}

/**
 * UDP both ways at up to 1,000 packets a second and a TCP stream each way, from before `during` begins until after it has ended, and
 * until so many packets are on their way in each direction.
 */
export async function exchangeDuring(
  pods: readonly [Pod, Pod],
  during: () => Promise<void>,
  atLeast: number,
): Promise<Exchange> {
  const [a, b] = pods;
  await using one = new PodProcess(a.place, ['exchange', a.address, b.address, '1000']);
  await using other = new PodProcess(b.place, ['exchange', b.address, a.address, '1000']);
  await Promise.all([one.flowing(), other.flowing()]);
  await during();
  // A busy machine sends less.
  while (Math.min((await one.report()).sent, (await other.report()).sent) < atLeast) await delay(50);
  one.stop();
  other.stop();
  const settled = async (): Promise<readonly [Report, Report]> => {
    // TCP may be sending again what was lost.
    for (let i = 0; i < 40; i++) {
      await delay(50);
      const [left, right] = [await one.report(), await other.report()];
      const isThere = left.tcp.received === right.tcp.sent && right.tcp.received === left.tcp.sent;
      if (isThere && i > 2) return [left, right];
    }
    return [await one.report(), await other.report()];
  };
  const [left, right] = await settled();
  return { there: direction(left, right), back: direction(right, left) };
}

export interface Dialled {
  readonly sent: number;
  /** Source address -> packets, as the outside sees them. */
  readonly sources: Readonly<Record<string, number>>;
  readonly drops: number;
}

/** New flows from a pod to an address outside, each of one packet. */
export async function dialDuring(
  pod: Pod,
  outside: { readonly place: TestNetns; readonly address: string },
  during: () => Promise<void>,
  rate = 200,
): Promise<Dialled> {
  await using listener = new PodProcess(outside.place, ['listen', outside.address]);
  await listener.flowing();
  await using dialler = new PodProcess(pod.place, ['dial', pod.address, outside.address, String(rate)]);
  await dialler.flowing();
  await during();
  dialler.stop();
  await delay(200);
  const { sent } = await dialler.report();
  const { sources, drops } = await listener.report();
  return { sent, sources, drops };
}
