// Limits of a pod's rate: as the runtime asks for them, or as the configuration has them for all pods.
import { z } from 'zod';
import type { BandwidthLimits, RateLimit } from '../agent/wiring/bandwidth-limits.ts';
import { invalidValue, joinPath, parsePart } from './config-error.ts';
import { goObject } from './config-shape.ts';

/** Go's uint64, of which JSON's readers lose the last digits; runtimes send 2^32 - 1 and 2^35 - 9 for "no limit". */
const bits = z
  .number()
  .refine((value) => Number.isInteger(value) && value >= 0 && value <= 2 ** 64, {
    message: 'want a whole number of 0 to 2^64',
  })
  .transform((value) => Math.min(value, Number.MAX_SAFE_INTEGER))
  .default(0);

const shape = goObject({ ingressRate: bits, ingressBurst: bits, egressRate: bits, egressBurst: bits });

/** Undefined when nothing is limited. Throws CniError that names the key within `path` and quotes its value. */
export function readBandwidth(value: unknown, path = ''): BandwidthLimits | undefined {
  const found = parsePart(shape, value, path);
  const limit = (direction: 'ingress' | 'egress'): RateLimit | undefined => {
    const rate = found[`${direction}Rate`];
    const burst = found[`${direction}Burst`];
    if (rate !== 0 && burst === 0)
      throw invalidValue(joinPath(path, `${direction}Burst`), burst, `"${direction}Rate" needs it`);
    if (rate === 0 && burst !== 0)
      throw invalidValue(joinPath(path, `${direction}Rate`), rate, `"${direction}Burst" needs it`);
    return rate === 0 ? undefined : { rate, burst };
  };
  const ingress = limit('ingress');
  const egress = limit('egress');
  return ingress === undefined && egress === undefined ? undefined : { ingress, egress };
}
