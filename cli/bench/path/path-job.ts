// What a process of the path's benchmark is told to do: the one argument of its entry, as JSON.
import { z } from 'zod';
import { IpAddress } from '../../../net/address.ts';

const address = z.string().transform((text) => IpAddress.parse(text));
const ends = { own: address, peer: address };
const sending = {
  ...ends,
  protocol: z.enum(['tcp', 'udp']),
  size: z.number().int().min(64).max(65_535),
  seconds: z.number().positive(),
};

const jobShape = z.discriminatedUnion('do', [
  z.object({ do: z.literal('answer'), ...ends, protocol: sending.protocol }),
  z.object({ do: z.literal('count'), ...ends }),
  z.object({ do: z.literal('flow'), ...sending }),
  z.object({ do: z.literal('ping'), ...sending }),
  z.object({ do: z.literal('naive-loop'), ...ends, device: z.string() }),
]);

export type PathJob = z.infer<typeof jobShape>;

export function decodeJob(text: string): PathJob {
  return jobShape.parse(JSON.parse(text));
}

/** Addresses print themselves. */
export function encodeJob(job: PathJob): string {
  return JSON.stringify(job);
}
