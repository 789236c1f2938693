// The sysctls that the IPVS mode depends on, as kube-proxy sets them. Those of net.ipv4.vs are there once the kernel has IPVS.
import { release } from 'node:os';
import type { SysctlAccess } from '../conntrack-sysctls.ts';
import type { IpvsChoices } from './ipvs-choices.ts';

/** Throws KernelError when one cannot be written: without them packets go wrong. */
export function setIpvsSysctls(
  choices: Pick<IpvsChoices, 'strictArp'>,
  access: SysctlAccess,
  kernel: string = release(),
): void {
  for (const [key, value] of wantedIpvsSysctls(choices, kernel)) {
    const there = access.read(key);
    if (there !== undefined && there !== value) access.write(key, value);
  }
}

export function wantedIpvsSysctls(
  { strictArp }: Pick<IpvsChoices, 'strictArp'>,
  kernel: string,
): ReadonlyMap<string, string> {
  const vs = 'net/ipv4/vs';
  const arp = 'net/ipv4/conf/all';
  return new Map([
    // Masquerading needs it.
    [`${vs}/conntrack`, '1'],
    ...(reusesBadly(kernel) ? [[`${vs}/conn_reuse_mode`, '0'] as const] : []),
    // A connection whose real server is gone ends, rather than hang.
    [`${vs}/expire_nodest_conn`, '1'],
    // A persistent client leaves a real server that takes no more connections.
    [`${vs}/expire_quiescent_template`, '1'],
    ['net/ipv4/ip_forward', '1'],
    ...(strictArp ? [[`${arp}/arp_ignore`, '1'] as const, [`${arp}/arp_announce`, '2'] as const] : []),
  ]);
}

/**
 * From Linux 4.1, which knows the sysctl, to 5.9 a client that uses a port again waits a second for its connection unless this is off; from
 * then on it is better on, since a port used again may lead to a real server that is going.
 */
function reusesBadly(kernel: string): boolean {
  const [major = 0, minor = 0] = kernel.split('.').map((part) => Number.parseInt(part, 10));
  const version = major * 1000 + minor;
  return version >= 4001 && version < 5009;
}
