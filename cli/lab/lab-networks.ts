// The address ranges of a lab, one set a family: the nodes' underlay, pods, services, load balancers and "the internet".
import { type Family, IpAddress } from '../../net/address.ts';
import { Prefix } from '../../net/prefix.ts';

export const labFamilyChoices = ['v4', 'v6', 'dual'] as const;
export type LabFamilies = (typeof labFamilyChoices)[number];

export interface LabNetwork {
  readonly family: Family;
  /** The nodes' default gateway, an address of outside, with the length of the underlay. */
  readonly gateway: Prefix;
  /** An address of "the internet", behind the gateway. */
  readonly internet: IpAddress;
  readonly pods: Prefix;
  readonly services: Prefix;
  /** Addresses of load balancers: outside sends what is for them to the first node. */
  readonly loadBalancers: Prefix;
}

/**
 * What nodes, outside and load balancers have is of documentation ranges (RFC 5737, RFC 3849): nothing real answers there, should a
 * packet ever get out. Pods and services have private addresses, as they have in clusters made by kind.
 */
export const labNetworks: Readonly<Record<Family, LabNetwork>> = {
  4: {
    family: 4,
    gateway: Prefix.parse('192.0.2.1/24'),
    internet: IpAddress.parse('198.51.100.10'),
    pods: Prefix.parse('10.244.0.0/16'),
    services: Prefix.parse('10.96.0.0/16'),
    loadBalancers: Prefix.parse('203.0.113.0/24'),
  },
  6: {
    family: 6,
    gateway: Prefix.parse('2001:db8:192:2::1/64'),
    internet: IpAddress.parse('2001:db8:198:51::10'),
    pods: Prefix.parse('fd00:10:244::/56'),
    services: Prefix.parse('fd00:10:96::/112'),
    loadBalancers: Prefix.parse('2001:db8:203:113::/64'),
  },
};

/** Nodes count from here: n1 is 192.0.2.11 and 2001:db8:192:2::11. */
const nodeBase: Readonly<Record<Family, number>> = { 4: 10, 6: 0x10 };

/** The first is the one that is meant where only one can be: of two, IPv4, as in most clusters of both. */
export function familiesOfLab(families: LabFamilies): readonly Family[] {
  switch (families) {
    case 'v4':
      return [4];
    case 'v6':
      return [6];
    case 'dual':
      return [4, 6];
    default:
      return families satisfies never;
  }
}

/** The choice that gives these families. */
export function choiceOfFamilies(families: readonly Family[]): LabFamilies {
  if (families.length > 1) return 'dual';
  return families[0] === 6 ? 'v6' : 'v4';
}

/** On the underlay, with its length. `number` counts from 1. */
export function nodeAddress({ family, gateway }: LabNetwork, number: number): Prefix {
  return new Prefix(gateway.first().plus(nodeBase[family] + number), gateway.length);
}
