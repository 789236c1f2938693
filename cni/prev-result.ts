// The result of the plugins before us in a chain, read from whatever shape it has. Entries keep all their keys, as they are
// handed on; what is read of them is validated.
import { z } from 'zod';
import { CniError, cniCodes } from '../agent/wiring/cni-error.ts';
import { Prefix } from '../net/prefix.ts';
import { keyCanonicalizer } from './canonical-keys.ts';
import { joinPath, quote, wishOf } from './config-error.ts';
import { goObject, parseAddress } from './config-shape.ts';

/** Keys in any case; those with null are absent, as for Go; unknown ones stay. */
function openObject<Shape extends z.ZodRawShape>(shape: Shape) {
  return z.preprocess(keyCanonicalizer(Object.keys(shape)), z.looseObject(shape));
}
const listOf = <T extends z.ZodType>(entry: T) => z.array(entry).default([]);

const text = z.string().optional();
const number = z.number().optional();
const prefix = z
  .string()
  .refine((value) => Prefix.tryParse(value) !== undefined, { message: 'want ADDRESS/LENGTH' });
const address = z
  .string()
  .refine((value) => value === '' || parseAddress(value) !== undefined, { message: 'want an address' })
  .optional();

const interfaces = openObject({
  name: z.string(),
  mac: text,
  sandbox: text,
  mtu: number,
  socketPath: text,
  pciID: text,
});
const ips = openObject({
  version: z.unknown().optional(),
  address: prefix,
  gateway: address,
  interface: z.int().optional(),
});
const routes = openObject({
  dst: prefix,
  gw: address,
  mtu: number,
  advmss: number,
  priority: number,
  table: number,
  scope: number,
});

const shape = openObject({
  cniVersion: z.unknown().optional(),
  interfaces: listOf(interfaces),
  ips: listOf(ips),
  routes: listOf(routes),
  dns: openObject({
    nameservers: z.unknown().optional(),
    domain: z.unknown().optional(),
    search: z.unknown().optional(),
    options: z.unknown().optional(),
  }).default({}),
});

/** The shape of 1.1.0, which holds all that the others do. */
export type CniResult = z.infer<typeof shape>;

/** Before 0.3.0: one address of a family, with its routes. */
const family = openObject({ ip: prefix, gateway: address, routes: listOf(routes) }).optional();
const familyKeys = ['ip4', 'ip6'] as const;
const familyShape = goObject({ ip4: family, ip6: family });

/** Undefined when there is none. Throws CniError (decoding) that names what is wrong with it. */
export function readPrevResult(value: unknown): CniResult | undefined {
  if (value === undefined || value === null) return undefined;
  const result = parsed(shape, withoutFamilies(value));
  result.ips.forEach(({ interface: place }, index) => {
    if (place !== undefined && result.interfaces[place] === undefined)
      throw unreadable(`ips.${index}.interface`, place, `there are ${result.interfaces.length} interfaces`);
  });
  const { ip4, ip6 } = parsed(familyShape, value);
  const families = result.ips.length > 0 ? [] : [ip4, ip6].filter((entry) => entry !== undefined);
  return {
    ...result,
    ips: [
      ...result.ips,
      ...families.map(({ ip, gateway }) => ({ address: ip, ...(gateway === undefined ? {} : { gateway }) })),
    ],
    routes: [...result.routes, ...families.flatMap((entry) => entry.routes)],
  };
}

/** They are put among the addresses, not handed on as foreign keys. */
function withoutFamilies(value: unknown): unknown {
  if (typeof value !== 'object' || value === null || Array.isArray(value)) return value;
  return Object.fromEntries(
    Object.entries(value).filter(([key]) => !familyKeys.some((name) => name === key.toLowerCase())),
  );
}

function parsed<T>(schema: z.ZodType<T>, value: unknown): T {
  const outcome = schema.safeParse(value, { reportInput: true });
  if (outcome.success) return outcome.data;
  const [issue] = outcome.error.issues;
  throw unreadable(joinPath(...(issue?.path ?? [])), issue?.input, wishOf(issue));
}

function unreadable(path: string, value: unknown, wish: string): CniError {
  return new CniError(
    cniCodes.decoding,
    `Cannot read prevResult: ${quote(path)} is ${quote(value)}: ${wish}`,
  );
}
