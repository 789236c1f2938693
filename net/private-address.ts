// Addresses that are not routed in the internet by their range: RFC 1918 and RFC 4193.
import type { IpAddress } from './address.ts';
import { Prefix } from './prefix.ts';

const ranges = ['10.0.0.0/8', '172.16.0.0/12', '192.168.0.0/16', 'fc00::/7'].map((text) =>
  Prefix.parse(text),
);

export function isPrivateAddress(address: IpAddress): boolean {
  return ranges.some((range) => range.family === address.family && range.contains(address));
}
