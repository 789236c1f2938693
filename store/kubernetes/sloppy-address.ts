// Addresses as Kubernetes still takes them (ParseIPSloppy): leading zeros are allowed and mean nothing, "010.0.0.1" is 10.0.0.1.
// The C library would read such a number as octal (CVE-2021-29923), so that the canonical form is all that may leave here.
import { IpAddress } from '../../net/address.ts';
import { Prefix } from '../../net/prefix.ts';

/** Longest text taken: far more than any address with zeros in front that anybody wrote. */
const longest = 64;

const withZeros = /^\d+(?:\.\d+){3}$/;

export function sloppyAddress(text: string): IpAddress | undefined {
  const strict = IpAddress.tryParse(text);
  if (strict !== undefined || text.length > longest || !withZeros.test(text)) return strict;
  return IpAddress.tryParse(
    text
      .split('.')
      .map((part) => part.replace(/^0+(?=\d)/, ''))
      .join('.'),
  );
}

/** ADDRESS/LENGTH as a network: host bits are cleared, as Go's net.ParseCIDR does. */
export function sloppyNetwork(text: string): Prefix | undefined {
  const slash = text.indexOf('/');
  const address = slash === -1 ? undefined : sloppyAddress(text.slice(0, slash));
  return address === undefined ? undefined : Prefix.tryParse(`${address}${text.slice(slash)}`)?.network();
}
