// zod types for the addresses in stored objects: text in, parsed values of net/ out. Everything here is foreign input.
import { z } from 'zod';
import { type Family, IpAddress } from '../net/address.ts';
import { Mac } from '../net/mac.ts';
import { Prefix } from '../net/prefix.ts';
import { WireguardKey } from '../net/wireguard-key.ts';
import { quote } from './store-error.ts';

const field = <Value>(parse: (text: string) => Value | string) =>
  z.string().transform((text, context): Value => {
    const value = parse(text);
    if (typeof value !== 'string') return value;
    context.addIssue(`${quote(text)} ${value}`);
    return z.NEVER;
  });

/** Why a packet cannot be sent to the address as to a node, or undefined when it can. */
export function whyNotNodeAddress(address: IpAddress): string | undefined {
  if (address.isUnspecified) return 'is the unspecified address';
  if (address.isLoopback) return 'is a loopback address';
  if (address.isMulticast) return 'is a multicast address';
  if (address.isBroadcast) return 'is the broadcast address';
  if (address.isIp4Mapped) return 'is an IPv4-mapped address';
  if (address.family === 4 && address.bytes[0] === 0) return 'is in 0.0.0.0/8, "this network"';
  return undefined;
}

/** Any address of the family. */
export const addressField = (family: Family) =>
  field((text) => {
    const address = IpAddress.tryParse(text);
    return address?.family === family ? address : `is not an IPv${family} address`;
  });

/** ADDRESS/LENGTH of the family; host bits are cleared, as Go's net.ParseCIDR does. */
export const networkField = (family: Family) =>
  field((text) => {
    const prefix = Prefix.tryParse(text);
    return prefix?.family === family ? prefix.network() : `is not an IPv${family} network (ADDRESS/LENGTH)`;
  });

/** A unicast hardware address that a device can have. */
export const deviceMacField = field((text) => {
  const mac = Mac.tryParse(text);
  if (mac === undefined) return 'is not a MAC address';
  if (mac.isZero) return 'is the zero MAC address';
  return mac.isMulticast ? 'is a multicast MAC address' : mac;
});

/** A public key of WireGuard. */
export const wireguardKeyField = field((text) => {
  const key = WireguardKey.tryParse(text);
  if (key === undefined) return 'is not a WireGuard key (32 bytes in base64)';
  return key.isZero ? 'is the zero key' : key;
});
