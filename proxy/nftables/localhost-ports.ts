// The sysctl that lets packets for and from 127.0.0.0/8 cross links, for node ports on 127.0.0.1. Whoever sets it must have the guard in
// place (chain localhost-guard). It is never switched off: others may need it, and nobody can tell.
import type { Netns } from '../../kernel/netns.ts';
import { readSysctl, writeSysctl } from '../../kernel/sysctl.ts';

export const routeLocalnetKey = 'net/ipv4/conf/all/route_localnet';

export interface LocalhostPorts {
  isOn(): boolean;
  /** Throws KernelError: EROFS or EACCES where /proc/sys is read-only. */
  switchOn(): void;
}

export function localhostPorts(netns: Netns | undefined): LocalhostPorts {
  return {
    isOn: () => readSysctl(routeLocalnetKey, { netns }) === '1',
    switchOn: () => writeSysctl(routeLocalnetKey, '1', { netns }),
  };
}
