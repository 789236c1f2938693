// The links that backends make, told by name and kind: what an earlier configuration left behind is found so, and whose changes matter.
import type { Link } from '../../kernel/route/objects.ts';
import { ipipDeviceName } from './ipip.ts';
import { udpDeviceName } from './udp.ts';
import { isVxlanDeviceName } from './vxlan.ts';
import { isWireguardDeviceName } from './wireguard.ts';

/** True for a name that a backend's device can have. */
export function isBackendDeviceName(name: string): boolean {
  return (
    name === ipipDeviceName ||
    name === udpDeviceName ||
    isVxlanDeviceName(name) ||
    isWireguardDeviceName(name)
  );
}

/** True for a link that a backend could have made; that one of ours did, its alias tells. */
export function isBackendDevice({ name, detail }: Pick<Link, 'name' | 'detail'>): boolean {
  switch (detail.kind) {
    case 'vxlan':
      return isVxlanDeviceName(name);
    case 'ipip':
      return name === ipipDeviceName;
    case 'tun':
      return name === udpDeviceName;
    case 'wireguard':
      return isWireguardDeviceName(name);
    default:
      return false;
  }
}
