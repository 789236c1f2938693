// The bridge of a network of its own (one that the configuration describes, not the node's lease): made when a pod first needs it,
// as the reference bridge plugin does it, and never deleted here. The bridge of the node's pods is the agent's (agent/bridge.ts).
import { createHash } from 'node:crypto';
import { isExists } from '../../kernel/kernel-error.ts';
import { applyAll } from '../../kernel/route/apply-all.ts';
import type { InterfaceAddress, Link } from '../../kernel/route/objects.ts';
import type { RouteStep } from '../../kernel/route/step.ts';
import { readSysctl, writeSysctl, writeSysctlIfThere } from '../../kernel/sysctl.ts';
import { Mac } from '../../net/mac.ts';
import type { Prefix } from '../../net/prefix.ts';
import { wiringAlias } from '../alias.ts';
import { CniError, cniCodes } from './cni-error.ts';
import type { Host } from './pod-links.ts';
import type { BridgeWish } from './wire-request.ts';

/** The bridge as it is now. Throws CniError when the name is another kind of link's, KernelError when the kernel refuses. */
export function ensureBridge(wish: BridgeWish, host: Host): Link {
  const found = host.route.link(wish.name) ?? makeBridge(wish, host);
  if (found.detail.kind !== 'bridge') {
    throw new CniError(
      cniCodes.invalidConfig,
      `Cannot use "${wish.name}" as a bridge: a link of this name is there and is none`,
    );
  }
  const options = {
    ...(found.up === true ? {} : { up: true }),
    ...(wish.promiscuous ? { promiscuous: true } : {}),
  };
  if (Object.keys(options).length > 0) {
    const { name, detail } = found;
    applyAll(host.route, [{ kind: 'link-set', link: { name, detail, ...options }, was: found }]);
  }
  return found;
}

/** Its MAC is its own and follows from its name: without one it would take that of its lowest port, and change it with the pods. */
function makeBridge({ name, mtu }: BridgeWish, host: Host): Link {
  const mac = Mac.local(createHash('sha256').update(`netloom bridge ${name}`).digest());
  const link: Link = {
    name,
    detail: { kind: 'bridge' },
    mac,
    alias: wiringAlias,
    ...(mtu === undefined ? {} : { mtu }),
  };
  const [made] = host.route.apply([{ kind: 'link-add', link }]);
  // Another pod's ADD may have made it meanwhile.
  if (made?.error !== undefined && !isExists(made.error)) throw made.error;
  refuseAdvertisements(name, host);
  return host.route.link(name) ?? link;
}

/** Before it is up: no pod may route for the node (CVE-2020-10749). */
export function refuseAdvertisements(link: string, { netns }: Host): void {
  writeSysctlIfThere(`net/ipv6/conf/${link}/accept_ra`, '0', { netns });
}

/**
 * Gives `link` (the bridge, or its gateway in a VLAN) these addresses, and lets the node forward. Throws CniError (invalid
 * configuration) when it has others of the family and `forceAddress` is false.
 */
export function ensureGateways(
  link: string,
  { gateways, forceAddress }: { readonly gateways: readonly Prefix[]; readonly forceAddress: boolean },
  host: Host,
): void {
  const present = host.route.addressesOn(link);
  const steps = gateways.flatMap((gateway): readonly RouteStep[] => {
    const others = present.filter((address) => isInTheWay(address, gateway, gateways));
    const [first] = others;
    if (first !== undefined && !forceAddress) {
      throw new CniError(
        cniCodes.invalidConfig,
        `Cannot give "${link}" the gateway address ${gateway}: it has ${first.prefix} already`,
        { details: 'forceAddress would replace it' },
      );
    }
    if (present.some(({ prefix }) => prefix.equals(gateway))) return [];
    const address: InterfaceAddress = {
      link,
      prefix: gateway,
      scope: 'global',
      ...(gateway.family === 6 ? { noDad: true } : {}),
    };
    return [
      ...others.map((other): RouteStep => ({ kind: 'address-delete', address: other })),
      { kind: 'address-add', address },
    ];
  });
  if (gateways.some(({ family }) => family === 6))
    writeSysctlIfThere(`net/ipv6/conf/${link}/accept_dad`, '0', host);
  applyAll(host.route, steps);
  for (const { family } of gateways) {
    const key = family === 4 ? 'net/ipv4/ip_forward' : 'net/ipv6/conf/all/forwarding';
    if (readSysctl(key, host) !== '1') writeSysctl(key, '1', host);
  }
}

/** As the reference has it: of IPv4 any other address, of IPv6 only one whose subnet overlaps. */
function isInTheWay(address: InterfaceAddress, gateway: Prefix, wanted: readonly Prefix[]): boolean {
  const { prefix } = address;
  if (prefix.family !== gateway.family || wanted.some((own) => own.equals(prefix))) return false;
  if (gateway.family === 4) return true;
  return prefix.contains(gateway.address) || gateway.contains(prefix.address);
}
