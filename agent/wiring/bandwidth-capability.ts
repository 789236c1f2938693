// The bandwidth that a runtime asks for (CNI's capability "bandwidth", CONVENTIONS.md) as limits. Not what the kernel makes of them.
import type { BandwidthLimits, RateLimit } from './bandwidth-limits.ts';

/** As it came: bits a second, and bits. Absent, null and 0 are the same: no limit. */
export interface BandwidthCapability {
  readonly ingressRate?: unknown;
  readonly ingressBurst?: unknown;
  readonly egressRate?: unknown;
  readonly egressBurst?: unknown;
}

type Key = keyof BandwidthCapability;

/**
 * Undefined when nothing is limited. Throws SyntaxError for what is no whole number, RangeError for a negative one and for a rate
 * without its burst (or a burst without its rate); both name the key and quote the value. There is no upper bound: "as much as fits"
 * is 4294967295 to containerd and 34359738359 to CRI-O.
 */
export function bandwidthLimits(capability: BandwidthCapability): BandwidthLimits | undefined {
  const ingress = limitOf(capability, { rate: 'ingressRate', burst: 'ingressBurst' });
  const egress = limitOf(capability, { rate: 'egressRate', burst: 'egressBurst' });
  if (ingress === undefined && egress === undefined) return undefined;
  return { ...(ingress && { ingress }), ...(egress && { egress }) };
}

function limitOf(
  capability: BandwidthCapability,
  keys: { readonly rate: Key; readonly burst: Key },
): RateLimit | undefined {
  const rate = bits(capability, keys.rate);
  const burst = bits(capability, keys.burst);
  if (rate === 0 && burst === 0) return undefined;
  if (burst === 0) throw without(keys.rate, { value: rate, missing: keys.burst });
  if (rate === 0) throw without(keys.burst, { value: burst, missing: keys.rate });
  return { rate, burst };
}

function bits(capability: BandwidthCapability, key: Key): number {
  const value = capability[key] ?? 0;
  if (typeof value !== 'number' || !Number.isInteger(value))
    throw new SyntaxError(
      `Cannot use bandwidth "${key}" ${JSON.stringify(value)}: want a whole number of bits`,
    );
  if (value < 0) throw new RangeError(`Cannot use bandwidth "${key}" ${value}: it is negative`);
  return value;
}

function without(
  key: Key,
  { value, missing }: { readonly value: number; readonly missing: Key },
): RangeError {
  return new RangeError(`Cannot use bandwidth "${key}" ${value}: "${missing}" is missing or 0`);
}
