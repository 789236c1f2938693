// The pods' bridge: its device and gateway addresses, and the sysctls of a node that forwards. Its ports are the wiring's business.

import type { InterfaceAddress, Link } from '../kernel/route/objects.ts';
import type { Mac } from '../net/mac.ts';
import { Prefix } from '../net/prefix.ts';
import { type Lease, subnetsOf } from '../store/lease.ts';
import { netloomAlias } from './alias.ts';

export interface BridgeInput {
  readonly name: string;
  readonly own: Pick<Lease, 'subnet' | 'subnet6'>;
  /** Fixed, or the bridge would take that of its lowest port and change it with the pods. */
  readonly mac: Mac;
  readonly mtu: number;
}

export interface BridgeObjects {
  readonly link: Link;
  readonly addresses: readonly InterfaceAddress[];
}

/** The first address of a subnet after the network's own: the pods' gateway, with the subnet's length. */
export function gatewayOf(subnet: Prefix): Prefix {
  return new Prefix(subnet.first().plus(1), subnet.length);
}

export function planBridge({ name, own, mac, mtu }: BridgeInput): BridgeObjects {
  return {
    link: { name, detail: { kind: 'bridge' }, mac, mtu, up: true, alias: netloomAlias },
    addresses: subnetsOf(own).map((subnet) => ({
      link: name,
      prefix: gatewayOf(subnet),
      scope: 'global',
      ...(subnet.family === 6 ? { noDad: true } : {}),
    })),
  };
}

/**
 * Key -> value. No router advertisement may change a link of ours (flannel PR #1298), and a node of pods forwards. Nobody else has the
 * addresses of our links: while the kernel asked around for their link-local ones (duplicate address detection, a second or two from the
 * first pod on), it could not ask for the pods themselves, and what is forwarded to them would wait.
 */
export function nodeSysctls(
  links: readonly string[],
  families: { readonly ip4: boolean; readonly ip6: boolean },
): ReadonlyMap<string, string> {
  const sysctls = new Map<string, string>();
  if (families.ip4) sysctls.set('net/ipv4/ip_forward', '1');
  // The surprise: the kernel then ignores router advertisements on links whose accept_ra is 1 instead of 2.
  if (families.ip6) sysctls.set('net/ipv6/conf/all/forwarding', '1');
  for (const link of links) {
    sysctls.set(`net/ipv6/conf/${link}/accept_ra`, '0');
    if (families.ip6) sysctls.set(`net/ipv6/conf/${link}/accept_dad`, '0');
  }
  return sysctls;
}
