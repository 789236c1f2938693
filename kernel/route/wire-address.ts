// Interface addresses as rtnetlink messages (struct ifaddrmsg, IFA_* of linux/if_addr.h).
import { Prefix } from '../../net/prefix.ts';
import { at, attributeTable } from '../netlink/attribute-table.ts';
import { type ByteReader, type ByteWriter, DecodeError } from '../netlink/bytes.ts';
import { ipAddress, u32 } from '../netlink/codec.ts';
import type { InterfaceAddress, Scope } from './objects.ts';
import {
  decoded,
  familyNumber,
  familyOf,
  ifaddrmsg,
  type LinkIndexes,
  type LinkNames,
  messageOf,
  numbered,
} from './rtnetlink.ts';

const IFA_F_TEMPORARY = 0x01;
const IFA_F_NODAD = 0x02;
const IFA_F_DADFAILED = 0x08;
const IFA_F_DEPRECATED = 0x20;
const IFA_F_TENTATIVE = 0x40;
const IFA_F_PERMANENT = 0x80;

/** RT_SCOPE_* of linux/rtnetlink.h; routes use the same. */
export const scopes = numbered({ global: 0, site: 200, link: 253, host: 254, nowhere: 255 } satisfies Record<
  Scope,
  number
>);

export const addressMessage = messageOf(
  ifaddrmsg,
  attributeTable({
    IFA_ADDRESS: at(1, ipAddress),
    IFA_LOCAL: at(2, ipAddress),
    IFA_BROADCAST: at(4, ipAddress),
    IFA_FLAGS: at(8, u32),
  }),
);

/** Body of RTM_NEWADDR and RTM_DELADDR. */
export function writeAddress(out: ByteWriter, address: InterfaceAddress, links: LinkIndexes): void {
  const { prefix } = address;
  addressMessage.write(out, {
    header: {
      family: familyNumber(prefix.family),
      prefixLength: prefix.length,
      flags: 0,
      scope: scopes.numberOf(address.scope ?? 'global'),
      index: links.indexOf(address.link),
    },
    attributes: {
      IFA_ADDRESS: prefix.address,
      IFA_LOCAL: prefix.address,
      IFA_BROADCAST: address.broadcast,
      IFA_FLAGS: address.noDad === true ? IFA_F_NODAD : undefined,
    },
  });
}

/** Body of RTM_GETADDR that dumps a family, or only what of it is on the link of that number. */
export function writeAddressDump(out: ByteWriter, family: 4 | 6, index = 0): void {
  const header = { family: familyNumber(family), prefixLength: 0, flags: 0, scope: 0, index };
  addressMessage.write(out, { header, attributes: {} });
}

/** Undefined for a family that is not ours or a link without a name. */
export function readAddress(input: ByteReader, names: LinkNames): InterfaceAddress | undefined {
  const { header, attributes } = addressMessage.read(input);
  const family = familyOf(header.family);
  const link = names.nameOf(header.index);
  if (family === undefined || link === undefined) return undefined;
  const address = attributes.IFA_LOCAL ?? attributes.IFA_ADDRESS;
  if (address === undefined || address.family !== family)
    throw new DecodeError(`Cannot read an IPv${family} address of link "${link}": it is missing`);
  const flags = attributes.IFA_FLAGS ?? header.flags;
  return {
    link,
    prefix: decoded('address', () => new Prefix(address, header.prefixLength)),
    scope: scopes.nameOf(header.scope) ?? 'global',
    broadcast: attributes.IFA_BROADCAST,
    noDad: (flags & IFA_F_NODAD) !== 0,
    permanent: (flags & IFA_F_PERMANENT) !== 0,
    // The same bit says "secondary" of an IPv4 address.
    temporary: family === 6 && (flags & IFA_F_TEMPORARY) !== 0,
    deprecated: (flags & IFA_F_DEPRECATED) !== 0,
    tentative: (flags & (IFA_F_TENTATIVE | IFA_F_DADFAILED)) !== 0,
  };
}
