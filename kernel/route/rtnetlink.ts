// Numbers and message headers of rtnetlink (linux/rtnetlink.h, if_link.h, if_addr.h, neighbour.h, fib_rules.h). Not what a
// message means: the wire-*.ts files say that.
import { type ByteReader, DecodeError } from '../netlink/bytes.ts';
import { type Codec, i32, padding, struct, u8, u16, u32 } from '../netlink/codec.ts';

export const RTM_NEWLINK = 16;
export const RTM_DELLINK = 17;
export const RTM_GETLINK = 18;
export const RTM_SETLINK = 19;
export const RTM_NEWADDR = 20;
export const RTM_DELADDR = 21;
export const RTM_GETADDR = 22;
export const RTM_NEWROUTE = 24;
export const RTM_DELROUTE = 25;
export const RTM_GETROUTE = 26;
export const RTM_NEWNEIGH = 28;
export const RTM_DELNEIGH = 29;
export const RTM_GETNEIGH = 30;
export const RTM_NEWRULE = 32;
export const RTM_DELRULE = 33;
export const RTM_GETRULE = 34;

/** Multicast groups as NETLINK_ADD_MEMBERSHIP takes them (enum rtnetlink_groups), not the old bit masks RTMGRP_*. */
export const RTNLGRP_LINK = 1;
export const RTNLGRP_NEIGH = 3;
export const RTNLGRP_IPV4_IFADDR = 5;
export const RTNLGRP_IPV4_ROUTE = 7;
export const RTNLGRP_IPV4_RULE = 8;
export const RTNLGRP_IPV6_IFADDR = 9;
export const RTNLGRP_IPV6_ROUTE = 11;
export const RTNLGRP_IPV6_RULE = 19;

export const AF_UNSPEC = 0;
export const AF_INET = 2;
export const AF_BRIDGE = 7;
export const AF_INET6 = 10;

/** The family number of the kernel for ours. */
export function familyNumber(family: 4 | 6): number {
  return family === 4 ? AF_INET : AF_INET6;
}

/** Our family for the kernel's number; undefined for any other (MPLS, multicast routing ...). */
export function familyOf(number: number): 4 | 6 | undefined {
  if (number === AF_INET) return 4;
  return number === AF_INET6 ? 6 : undefined;
}

export const ifinfomsg = struct({
  family: u8,
  _pad: padding(1),
  type: u16,
  index: i32,
  flags: u32,
  change: u32,
});
export const ifaddrmsg = struct({ family: u8, prefixLength: u8, flags: u8, scope: u8, index: u32 });
export const rtmsg = struct({
  family: u8,
  destinationLength: u8,
  sourceLength: u8,
  tos: u8,
  table: u8,
  protocol: u8,
  scope: u8,
  type: u8,
  flags: u32,
});
export const ndmsg = struct({
  family: u8,
  _pad: padding(3),
  index: i32,
  state: u16,
  flags: u8,
  type: u8,
});
export const ruleHeader = struct({
  family: u8,
  destinationLength: u8,
  sourceLength: u8,
  tos: u8,
  table: u8,
  _reserved: padding(2),
  action: u8,
  flags: u32,
});

/** A message's body: its fixed header, then attributes. */
export interface Message<H, A> {
  readonly header: H;
  readonly attributes: A;
}

export function messageOf<H, A>(header: Codec<H>, attributes: Codec<A>): Codec<Message<H, A>> {
  return {
    write(out, value) {
      header.write(out, value.header);
      attributes.write(out, value.attributes);
    },
    read: (input) => ({ header: header.read(input), attributes: attributes.read(input) }),
  };
}

/** Which link has which number, as one moment had it. */
export interface LinkIndexes {
  /** Throws KernelError ENODEV when there is no such link. */
  indexOf(name: string): number;
}

export interface LinkNames {
  nameOf(index: number): string | undefined;
}

/** Runs a decoder's constructors of values; what they refuse is the message's fault. */
export function decoded<T>(what: string, build: () => T): T {
  try {
    return build();
  } catch (error) {
    if (error instanceof RangeError) throw new DecodeError(`Cannot read ${what}: ${error.message}`);
    throw error;
  }
}

/** Text without the zero byte at its end, as IFLA_IFALIAS is written. */
export const bareText: Codec<string> = {
  write: (out, value) => out.text(value),
  read(input: ByteReader) {
    const bytes = input.raw();
    const end = bytes.indexOf(0);
    return bytes.toString('utf8', 0, end < 0 ? bytes.length : end);
  },
};

/** A number's name in a table and the number of a name. */
export function numbered<const T extends Readonly<Record<string, number>>>(
  table: T,
): {
  readonly numberOf: (name: keyof T) => number;
  readonly nameOf: (number: number) => keyof T | undefined;
} {
  const names = new Map<number, keyof T>(Object.entries(table).map(([name, number]) => [number, name]));
  return {
    numberOf(name) {
      const number = table[name];
      if (number === undefined) throw new TypeError(`Cannot encode "${String(name)}": it has no number`);
      return number;
    },
    nameOf: (number) => names.get(number),
  };
}
