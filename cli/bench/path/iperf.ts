// iperf3 as the judge of TCP's throughput: its server in one pod, its client in the other.
import { z } from 'zod';
import { execute } from '../../../kernel/exec.ts';
import type { IpAddress } from '../../../net/address.ts';
import { environment, type Place, startServing } from './path-process.ts';

/** Milliseconds that it may take beside what it measures. */
const spareTime = 20_000;

export async function hasIperf(): Promise<boolean> {
  try {
    await execute(['iperf3', '--version']);
    return true;
  } catch {
    return false;
  }
}

export function startIperf(address: IpAddress, place: Place): Promise<AsyncDisposable> {
  return startServing(['iperf3', '--server', '--bind', address.toString(), '--forceflush'], {
    ...place,
    ready: /Server listening/,
  });
}

export interface IperfRun {
  readonly to: IpAddress;
  /** Bytes of one write. */
  readonly length: number;
  /** It knows whole ones only: at least one. */
  readonly seconds: number;
}

/** Bits a second that arrived. */
export async function runIperf({ to, length, ...run }: IperfRun, { home, signal }: Place): Promise<number> {
  const seconds = Math.max(1, Math.round(run.seconds));
  const { stdout } = await execute(
    ['iperf3', '--client', to.toString(), '--time', `${seconds}`, '--length', `${length}`, '--json'],
    // It tells what went wrong in its JSON.
    { netns: home.netns, env: environment, signal, timeout: seconds * 1000 + spareTime, okCodes: [0, 1] },
  );
  return bitsPerSecond(stdout);
}

const reportShape = z.object({
  error: z.string().optional(),
  end: z.object({ sum_received: z.object({ bits_per_second: z.number() }).optional() }).optional(),
});

/** Of the client's report. Throws Error with its own words when it could not measure. */
export function bitsPerSecond(report: string): number {
  const { error, end } = reportShape.parse(JSON.parse(report));
  const bits = end?.sum_received?.bits_per_second;
  if (error !== undefined || bits === undefined)
    throw new Error(`Cannot measure with iperf3: ${error ?? 'its report has no sum'}`);
  return bits;
}
