// VLANs of a pod's port, and the node's own end in a VLAN: the gateway of a bridge that tells VLANs apart cannot be the bridge
// itself, which is in one VLAN only.
import { createHash } from 'node:crypto';
import { applyAll } from '../../kernel/route/apply-all.ts';
import type { Link, PortVlan } from '../../kernel/route/objects.ts';
import type { RouteStep } from '../../kernel/route/step.ts';
import { isInterfaceName } from '../../net/names.ts';
import { wiringAlias } from '../alias.ts';
import { CniError, cniCodes } from './cni-error.ts';
import { refuseAdvertisements } from './own-bridge.ts';
import type { Host } from './pod-links.ts';
import type { PodPlan } from './pod-plan.ts';

/** Where the kernel puts each port. */
const defaultVlan: PortVlan = { first: 1, last: 1, pvid: true, untagged: true };

/** Steps for the pod's port, which must be there; none for a port without VLANs. Pure. */
export function vlanSteps({ hostLink, port }: Pick<PodPlan, 'hostLink' | 'port'>): readonly RouteStep[] {
  const { vlan, vlanTrunk, preserveDefaultVlan } = port;
  if (vlan === undefined && vlanTrunk.length === 0) return [];
  const step = (kind: 'vlan-set' | 'vlan-delete', change: PortVlan): RouteStep => ({
    kind,
    link: hostLink,
    vlan: change,
    self: false,
  });
  return [
    ...(preserveDefaultVlan || vlan === 1 ? [] : [step('vlan-delete', defaultVlan)]),
    ...vlanTrunk.map((range) => step('vlan-set', { ...range, pvid: false, untagged: false })),
    ...(vlan === undefined ? [] : [step('vlan-set', access(vlan))]),
  ];
}

function access(vlan: number): PortVlan {
  return { first: vlan, last: vlan, pvid: true, untagged: true };
}

/** Puts the pod's port into its VLANs, on a bridge that tells them apart from then on. */
export function joinVlans(plan: PodPlan, host: Host): void {
  const steps = vlanSteps(plan);
  if (steps.length === 0) return;
  filterVlans(plan.bridge, host);
  applyAll(host.route, steps);
}

function filterVlans(name: string, host: Host): void {
  const was = host.route.link(name);
  if (was?.detail.kind !== 'bridge' || was.detail.vlanFiltering === true) return;
  applyAll(host.route, [
    { kind: 'link-set', link: { name, detail: { kind: 'bridge', vlanFiltering: true } }, was },
  ]);
}

/**
 * The node's end in the VLAN, "BRIDGE.VLAN", made when it is missing: one of a pair whose other is a port of the bridge, as the
 * reference has it (a VLAN device would need the module 8021q). Throws CniError when the name would be too long.
 */
export function vlanGateway(
  bridge: Link,
  { vlan, host }: { readonly vlan: number; readonly host: Host },
): string {
  const name = `${bridge.name}.${vlan}`;
  if (!isInterfaceName(name)) {
    throw new CniError(
      cniCodes.invalidConfig,
      `Cannot name the gateway of VLAN ${vlan} "${name}": the bridge's name is too long for it`,
    );
  }
  filterVlans(bridge.name, host);
  if (host.route.link(name)?.up === true) return name;
  const port = `veth${createHash('sha256').update(`netloom vlan ${name}`).digest('hex').slice(0, 11)}`;
  const detail = { kind: 'veth' } as const;
  const { mtu } = bridge;
  const size = mtu === undefined ? {} : { mtu };
  applyAll(host.route, [
    {
      kind: 'link-add',
      link: { name, detail: { ...detail, peer: { name: port, ...size } }, alias: wiringAlias, ...size },
    },
  ]);
  refuseAdvertisements(name, host);
  applyAll(host.route, [
    {
      kind: 'link-set',
      link: { name: port, detail, master: bridge.name, up: true },
      was: { name: port, detail },
    },
    ...vlanSteps({
      hostLink: port,
      port: { hairpin: false, isolated: false, vlan, vlanTrunk: [], preserveDefaultVlan: false },
    }),
    { kind: 'link-set', link: { name, detail, up: true }, was: { name, detail } },
  ]);
  return name;
}
