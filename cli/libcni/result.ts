// What of a plugin's result a runtime looks at. Versions 0.3.0 and younger; older ones have another shape.
import { z } from 'zod';

const resultShape = z.looseObject({
  cniVersion: z.string().optional(),
  interfaces: z
    .array(z.looseObject({ name: z.string(), mac: z.string().optional(), sandbox: z.string().optional() }))
    .nullish(),
  ips: z
    .array(
      z.looseObject({
        address: z.string(),
        gateway: z.string().optional(),
        interface: z.number().optional(),
      }),
    )
    .nullish(),
});

export type CniResult = z.infer<typeof resultShape>;

/** Throws ZodError. */
export function parseResult(result: unknown): CniResult {
  return resultShape.parse(result);
}

/** "ADDRESS/LENGTH" each. */
export function addressesOf(result: unknown): readonly string[] {
  return (parseResult(result).ips ?? []).map(({ address }) => address);
}
