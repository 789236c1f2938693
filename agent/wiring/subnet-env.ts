// subnet.env: what flannel's CNI plugin and ours read about the node's subnet. Written byte for byte as flannel does
// (pkg/subnet/subnet.go), read by anything that sources shell variables.
import { Prefix } from '../../net/prefix.ts';

export interface SubnetEnv {
  readonly ip4: SubnetEnvFamily | undefined;
  readonly ip6: SubnetEnvFamily | undefined;
  readonly mtu: number;
  /** The agent masquerades, so the plugin need not. */
  readonly masquerade: boolean;
}

export interface SubnetEnvFamily {
  /** Usually one; readers take a list with commas. */
  readonly networks: readonly Prefix[];
  /** The gateway's address with the subnet's length: "10.244.1.1/24". */
  readonly gateway: Prefix;
}

export function formatSubnetEnv({ ip4, ip6, mtu, masquerade }: SubnetEnv): string {
  const lines: string[] = [];
  if (ip4 !== undefined)
    lines.push(`FLANNEL_NETWORK=${ip4.networks.join(',')}`, `FLANNEL_SUBNET=${ip4.gateway}`);
  if (ip6 !== undefined) {
    lines.push(`FLANNEL_IPV6_NETWORK=${ip6.networks.join(',')}`, `FLANNEL_IPV6_SUBNET=${ip6.gateway}`);
  }
  lines.push(`FLANNEL_MTU=${mtu}`, `FLANNEL_IPMASQ=${masquerade}`);
  return `${lines.join('\n')}\n`;
}

/** Reads the file's text. Throws SyntaxError that names the variable that is missing or wrong. */
export function parseSubnetEnv(text: string): SubnetEnv {
  const values = new Map<string, string>();
  for (const line of text.split('\n')) {
    const match = /^\s*(?:export\s+)?([A-Z][A-Z0-9_]*)=(["']?)(.*?)\2\s*$/.exec(line);
    if (match?.[1] !== undefined && match[3] !== undefined) values.set(match[1], match[3]);
  }
  const ip4 = parseFamily(values, 'FLANNEL_NETWORK', 'FLANNEL_SUBNET');
  const ip6 = parseFamily(values, 'FLANNEL_IPV6_NETWORK', 'FLANNEL_IPV6_SUBNET');
  if (ip4 === undefined && ip6 === undefined) throw wrong('FLANNEL_SUBNET', undefined);
  const mtu = values.get('FLANNEL_MTU') ?? '';
  if (!/^[1-9]\d{0,5}$/.test(mtu)) throw wrong('FLANNEL_MTU', mtu);
  const masquerade = values.get('FLANNEL_IPMASQ') ?? 'false';
  if (masquerade !== 'true' && masquerade !== 'false') throw wrong('FLANNEL_IPMASQ', masquerade);
  return { ip4, ip6, mtu: Number(mtu), masquerade: masquerade === 'true' };
}

function parseFamily(
  values: ReadonlyMap<string, string>,
  networkName: string,
  subnetName: string,
): SubnetEnvFamily | undefined {
  const subnet = values.get(subnetName);
  const network = values.get(networkName);
  if (subnet === undefined && network === undefined) return undefined;
  const gateway = Prefix.tryParse(subnet ?? '');
  if (gateway === undefined) throw wrong(subnetName, subnet);
  const networks = (network ?? '').split(',').map((text) => {
    const prefix = Prefix.tryParse(text.trim());
    if (prefix === undefined) throw wrong(networkName, network);
    return prefix;
  });
  return { networks, gateway };
}

function wrong(name: string, value: string | undefined): SyntaxError {
  return new SyntaxError(
    value === undefined || value === ''
      ? `Cannot read subnet.env: ${name} is missing`
      : `Cannot read subnet.env: ${name} is ${JSON.stringify(value)}`,
  );
}
