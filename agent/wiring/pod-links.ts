// Executes a pod's plan in the kernel and takes it back: one batch in the host's namespace, one in the pod's. Addresses are
// given to it; who has them is the IPAM's.
import { setTimeout as sleep } from 'node:timers/promises';
import { isExists } from '../../kernel/kernel-error.ts';
import type { Netns } from '../../kernel/netns.ts';
import { applyAll } from '../../kernel/route/apply-all.ts';
import { openRouteDriver, type RouteAccess } from '../../kernel/route/driver.ts';
import type { Link } from '../../kernel/route/objects.ts';
import { writeSysctl, writeSysctlIfThere } from '../../kernel/sysctl.ts';
import { IpAddress } from '../../net/address.ts';
import type { Attachment } from './attachment.ts';
import { CniError, cniCodes } from './cni-error.ts';
import { hostSteps, mainTable, type PodPlan, type PodRoute, podSteps, podSysctls } from './pod-plan.ts';

/** The node's side: its namespace and a driver that is open in it. */
export interface Host {
  readonly netns: Netns;
  readonly route: RouteAccess;
}

/** Throws CniError (try again later) when the bridge is not there: the agent has not made it yet, or is about to again. */
export function requireBridge(name: string, { route }: Host): Link {
  const link = route.link(name);
  if (link?.detail.kind === 'bridge') return link;
  throw new CniError(
    cniCodes.tryAgainLater,
    link === undefined ? `The bridge "${name}" is missing` : `The link "${name}" is not a bridge`,
    { details: 'netloom agent makes it when it has a lease' },
  );
}

/**
 * Makes the pair and all that is on it; returns the routes that it made. A default route is left out when the pod has one through
 * another interface: its first network stays its way out. What was made before a failure is the caller's to take back. Throws
 * CniError when the pod has an interface of this name, KernelError. The host's end must not be there.
 */
export function attachPod(
  plan: PodPlan,
  { host, pod }: { readonly host: Host; readonly pod: Netns },
): readonly PodRoute[] {
  const inPod = openRouteDriver({ netns: pod });
  try {
    const routes = withoutSecondDefault(plan.routes, inPod);
    const [made, port] = host.route.apply(hostSteps(plan, pod));
    if (made?.error !== undefined) throw isExists(made.error) ? existing(plan) : made.error;
    if (port?.error !== undefined) throw port.error;
    // Frames of a port go to the bridge; should it ever leave it, no pod may route for the node.
    writeSysctlIfThere(`net/ipv6/conf/${plan.hostLink}/accept_ra`, '0', { netns: host.netns });
    for (const { key, value, optional } of podSysctls(plan))
      (optional ? writeSysctlIfThere : writeSysctl)(key, value, { netns: pod });
    applyAll(inPod, podSteps({ ...plan, routes }));
    return routes;
  } finally {
    inPod.close();
  }
}

/** Addresses that only a default route leads to (RFC 7600, RFC 6666). */
const anywhere = { 4: IpAddress.parse('192.0.0.8'), 6: IpAddress.parse('100::8') } as const;

function withoutSecondDefault(routes: readonly PodRoute[], inPod: RouteAccess): readonly PodRoute[] {
  return routes.filter(
    ({ destination, table = mainTable }) =>
      destination.length > 0 ||
      table !== mainTable ||
      inPod.routeTo(anywhere[destination.family]) === undefined,
  );
}

function existing({ ifname }: PodPlan): CniError {
  return new CniError(
    cniCodes.interfaceExists,
    `Cannot add interface "${ifname}": the pod's namespace has one of this name`,
    { details: 'it was made by somebody else' },
  );
}

/** Milliseconds: as long as the reference waits. */
const longestDetection = 5000;

/** Resolves when no IPv6 address of the interface is tentative any more. Rejects with CniError for a duplicate. */
export async function awaitAddresses({ ifname }: PodPlan, pod: Netns): Promise<void> {
  const route = openRouteDriver({ netns: pod });
  const deadline = performance.now() + longestDetection;
  try {
    for (;;) {
      const tentative = route
        .addressesOn(ifname)
        .find((address) => address.tentative === true && address.scope === 'global');
      if (tentative === undefined) return;
      if (performance.now() >= deadline) {
        throw new CniError(
          cniCodes.kernelRefused,
          `Cannot use address ${tentative.prefix} on "${ifname}": duplicate address detection did not end well`,
        );
      }
      await sleep(20);
    }
  } finally {
    route.close();
  }
}

/**
 * Removes an interface that another plugin made (a pod that was there before the node moved to Netloom). Only if it has one of
 * the addresses that are reserved for the attachment: a stale path may lead to some other pod's namespace.
 */
export function detachForeign(
  { ifname }: Attachment,
  { pod, reserved }: { readonly pod: Netns; readonly reserved: readonly IpAddress[] },
): void {
  const route = openRouteDriver({ netns: pod });
  try {
    const link = route.link(ifname);
    if (link?.detail.kind !== 'veth') return;
    const isOurs = route
      .addressesOn(ifname)
      .some((address) => reserved.some((own) => own.equals(address.prefix.address)));
    if (!isOurs) return;
    applyAll(route, [{ kind: 'link-delete', link }]);
  } finally {
    route.close();
  }
}
