// Computes the steps that turn the actual rtnetlink state of a namespace into the desired one. Pure: it knows what the kernel
// drops along with an object, so that one plan is enough.
import { difference, layeredDifference, satisfies } from './difference.ts';
import { type FdbEntry, fdbKey, type Neighbour, type RouteState, type Rule } from './objects.ts';
import { planAddresses } from './plan-addresses.ts';
import { planLinks } from './plan-links.ts';
import { planRoutes } from './plan-routes.ts';
import type { RouteScope, RouteStep } from './step.ts';

/**
 * Steps in the order of their execution. What blocks an addition goes first; then additions, parents before children and
 * what answers a packet (neighbour, FDB) before what sends it there (route), so that no traffic meets a half-made way; then
 * deletions in reverse. `plan(x, x)` is empty, and so is a plan after a plan was applied.
 */
export function planRoute(desired: RouteState, actual: RouteState, scope: RouteScope): readonly RouteStep[] {
  const links = planLinks(desired, actual, scope);
  const addresses = planAddresses(desired, links.left, scope);
  const { left } = addresses;
  const neighbours = planNeighbours(desired, left, scope);
  const fdb = planFdb(desired, left, scope);
  const rules = planRules(desired, left, scope);
  const routes = planRoutes(desired.routes, left.routes, scope);
  return [
    ...links.deleteFirst,
    ...addresses.deleteFirst,
    ...links.add,
    ...links.set,
    ...planPorts(desired, left),
    ...addresses.add,
    ...rules.deleteFirst,
    ...rules.add,
    ...neighbours.set,
    ...fdb.set,
    ...routes.set,
    ...routes.delete,
    ...fdb.delete,
    ...neighbours.delete,
    ...rules.delete,
    ...addresses.deleteLast,
    ...links.deleteLast,
  ];
}

function planPorts(desired: RouteState, left: RouteState): readonly RouteStep[] {
  const { missing, changed } = difference(desired.ports, left.ports, satisfies);
  return [...missing, ...changed.map(({ wanted }) => wanted)].map((port) => ({ kind: 'port-set', port }));
}

const neighbourDifference = layeredDifference<Neighbour>((wanted, actual) => satisfies(wanted, actual));
const fdbDifference = layeredDifference<FdbEntry>((wanted, actual) => satisfies(wanted, actual));

interface SetAndDelete {
  readonly set: readonly RouteStep[];
  readonly delete: readonly RouteStep[];
}

function planNeighbours(desired: RouteState, left: RouteState, scope: RouteScope): SetAndDelete {
  const { missing, changed, surplus } = neighbourDifference(desired.neighbours, left.neighbours);
  return {
    set: [...missing, ...changed.map(({ wanted }) => wanted)].map((neighbour) => ({
      kind: 'neighbour-set',
      neighbour,
    })),
    delete: surplus
      .map(([, neighbour]) => neighbour)
      .filter(({ link, state }) => state === 'permanent' && scope.neighboursOn.has(link))
      .map((neighbour) => ({ kind: 'neighbour-delete', neighbour })),
  };
}

function planFdb(desired: RouteState, left: RouteState, scope: RouteScope): SetAndDelete {
  const { missing, changed, surplus } = fdbDifference(desired.fdb, left.fdb);
  const set = [...missing, ...changed.map(({ wanted }) => wanted)];
  // A unicast MAC has one row: setting it replaces the row with the old remote, so there is nothing left to delete.
  const replaced = new Set(set.filter(hasOneRow).map(rowOf));
  return {
    set: set.map((entry) => ({ kind: 'fdb-set', entry })),
    delete: surplus
      .map(([, entry]) => entry)
      .filter(({ link, self, state }) => self && state === 'permanent' && scope.fdbOn.has(link))
      .filter((entry) => !replaced.has(rowOf(entry)))
      .map((entry) => ({ kind: 'fdb-delete', entry })),
  };
}

/** The kernel keeps several remotes only for the all-zero MAC and for multicast. */
export function hasOneRow({ mac }: FdbEntry): boolean {
  return !mac.isZero && !mac.isMulticast;
}

function rowOf(entry: FdbEntry): string {
  return fdbKey({ ...entry, remote: undefined });
}

function planRules(
  desired: RouteState,
  left: RouteState,
  scope: RouteScope,
): {
  readonly deleteFirst: readonly RouteStep[];
  readonly add: readonly RouteStep[];
  readonly delete: readonly RouteStep[];
} {
  const { missing, changed, surplus } = difference(desired.rules, left.rules, isSameRule);
  return {
    deleteFirst: changed.map(({ actual }) => ({ kind: 'rule-delete', rule: actual })),
    add: [...missing, ...changed.map(({ wanted }) => wanted)].map((rule) => ({ kind: 'rule-add', rule })),
    delete: surplus
      .filter(([, rule]) => rule.protocol === scope.protocol)
      .map(([, rule]) => ({ kind: 'rule-delete', rule })),
  };
}

/** Who put it there does not matter: it does the same. */
const protocolOnly: ReadonlySet<string> = new Set(['protocol']);

function isSameRule(wanted: Rule, actual: Rule): boolean {
  return satisfies(wanted, actual, { ignore: protocolOnly });
}
