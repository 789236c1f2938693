// The network configuration that a lab's agents share, in flannel's net-conf.json format, and whether its backend can carry it at all.
import { whyNotBackend } from '../../agent/backend/choose-backend.ts';
import type { Underlay, UnderlayFamily } from '../../agent/underlay.ts';
import type { Family } from '../../net/address.ts';
import { decodeNetworkConfig } from '../../store/network-config.ts';
import type { LabNetwork } from './lab-networks.ts';

interface Carried {
  readonly backend: string;
  readonly networks: readonly LabNetwork[];
}

export function networkConfig({ backend, networks }: Carried): string {
  const [ip4, ip6] = ([4, 6] as const).map((family) => networks.find((network) => network.family === family));
  const config = {
    ...(ip4 === undefined ? { EnableIPv4: false } : { Network: ip4.pods }),
    ...(ip6 === undefined ? {} : { EnableIPv6: true, IPv6Network: ip6.pods }),
    Backend: { Type: backend },
  };
  return `${JSON.stringify(config, undefined, 2)}\n`;
}

/** In the agent's own words; undefined when it can. What the kernel at hand lacks is not asked. */
export function whyNotNetwork(carried: Carried): string | undefined {
  return whyNotBackend(decodeNetworkConfig(networkConfig(carried)), underlayOf(carried.networks));
}

/** Of any node: what it is called and how much it carries decides nothing here. */
function underlayOf(networks: readonly LabNetwork[]): Underlay {
  const family = (wanted: Family): UnderlayFamily | undefined => {
    const address = networks.find((network) => network.family === wanted)?.gateway.address;
    return address === undefined ? undefined : { address, publicIp: address };
  };
  return { link: 'eth0', mtu: 1500, ip4: family(4), ip6: family(6) };
}
