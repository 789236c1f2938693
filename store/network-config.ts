// The cluster's network configuration, flannel's net-conf.json: networks, the size and range of a node's subnets, the backend.
// Zero values are "not set", as in Go. Rules: flannel's CheckNetworkConfig, which flannel itself applies with etcd only.
import { z } from 'zod';
import type { Family, IpAddress } from '../net/address.ts';
import { Prefix } from '../net/prefix.ts';
import { addressField, networkField } from './address-fields.ts';
import { type BackendConfig, decodeBackendConfig } from './backend-config.ts';
import { checkShape, goObject, jsonField, parseJsonObject } from './go-json.ts';
import { type FieldProblem, StoreError } from './store-error.ts';

/** The subnets that nodes get: `min`, `max` and all between them, each of `subnetLength`. */
export type SubnetRange = {
  readonly network: Prefix;
  readonly subnetLength: number;
  readonly min: Prefix;
  readonly max: Prefix;
};

/** At least one family is there. */
export type NetworkConfig = {
  readonly ip4: SubnetRange | undefined;
  readonly ip6: SubnetRange | undefined;
  /** What flannel's EnableNFTables says. */
  readonly nftables: boolean;
  readonly backend: BackendConfig;
};

const configShape = goObject({
  Network: networkField(4).nullish(),
  IPv6Network: networkField(6).nullish(),
  EnableIPv4: z.boolean().nullish(),
  EnableIPv6: z.boolean().nullish(),
  EnableNFTables: z.boolean().nullish(),
  SubnetLen: z.number().int().nullish(),
  SubnetMin: addressField(4).nullish(),
  SubnetMax: addressField(4).nullish(),
  IPv6SubnetLen: z.number().int().nullish(),
  IPv6SubnetMin: addressField(6).nullish(),
  IPv6SubnetMax: addressField(6).nullish(),
  Backend: jsonField.nullish(),
});

/** What differs between the families; `fitting` is the subnet length given to every network that has four of them. */
const families = {
  4: { prefix: '', network: 'Network', fitting: 24, longestNetwork: 28, longestSubnet: 30 },
  6: { prefix: 'IPv6', network: 'IPv6Network', fitting: 64, longestNetwork: 124, longestSubnet: 126 },
} as const;

type StatedRange = {
  readonly family: Family;
  readonly network: Prefix | undefined;
  readonly length: number;
  readonly min: IpAddress | undefined;
  readonly max: IpAddress | undefined;
};

/** Reads net-conf.json. Throws StoreError `invalid` that names `object` and every field that is wrong. */
export function decodeNetworkConfig(value: string | Uint8Array, object = 'config'): NetworkConfig {
  const fail = (problems: readonly FieldProblem[]) =>
    new StoreError(`Cannot read network configuration "${object}"`, { code: 'invalid', object, problems });
  const { data, problems: shapeProblems } = checkShape(configShape, parseJsonObject(value, object));
  if (data === undefined) throw fail(shapeProblems);

  const problems: FieldProblem[] = [];
  const ip4 = data.EnableIPv4 ?? true;
  const ip6 = data.EnableIPv6 ?? false;
  if (!ip4 && !ip6) problems.push({ field: 'EnableIPv4', message: 'is false, and EnableIPv6 is too' });
  const config = {
    ip4: ip4
      ? subnetRange(
          {
            family: 4,
            network: data.Network ?? undefined,
            length: data.SubnetLen ?? 0,
            min: data.SubnetMin ?? undefined,
            max: data.SubnetMax ?? undefined,
          },
          problems,
        )
      : undefined,
    ip6: ip6
      ? subnetRange(
          {
            family: 6,
            network: data.IPv6Network ?? undefined,
            length: data.IPv6SubnetLen ?? 0,
            min: data.IPv6SubnetMin ?? undefined,
            max: data.IPv6SubnetMax ?? undefined,
          },
          problems,
        )
      : undefined,
    nftables: data.EnableNFTables ?? false,
  };
  const backend = decodeBackendConfig(data.Backend ?? undefined, problems);
  if (backend === undefined || problems.length > 0) throw fail(problems);
  return { ...config, backend };
}

function subnetRange(stated: StatedRange, problems: FieldProblem[]): SubnetRange | undefined {
  const names = families[stated.family];
  const { network } = stated;
  const wrong = (field: string, message: string): undefined => {
    problems.push({ field, message });
  };
  if (network === undefined) return wrong(names.network, 'is missing');
  if (network.length === 0 || network.first().isLoopback || network.first().isMulticast) {
    return wrong(names.network, `"${network}" is not a range that pods can use`);
  }
  const subnetLength = chooseLength(stated, network, wrong);
  if (subnetLength === undefined) return undefined;

  const boundary = (field: string, address: IpAddress): Prefix | undefined => {
    const subnet = new Prefix(address, subnetLength);
    if (!network.contains(address))
      return wrong(field, `"${address}" is not in ${names.network} "${network}"`);
    if (subnet.isNetwork) return subnet;
    return wrong(
      field,
      `"${address}" is not on a /${subnetLength} boundary: the one before it is "${subnet.first()}"`,
    );
  };
  const size = 1n << BigInt(network.bits - subnetLength);
  const isSet = (address: IpAddress | undefined) => address !== undefined && !address.isUnspecified;
  // The first subnet is left out: its first address is the network's own, which flannel gives to the VTEP of a node.
  const min = boundary(
    `${names.prefix}SubnetMin`,
    stated.min && isSet(stated.min) ? stated.min : network.first().plus(size),
  );
  const max = boundary(
    `${names.prefix}SubnetMax`,
    stated.max && isSet(stated.max) ? stated.max : network.last().plus(1n - size),
  );
  if (min === undefined || max === undefined) return undefined;
  if (min.compare(max) > 0) {
    return wrong(
      `${names.prefix}SubnetMin`,
      `"${min.address}" is above ${names.prefix}SubnetMax "${max.address}"`,
    );
  }
  return { network, subnetLength, min, max };
}

function chooseLength(
  { family, length }: StatedRange,
  network: Prefix,
  wrong: (field: string, message: string) => undefined,
): number | undefined {
  const { prefix, network: networkName, fitting, longestNetwork, longestSubnet } = families[family];
  if (length === 0) {
    if (network.length > longestNetwork) {
      return wrong(
        networkName,
        `"${network}" is too small: at most /${longestNetwork} has four subnets of four addresses`,
      );
    }
    return network.length <= fitting - 2 ? fitting : network.length + 2;
  }
  const least = network.length + 2;
  if (length >= least && length <= longestSubnet) return length;
  return wrong(
    `${prefix}SubnetLen`,
    least > longestSubnet
      ? `${length} does not fit: ${networkName} "${network}" is too small for four subnets`
      : `${length} does not fit ${networkName} "${network}": want ${least} to ${longestSubnet}`,
  );
}
