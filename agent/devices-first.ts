// Makes the devices of a backend that is new to this node, and what carries their packets, before the others are told of it: what they send
// as soon as they hear is received. Nothing leads through them yet, and nothing else is touched; the pass that follows does the rest, and
// says what could not be made.
import type { RouteState } from '../kernel/route/objects.ts';
import type { RouteStep } from '../kernel/route/step.ts';
import type { NodeRoutes } from './apply-routes.ts';
import type { BackendInput } from './backend/backend.ts';
import { backendDevices } from './backend/choose-backend.ts';
import type { Carrier } from './carrier/carrier.ts';

export interface DevicesFirst extends BackendInput {
  readonly actual: RouteState;
  readonly signal: AbortSignal;
}

/** The steps that succeeded. Rejects only when aborted. */
export async function makeDevicesFirst(
  { route, carrier }: { readonly route: NodeRoutes; readonly carrier: Carrier },
  { actual, signal, ...input }: DevicesFirst,
): Promise<readonly RouteStep[]> {
  const { links, addresses, carriers = [] } = backendDevices(input);
  const missing = links.filter(({ name }) => !actual.links.has(name));
  const isNew = new Set(missing.map(({ name }) => name));
  const steps: readonly RouteStep[] = [
    ...missing.map((link) => ({ kind: 'link-add', link }) as const),
    ...addresses
      .filter(({ link }) => isNew.has(link))
      .map((address) => ({ kind: 'address-add', address }) as const),
  ];
  if (steps.length === 0) return [];
  const done = route.apply(steps).flatMap(({ step, error }) => (error === undefined ? [step] : []));
  // A device that was there may have peers, which are not to be forgotten meanwhile.
  if (carriers.length > 0 && carriers.every((each) => 'link' in each && isNew.has(each.link)))
    await carrier.ensure({ devices: carriers, peers: new Map() }, { signal, thorough: false, touched: true });
  return done;
}
