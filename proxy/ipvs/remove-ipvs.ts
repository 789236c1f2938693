// Takes away what an IPVS mode made in one family, ours or kube-proxy's: virtual servers, addresses on kube-ipvs0, rules, sets, the link.
// Whose a virtual server is nothing in the kernel says: those are taken whose address is bound on kube-ipvs0, or that a set names.
import type { IpsetAccess, IpsetEntry } from '../../kernel/ipset/objects.ts';
import { ipsetTypes } from '../../kernel/ipset/objects.ts';
import { spareSet } from '../../kernel/ipset/plan.ts';
import { isWithoutIpset } from '../../kernel/ipset/refusal.ts';
import {
  type IpvsAccess,
  type IpvsStep,
  type VirtualServerId,
  virtualServerText,
} from '../../kernel/ipvs/objects.ts';
import { isNotSupported } from '../../kernel/kernel-error.ts';
import type { Family } from '../../net/address.ts';
import type { Prefix } from '../../net/prefix.ts';
import { isIpvsOnlyChain, isOwnChain } from '../iptables/own-chains.ts';
import type { TableName } from '../iptables/place.ts';
import type { LinkAccess } from './address-keeper.ts';
import { type KnownServer, planLosses, planQuiet } from './plan-server.ts';
import { realServersOf } from './real-servers-of.ts';
import { isServiceAddress, serviceLink, serviceLinkName } from './service-link.ts';
import { nameOfSet, ownSetNames, type SetName } from './set-names.ts';

export interface RemoveIpvsOptions {
  readonly family: Family;
  /** Opened only where there may be virtual servers: to ask for them loads the kernel's module. */
  readonly ipvs: IpvsAccess | (() => IpvsAccess);
  readonly ipset: IpsetAccess;
  readonly route: LinkAccess;
  /** Virtual servers in these are others'. */
  readonly excludePrefixes: readonly Prefix[];
  /** `idle`: what has connections takes no new ones, and stays. Another mode runs, and leads new ones elsewhere. */
  readonly when: 'now' | 'idle';
  /** Takes away the rules that ask the sets, in words; nothing where that is done. */
  readonly removeRules?: (() => Promise<readonly string[]>) | undefined;
}

export interface RemovedIpvs {
  /** What was removed, in words. */
  readonly removed: readonly string[];
  /** What is left, and why. */
  readonly left: readonly string[];
}

/** A chain of an IPVS mode, or of the iptables mode, whose names it shares. */
export function isChainOfIpvs(table: TableName, chain: string): boolean {
  return isOwnChain(table, chain) || isIpvsOnlyChain(table, chain);
}

export async function removeIpvs(options: RemoveIpvsOptions): Promise<RemovedIpvs> {
  const { family, ipset, route, removeRules } = options;
  const label = `IPv${family} IPVS`;
  const removed: string[] = [];
  const left: string[] = [];
  const sets = ownSets(ipset, family);
  const link = route.link(serviceLinkName);
  const hasLink = link?.detail.kind === 'dummy';
  if (hasLink || sets.length > 0) {
    const bound = hasLink ? addressesOf(options) : [];
    const servers = removeServers(options, {
      bound: new Set(bound.map(({ prefix }) => prefix.address.toString())),
      sets,
    });
    if (servers.removed > 0) removed.push(`${label}: ${counted(servers.removed, 'virtual server')}`);
    left.push(...servers.left);
    const held = new Set(servers.held.map(({ address }) => address.toString()));
    const gone = bound.filter(({ prefix }) => !held.has(prefix.address.toString()));
    const results = route.apply(gone.map((address) => ({ kind: 'address-delete', address })));
    left.push(...errorsOf(results));
    const unbound = results.filter(({ error }) => error === undefined).length;
    if (unbound > 0) removed.push(`${label}: ${counted(unbound, 'address', 'es')} on ${serviceLinkName}`);
    if (servers.held.length > 0)
      left.push(
        `${label}: ${counted(servers.held.length, 'virtual server')} with connections, until these end`,
      );
  }
  removed.push(...((await removeRules?.()) ?? []));
  // What is left is told by its address and by the sets.
  if (left.length > 0) return { removed, left };
  const results = ipset.apply(sets.map((name) => ({ kind: 'set-destroy', name })));
  left.push(...errorsOf(results));
  results.forEach(({ error }, i) => {
    if (error === undefined) removed.push(`ipset ${sets[i]}`);
  });
  if (hasLink && isEmpty(route)) {
    const deleted = route.apply([{ kind: 'link-delete', link: serviceLink }]);
    left.push(...errorsOf(deleted));
    if (errorsOf(deleted).length === 0) removed.push(`link ${serviceLinkName}`);
  }
  return { removed, left };
}

/** The other family may have addresses on it. */
function isEmpty(route: LinkAccess): boolean {
  const there = route.addressesOn(serviceLinkName);
  return !there.some((one) => isServiceAddress(one, 4) || isServiceAddress(one, 6));
}

function addressesOf({ route, family }: RemoveIpvsOptions) {
  return route.addressesOn(serviceLinkName).filter((one) => isServiceAddress(one, family));
}

function ownSets(ipset: IpsetAccess, family: Family): readonly string[] {
  const own = new Set([...ownSetNames(family), spareSet]);
  try {
    return ipset
      .headers()
      .filter(({ name }) => own.has(name))
      .map(({ name }) => name);
  } catch (error) {
    if (isWithoutIpset(error)) return [];
    throw error;
  }
}

function removeServers(
  { family, ipvs: given, ipset, excludePrefixes, when }: RemoveIpvsOptions,
  { bound, sets }: { readonly bound: ReadonlySet<string>; readonly sets: readonly string[] },
): { readonly removed: number; readonly held: readonly VirtualServerId[]; readonly left: readonly string[] } {
  const ipvs = typeof given === 'function' ? openedOrNone(given) : given;
  // A kernel without IPVS has no virtual servers, whatever else is there.
  if (ipvs === undefined) return { removed: 0, held: [], left: [] };
  try {
    const isNamed = namedBySets(ipset, { family, sets: new Set(sets) });
    const ours = ipvs.servers(family).filter((server) => {
      if (excludePrefixes.some((prefix) => prefix.contains(server.address))) return false;
      return bound.has(server.address.toString()) || isNamed(server);
    });
    const read = () =>
      ours.flatMap((server): readonly KnownServer[] => {
        const reals = realServersOf(ipvs, server);
        return reals === undefined ? [] : [{ server, reals }];
      });
    const quiet = when === 'now' ? [] : read().flatMap((known) => planQuiet(known, undefined));
    const left = errorsOf(ipvs.apply(quiet));
    const steps: readonly IpvsStep[] =
      when === 'now'
        ? ours.map((server) => ({ kind: 'server-delete', server }))
        : read().flatMap((known) => planLosses(known, undefined));
    const results = ipvs.apply(steps);
    const deleted = new Set(
      results.flatMap(({ step, error }) =>
        step.kind === 'server-delete' && error === undefined ? [virtualServerText(step.server)] : [],
      ),
    );
    const held = ours.filter((server) => !deleted.has(virtualServerText(server)));
    return { removed: deleted.size, held, left: [...left, ...errorsOf(results)] };
  } finally {
    if (typeof given === 'function') ipvs.close();
  }
}

function openedOrNone(open: () => IpvsAccess): IpvsAccess | undefined {
  try {
    return open();
  } catch (error) {
    if (isNotSupported(error)) return undefined;
    throw error;
  }
}

const ofAddresses: readonly SetName[] = [
  'KUBE-CLUSTER-IP',
  'KUBE-EXTERNAL-IP',
  'KUBE-EXTERNAL-IP-LOCAL',
  'KUBE-LOAD-BALANCER',
  'KUBE-NODE-PORT-SCTP-HASH',
];

const ofPorts = [
  ['tcp', 'KUBE-NODE-PORT-TCP'],
  ['udp', 'KUBE-NODE-PORT-UDP'],
] as const;

/** By address, protocol and port, or as a node port. */
function namedBySets(
  ipset: IpsetAccess,
  { family, sets }: { readonly family: Family; readonly sets: ReadonlySet<string> },
): (server: VirtualServerId) => boolean {
  const types = new Map(ipset.headers().map(({ name, type }) => [name, type]));
  const entriesOf = (set: SetName): readonly IpsetEntry[] => {
    const name = nameOfSet(set, family);
    if (!sets.has(name) || !ipsetTypes.some((type) => type === types.get(name))) return [];
    return ipset.entries(name) ?? [];
  };
  const named = new Set<string>();
  for (const set of ofAddresses) {
    for (const { address, protocol, port } of entriesOf(set)) {
      if (address !== undefined && protocol !== undefined && port !== undefined)
        named.add(virtualServerText({ address, protocol, port }));
    }
  }
  const nodePorts = new Set(
    ofPorts.flatMap(([protocol, set]) => entriesOf(set).map(({ port }) => `${protocol} ${port}`)),
  );
  return (server) =>
    named.has(virtualServerText(server)) || nodePorts.has(`${server.protocol} ${server.port}`);
}

function errorsOf(results: readonly { readonly error?: Error | undefined }[]): readonly string[] {
  const messages = results.flatMap(({ error }) => (error === undefined ? [] : [error.message]));
  const more = messages.length - 3;
  return more > 0 ? [...messages.slice(0, 3), `${more} more`] : messages;
}

function counted(count: number, what: string, plural = 's'): string {
  return `${count} ${what}${count === 1 ? '' : plural}`;
}
