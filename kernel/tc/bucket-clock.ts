// A token bucket's burst as the kernel keeps it: the time that so many bytes take at the bucket's rate, in ticks. As `tc` computes it
// from /proc/net/psched, where every kernel since 2.6.31 says the same (PSCHED_SHIFT, net/pkt_sched.h).
import type { TokenBucket } from './objects.ts';

const ticksPerSecond = 1e9 / 64;
const ticksPerMicrosecond = ticksPerSecond / 1e6;

/** Ticks are reported modulo this. */
const wrap = 2 ** 32;

type Speed = Pick<TokenBucket, 'rate' | 'burst'>;

/** Rounded as `tc` does it: to ticks, from a time that is not. */
export function burstTicks({ rate, burst }: Speed): number {
  return Math.floor(1e6 * (burst / rate) * ticksPerMicrosecond);
}

export function burstBytes({ rate, ticks }: { readonly rate: number; readonly ticks: number }): number {
  return Math.floor((rate * (ticks / ticksPerMicrosecond)) / 1e6);
}

/** True when `actual`, as it was read, is what the kernel makes of the burst of `wanted`: it may round a tick either way. */
export function isSameBurst(wanted: Speed, actual: Speed): boolean {
  const period = (wanted.rate * wrap) / ticksPerSecond;
  const difference = Math.abs((wanted.burst - actual.burst) % period);
  return Math.min(difference, period - difference) <= 1 + (2 * wanted.rate) / ticksPerSecond;
}
