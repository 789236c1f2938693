// Makes the devices of a backend that is new to this node before the others are told of it: what they send as soon as they hear is received.
// Nothing leads through them yet, and nothing else is touched; the pass that follows does the rest, and says what could not be made.
import type { RouteState } from '../kernel/route/objects.ts';
import type { RouteStep } from '../kernel/route/step.ts';
import type { NodeRoutes } from './apply-routes.ts';
import type { BackendInput } from './backend/backend.ts';
import { backendDevices } from './backend/choose-backend.ts';

/** The steps that succeeded. */
export function makeDevicesFirst(
  driver: NodeRoutes,
  { actual, ...input }: BackendInput & { readonly actual: RouteState },
): readonly RouteStep[] {
  const { links, addresses } = backendDevices(input);
  const missing = links.filter(({ name }) => !actual.links.has(name));
  const isNew = new Set(missing.map(({ name }) => name));
  const steps: readonly RouteStep[] = [
    ...missing.map((link) => ({ kind: 'link-add', link }) as const),
    ...addresses
      .filter(({ link }) => isNew.has(link))
      .map((address) => ({ kind: 'address-add', address }) as const),
  ];
  if (steps.length === 0) return [];
  return driver.apply(steps).flatMap(({ step, error }) => (error === undefined ? [step] : []));
}
