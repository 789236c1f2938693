// Which of a node's addresses accept node ports, by kube-proxy's nodePortAddresses: what a configuration asks for becomes addresses.
// Where the node's addresses come from, and whether the mode can do localhost at all, is the caller's.
import { type Family, IpAddress } from '../net/address.ts';
import { Prefix } from '../net/prefix.ts';
import type { NodePortAddress } from './proxy-options.ts';

export interface ResolvedNodePortAddresses {
  /** `all`: every local address, whatever comes and goes. A list: sorted, without doubles, without loopback addresses. */
  readonly nodePortIps: 'all' | readonly IpAddress[];
  /** 127.0.0.0/8, or a part of it, is among what was asked for; never in IPv6, where kube-proxy has no node ports on ::1 either. */
  readonly localhost: boolean;
}

const loopback4 = new Prefix(IpAddress.fromBytes(Uint8Array.of(127, 0, 0, 0)), 8);

/**
 * Prefixes are of one family; a family that none is of accepts node ports everywhere, as where nothing is asked for at all. Not so
 * beside a keyword (all, primary, localhost): keywords are about both families, and what they leave out stays closed.
 */
export function resolveNodePortAddresses({
  addresses,
  family,
  nodeIps,
  primary,
}: {
  readonly addresses: readonly NodePortAddress[];
  readonly family: Family;
  /** All addresses of the node in the family. */
  readonly nodeIps: readonly IpAddress[];
  readonly primary: IpAddress | undefined;
}): ResolvedNodePortAddresses {
  const has = (kind: NodePortAddress['kind']) => addresses.some((one) => one.kind === kind);
  const prefixes = addresses.flatMap((one) =>
    one.kind === 'prefix' && one.prefix.family === family ? [one.prefix] : [],
  );
  const hasKeyword = addresses.some(({ kind }) => kind !== 'prefix');
  const isAll =
    has('all') || prefixes.some(({ length }) => length === 0) || (prefixes.length === 0 && !hasKeyword);
  const localhost =
    family === 4 && (isAll || has('localhost') || prefixes.some((prefix) => prefix.overlaps(loopback4)));
  if (isAll) return { nodePortIps: 'all', localhost };

  const found = new Map<string, IpAddress>();
  const add = (ip: IpAddress) => {
    if (ip.family === family && !ip.isLoopback) found.set(ip.toString(), ip);
  };
  if (primary !== undefined && has('primary')) add(primary);
  for (const ip of nodeIps) if (prefixes.some((prefix) => prefix.contains(ip))) add(ip);
  return { nodePortIps: [...found.values()].sort((a, b) => a.compare(b)), localhost };
}
