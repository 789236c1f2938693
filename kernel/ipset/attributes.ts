// Numbers of ipset's netlink interface (linux/netfilter/ipset/ip_set.h). Not what its messages look like.
import type { Ipset } from './objects.ts';

/** NFNL_SUBSYS_IPSET in the upper byte of a message's type. */
const subsystem = 6 << 8;

export const IPSET_CMD_PROTOCOL = subsystem | 1;
export const IPSET_CMD_CREATE = subsystem | 2;
export const IPSET_CMD_DESTROY = subsystem | 3;
export const IPSET_CMD_SWAP = subsystem | 6;
export const IPSET_CMD_LIST = subsystem | 7;
export const IPSET_CMD_ADD = subsystem | 9;
export const IPSET_CMD_DEL = subsystem | 10;
export const IPSET_CMD_TYPE = subsystem | 13;

export const IPSET_ATTR_DATA = 7;
export const IPSET_ATTR_ADT = 8;

/** In IPSET_ATTR_DATA of an entry. */
export const IPSET_ATTR_IP = 1;
export const IPSET_ATTR_PORT = 4;
export const IPSET_ATTR_PROTO = 7;
export const IPSET_ATTR_CADT_FLAGS = 8;
export const IPSET_ATTR_IP2 = 20;
export const IPSET_ATTR_CIDR2 = 21;

/** In IPSET_ATTR_IP and IPSET_ATTR_IP2. */
export const IPSET_ATTR_IPADDR_IPV4 = 1;
export const IPSET_ATTR_IPADDR_IPV6 = 2;

/** Of IPSET_ATTR_FLAGS: headers without entries. */
export const IPSET_FLAG_LIST_HEADER = 4;
/** Of IPSET_ATTR_CADT_FLAGS: the entry is an exception. */
export const IPSET_FLAG_NOMATCH = 4;

export const NFPROTO_UNSPEC = 0;
export const NFPROTO_IPV4 = 2;
export const NFPROTO_IPV6 = 10;

/** NFPROTO_* of a set's addresses. */
export function familyOfSet({ type, family }: Pick<Ipset, 'type' | 'family'>): number {
  if (type === 'bitmap:port') return NFPROTO_UNSPEC;
  return family === 4 ? NFPROTO_IPV4 : NFPROTO_IPV6;
}
