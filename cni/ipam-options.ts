// Where the pod's addresses come from: the node's lease, ranges in host-local's format, or nowhere. Fields by themselves only;
// whether ranges overlap is agent/ipam's to say.
import { z } from 'zod';
import { CniError, cniCodes } from '../agent/wiring/cni-error.ts';
import { invalidValue, joinPath, parsePart, unsupportedValue } from './config-error.ts';
import { absolutePath, goObject, optionalAddress, optionalPath, prefix, uint32 } from './config-shape.ts';
import type { IpamOptions, RangeOptions, RouteOptions } from './pod-network.ts';
import { type CniVersion, isAtLeast } from './versions.ts';

const range = goObject({
  subnet: prefix,
  rangeStart: optionalAddress,
  rangeEnd: optionalAddress,
  gateway: optionalAddress,
}).transform(({ subnet, rangeStart, rangeEnd, gateway }) => ({ subnet, rangeStart, rangeEnd, gateway }));
const rangeSets = z.array(z.array(range));

const route = goObject({
  dst: prefix,
  gw: optionalAddress,
  mtu: uint32.optional(),
  advmss: uint32.optional(),
  priority: uint32.optional(),
  table: uint32.optional(),
  scope: z.int().optional(),
});

const shape = goObject({
  type: z.string().optional(),
  dataDir: absolutePath('/var/lib/cni/networks'),
  // host-local's older form of a single range; "subnet" decides whether it is there.
  subnet: z.string().default(''),
  rangeStart: optionalAddress,
  rangeEnd: optionalAddress,
  gateway: optionalAddress,
  ranges: rangeSets.default([]),
  routes: z.array(route).default([]),
  resolvConf: optionalPath,
});

const ownTypes = ['host-local', 'netloom', 'netloom-cni'];

export interface IpamInput {
  readonly cniVersion: CniVersion;
  /** Those of runtimeConfig: they go first. */
  readonly runtimeSets: RangeSets;
  /** True: an object without a type is host-local's too, as flannel takes it. */
  readonly typeImplied?: boolean;
}

export type RangeSets = readonly (readonly RangeOptions[])[];

/** `value` is the configuration's "ipam". Throws CniError that names the key and quotes its value. */
export function readIpam(value: unknown, input: IpamInput): IpamOptions {
  const found = parsePart(shape, value ?? { type: 'host-local' }, 'ipam');
  const type = found.type ?? (input.typeImplied === true ? 'host-local' : '');
  if (type === '') return { kind: 'none' };
  if (!ownTypes.includes(type))
    throw unsupportedValue('ipam.type', type, "addresses come from host-local's format only");
  const sets = [...input.runtimeSets, ...singleSet(found), ...checkSets(found.ranges, 'ipam.ranges')];
  const common = {
    directory: found.dataDir,
    routes: found.routes.map((entry, index) => routeOf(entry, joinPath('ipam.routes', index))),
    ...(found.resolvConf === undefined ? {} : { resolvConf: found.resolvConf }),
  };
  if (sets.length === 0) return { kind: 'node', ...common };
  requireOneEach(sets, input.cniVersion);
  return { kind: 'ranges', ...common, sets };
}

/** `value` is a list of lists of ranges. Throws CniError that names the key within `path` and quotes its value. */
export function readRangeSets(value: unknown, path: string): RangeSets {
  return checkSets(parsePart(rangeSets, value, path), path);
}

function singleSet({ subnet, rangeStart, rangeEnd, gateway, ranges }: z.infer<typeof shape>): RangeSets {
  if (subnet !== '') {
    const single = { subnet: parsePart(prefix, subnet, 'ipam.subnet'), rangeStart, rangeEnd, gateway };
    checkRange(single, 'ipam');
    return [[single]];
  }
  const [key, stray] =
    Object.entries({ rangeStart, rangeEnd, gateway }).find(([, set]) => set !== undefined) ?? [];
  // Beside "ranges", host-local passes over them.
  if (key !== undefined && ranges.length === 0)
    throw invalidValue(`ipam.${key}`, stray, 'there is no "subnet" that it could be of');
  return [];
}

function checkSets(sets: RangeSets, path: string): RangeSets {
  for (const [index, set] of sets.entries()) {
    const at = joinPath(path, index);
    const [first] = set;
    if (first === undefined) throw invalidValue(at, set, 'want at least one range');
    for (const [place, { subnet }] of set.entries()) {
      if (subnet.family !== first.subnet.family)
        throw invalidValue(
          joinPath(at, place, 'subnet'),
          subnet,
          `the set's family is IPv${first.subnet.family}`,
        );
    }
    set.forEach((entry, place) => {
      checkRange(entry, joinPath(at, place));
    });
  }
  return sets;
}

function checkRange({ subnet, ...addresses }: RangeOptions, path: string): void {
  const at = joinPath(path, 'subnet');
  if (!subnet.isNetwork) throw invalidValue(at, subnet, `has host bits; the subnet is ${subnet.network()}`);
  if (subnet.bits - subnet.length < 2)
    throw invalidValue(at, subnet, `too small: want at most /${subnet.bits - 2}`);
  for (const [key, address] of Object.entries(addresses)) {
    if (address !== undefined && !subnet.contains(address))
      throw invalidValue(joinPath(path, key), address, `is not in subnet ${subnet}`);
  }
}

/** Results before 0.3.0 have place for one address of a family. */
function requireOneEach(sets: RangeSets, cniVersion: CniVersion): void {
  if (isAtLeast(cniVersion, '0.3.0')) return;
  const families = sets.map(([first]) => first?.subnet.family);
  if (new Set(families).size === families.length) return;
  throw new CniError(
    cniCodes.invalidConfig,
    `Cannot use the network configuration: "cniVersion" is "${cniVersion}": more than one address of a family needs 0.3.0`,
  );
}

/** RT_SCOPE_UNIVERSE, RT_SCOPE_LINK, RT_SCOPE_HOST of linux/rtnetlink.h. */
const scopes = [0, 253, 254];

/** Zero is absent for those whose zero means nothing; table and scope have one. */
function routeOf({ dst, gw, ...rest }: z.infer<typeof route>, path: string): RouteOptions {
  if (!dst.isNetwork)
    throw invalidValue(joinPath(path, 'dst'), dst, `has host bits; the network is ${dst.network()}`);
  if (gw !== undefined && gw.family !== dst.family)
    throw invalidValue(joinPath(path, 'gw'), gw, `the destination ${dst} is of the other family`);
  if (rest.scope !== undefined && !scopes.includes(rest.scope))
    throw invalidValue(joinPath(path, 'scope'), rest.scope, `want one of ${scopes.join(', ')}`);
  return {
    destination: dst,
    gateway: gw,
    mtu: rest.mtu || undefined,
    advmss: rest.advmss || undefined,
    priority: rest.priority || undefined,
    table: rest.table,
    scope: rest.scope,
  };
}
