// Executes a pod's plan in the kernel and takes it back: one batch in the host's namespace, one in the pod's. Addresses are
// given to it; who has them is the IPAM's.
import { isExists, isNotFound } from '../../kernel/kernel-error.ts';
import type { Netns } from '../../kernel/netns.ts';
import { openRouteDriver, type RouteAccess } from '../../kernel/route/driver.ts';
import type { Link } from '../../kernel/route/objects.ts';
import type { RouteStep } from '../../kernel/route/step.ts';
import { writeSysctl } from '../../kernel/sysctl.ts';
import type { IpAddress } from '../../net/address.ts';
import { type Attachment, hostLinkName } from './attachment.ts';
import { CniError, cniCodes } from './cni-error.ts';
import { hostDeleteStep, hostSteps, type PodPlan, podSteps, podSysctls } from './pod-plan.ts';

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

/** Makes everything or, when something fails, nothing. Throws CniError when the interface is there already, KernelError. */
export function attachPod(plan: PodPlan, { host, pod }: { readonly host: Host; readonly pod: Netns }): void {
  // Asked first: to the driver an equal link that is there already is success.
  if (host.route.link(plan.hostLink) !== undefined) throw existing(plan, host);
  const [made, port] = host.route.apply(hostSteps(plan, pod));
  if (made?.error !== undefined) throw isExists(made.error) ? existing(plan, host) : made.error;
  try {
    if (port?.error !== undefined) throw port.error;
    // Frames of a port go to the bridge; should it ever leave it, no pod may route for the node.
    setSysctl({ key: `net/ipv6/conf/${plan.hostLink}/accept_ra`, value: '0', optional: true }, host.netns);
    for (const sysctl of podSysctls(plan)) setSysctl(sysctl, pod);
    applyInPod(podSteps(plan), pod);
  } catch (error) {
    host.route.apply([{ kind: 'link-delete', link: { name: plan.hostLink, detail: { kind: 'veth' } } }]);
    throw error;
  }
}

function existing({ hostLink, ifname }: PodPlan, { route }: Host): CniError {
  const attached = route.link(hostLink) !== undefined;
  return new CniError(
    cniCodes.interfaceExists,
    attached
      ? `Cannot add interface "${ifname}": this container has it already`
      : `Cannot add interface "${ifname}": the pod's namespace has one of this name`,
    { details: attached ? `its host end is ${hostLink}` : 'it was made by somebody else' },
  );
}

function applyInPod(steps: readonly RouteStep[], pod: Netns): void {
  const route = openRouteDriver({ netns: pod });
  try {
    for (const { error } of route.apply(steps)) if (error !== undefined) throw error;
  } finally {
    route.close();
  }
}

function setSysctl(
  { key, value, optional }: { readonly key: string; readonly value: string; readonly optional: boolean },
  netns: Netns,
): void {
  try {
    writeSysctl(key, value, { netns });
  } catch (error) {
    if (!optional || !isNotFound(error)) throw error;
  }
}

/** Removes the pair by its name on the host. False when it was not there, which is success too. */
export function detachPod(attachment: Attachment, host: Host): boolean {
  if (host.route.link(hostLinkName(attachment)) === undefined) return false;
  for (const { error } of host.route.apply([hostDeleteStep(attachment)]))
    if (error !== undefined) throw error;
  return true;
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
    const isOurs = [...route.read().addresses.values()].some(
      (address) => address.link === ifname && reserved.some((own) => own.equals(address.prefix.address)),
    );
    if (!isOurs) return;
    for (const { error } of route.apply([{ kind: 'link-delete', link }]))
      if (error !== undefined) throw error;
  } finally {
    route.close();
  }
}
