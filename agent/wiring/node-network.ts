// What a pod's wiring needs to know of its node: the bridge, the subnets, the MTU. The agent knows it; without the agent it is
// read from subnet.env, which the agent left behind.
import { readFileSync } from 'node:fs';
import type { IpAddress } from '../../net/address.ts';
import type { Prefix } from '../../net/prefix.ts';
import { errorCode } from '../../runtime/error-text.ts';
import { CniError, cniCodes } from './cni-error.ts';
import { parseSubnetEnv, type SubnetEnv } from './subnet-env.ts';

export interface NodeNetwork {
  /** Name of the pods' bridge. */
  readonly bridge: string;
  /** The pods' MTU. */
  readonly mtu: number;
  /** At most one of a family, IPv4 first. */
  readonly subnets: readonly NodeSubnet[];
}

export interface NodeSubnet {
  readonly subnet: Prefix;
  /** The bridge's address in it. */
  readonly gateway: IpAddress;
}

/** Of an address with its subnet's length: "10.244.1.1/24". */
export function nodeSubnet(gateway: Prefix): NodeSubnet {
  return { subnet: gateway.network(), gateway: gateway.address };
}

/**
 * Reads subnet.env. Throws CniError: try again later when it is not there (no agent has had a lease on this node yet), input
 * and output when it cannot be read or is spoilt.
 */
export function readNodeNetwork(options: {
  readonly subnetFile: string;
  readonly bridge: string;
}): NodeNetwork {
  const { ip4, ip6, mtu } = readSubnetEnv(options.subnetFile);
  const gateways = [ip4, ip6].flatMap((family) => (family === undefined ? [] : [family.gateway]));
  return { bridge: options.bridge, mtu, subnets: gateways.map(nodeSubnet) };
}

/** As `readNodeNetwork`, with all that the file says. */
export function readSubnetEnv(subnetFile: string): SubnetEnv {
  try {
    return parseSubnetEnv(readFileSync(subnetFile, 'utf8'));
  } catch (cause) {
    if (errorCode(cause) === 'ENOENT') {
      throw new CniError(
        cniCodes.tryAgainLater,
        `The node has no pod subnet yet: "${subnetFile}" is missing`,
        {
          details: 'netloom agent writes it when it has a lease',
          cause,
        },
      );
    }
    throw new CniError(cniCodes.inputOutput, `Cannot read the node's pod subnet from "${subnetFile}"`, {
      details: String(cause),
      cause,
    });
  }
}
