// How the fake kernel's schedulers choose a real server for a new connection. What happens in turn in the kernel, happens by chance here:
// a test then sees every way it can go.
import type { Packet } from '../nft/packet.ts';
import type { RealServerState, VirtualServer } from './objects.ts';

export interface Scheduling {
  readonly server: VirtualServer;
  readonly packet: Packet;
  /** In the order in which they were added. */
  readonly reals: readonly RealServerState[];
  /** A number below `modulus`. */
  readonly random: (modulus: number) => number;
}

/** Undefined when no real server takes connections. */
export function schedule({ server, packet, reals, random }: Scheduling): RealServerState | undefined {
  const usable = reals.filter(({ weight }) => weight > 0);
  if (usable.length === 0) return undefined;
  switch (server.scheduler) {
    case 'wrr':
    case 'twos':
      return byWeight(usable, random);
    case 'lc':
      return least(usable, load);
    case 'wlc':
    case 'lblc':
    case 'lblcr':
      return least(usable, (real) => load(real) / real.weight);
    case 'sed':
      return least(usable, delay);
    case 'nq':
      return usable.find(({ activeConnections }) => activeConnections === 0) ?? least(usable, delay);
    case 'sh':
    case 'mh':
      return byHash(usable, [...packet.saddr.bytes, ...(server.hashesPort ? portBytes(packet.sport) : [])]);
    case 'dh':
      return byHash(usable, packet.daddr.bytes);
    case 'fo':
      return least(usable, ({ weight }) => -weight);
    case 'ovf':
      return least(
        usable.filter(({ activeConnections, weight }) => activeConnections <= weight),
        ({ weight }) => -weight,
      );
    default:
      return usable[random(usable.length) % usable.length];
  }
}

/** ip_vs_dest_conn_overhead: an active connection counts like 256 inactive ones. */
function load({ activeConnections, inactiveConnections }: RealServerState): number {
  return activeConnections * 256 + inactiveConnections;
}

function delay({ activeConnections, weight }: RealServerState): number {
  return (activeConnections + 1) / weight;
}

/** The first of those with the smallest value. */
function least(
  reals: readonly RealServerState[],
  value: (real: RealServerState) => number,
): RealServerState | undefined {
  return reals.reduce<RealServerState | undefined>(
    (best, real) => (best === undefined || value(real) < value(best) ? real : best),
    undefined,
  );
}

function byWeight(
  reals: readonly RealServerState[],
  random: (modulus: number) => number,
): RealServerState | undefined {
  const whole = reals.reduce((sum, { weight }) => sum + weight, 0);
  let left = random(whole) % whole;
  return reals.find(({ weight }) => {
    left -= weight;
    return left < 0;
  });
}

/** Always the same one for the same bytes (FNV-1a; the kernel's own hashes are others). */
function byHash(reals: readonly RealServerState[], bytes: Iterable<number>): RealServerState | undefined {
  let hash = 0x811c9dc5;
  for (const byte of bytes) hash = Math.imul(hash ^ byte, 0x01000193) >>> 0;
  return reals[hash % reals.length];
}

function portBytes(port: number): readonly number[] {
  return [port >> 8, port & 0xff];
}
