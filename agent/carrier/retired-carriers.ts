// What carried packets for a former backend goes on as long as its device stays: what peers send by it is received. Pure.
import type { CarrierPlan } from './carrier.ts';

/** The plan, with what of the one before is of these links. */
export function withRetired(
  plan: CarrierPlan,
  { before, links }: { readonly before: CarrierPlan | undefined; readonly links: ReadonlySet<string> },
): CarrierPlan {
  const isRetired = (each: object): boolean =>
    'link' in each && typeof each.link === 'string' && links.has(each.link);
  const devices = links.size === 0 ? [] : (before?.devices.filter(isRetired) ?? []);
  if (before === undefined || devices.length === 0) return plan;
  return {
    devices: [...plan.devices, ...devices],
    peers: new Map([...plan.peers, ...[...before.peers].filter(([, peer]) => isRetired(peer))]),
  };
}
