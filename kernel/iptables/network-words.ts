// Words for networks and protocols, as options of a rule and of its matches take them.
import { type Family, IpAddress } from '../../net/address.ts';
import { Prefix } from '../../net/prefix.ts';
import { protocolName } from '../nft/value-text.ts';
import { readNumber } from './words.ts';

const protocolNumbers: ReadonlyMap<string, number> = new Map([
  ...Array.from({ length: 256 }, (_, number) => [protocolName(number), number] as const),
  ['icmpv6', 58],
  ['all', 0],
]);

/** "10.0.0.1", "10.0.0.0/8"; undefined for all addresses. Throws SyntaxError. */
export function readNetwork(text: string, family: Family): Prefix | undefined {
  const address = IpAddress.tryParse(text);
  const prefix = address === undefined ? Prefix.tryParse(text) : Prefix.host(address);
  if (prefix?.family !== family)
    throw new SyntaxError(`Cannot use "${text}" as an IPv${family} address or network`);
  return prefix.length === 0 ? undefined : prefix.network();
}

/** "tcp", "6"; undefined for all protocols. Throws SyntaxError. */
export function readProtocol(text: string): number | undefined {
  const number = protocolNumbers.get(text.toLowerCase()) ?? readNumber(text, 255);
  return number === 0 ? undefined : number;
}
