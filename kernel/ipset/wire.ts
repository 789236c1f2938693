// Sets as ipset's netlink messages (nfgenmsg and IPSET_ATTR_*), but for their entries: entry-wire.ts.
import { at, atInNetOrder, attributeTable, nest, type TableValue } from '../netlink/attribute-table.ts';
import { type ByteReader, type ByteWriter, DecodeError } from '../netlink/bytes.ts';
import { be16, be32, bytes, type Codec, struct, text, u8, u16 } from '../netlink/codec.ts';
import { messageOf } from '../route/rtnetlink.ts';
import {
  familyOfSet,
  IPSET_ATTR_ADT,
  IPSET_ATTR_DATA,
  IPSET_FLAG_LIST_HEADER,
  NFPROTO_IPV4,
  NFPROTO_IPV6,
  NFPROTO_UNSPEC,
} from './attributes.ts';
import { type EntrySet, readEntries, writeEntries } from './entry-wire.ts';
import {
  type Ipset,
  type IpsetEntry,
  type IpsetHeader,
  type IpsetStep,
  type IpsetType,
  ipsetTypes,
} from './objects.ts';

const nfgenmsg = struct({ family: u8, version: u8, resource: u16 });
const header = { family: NFPROTO_IPV4, version: 0, resource: 0 };

/** The content of an attribute, for a reader of its own. */
const content: Codec<ByteReader> = { write: (out, value) => out.raw(value.raw()), read: (input) => input };

/** What a set is made with, and what is told of it. */
const options = attributeTable({
  IPSET_ATTR_PORT: atInNetOrder(4, be16),
  IPSET_ATTR_PORT_TO: atInNetOrder(5, be16),
  IPSET_ATTR_TIMEOUT: atInNetOrder(6, be32),
  IPSET_ATTR_CADT_FLAGS: atInNetOrder(8, be32),
  IPSET_ATTR_MARKMASK: atInNetOrder(11, be32),
  IPSET_ATTR_BITMASK: at(12, bytes),
  IPSET_ATTR_MAXELEM: atInNetOrder(19, be32),
  IPSET_ATTR_NETMASK: at(20, u8),
  IPSET_ATTR_REFERENCES: atInNetOrder(25, be32),
});

export const ipsetMessage = messageOf(
  nfgenmsg,
  attributeTable({
    IPSET_ATTR_PROTOCOL: at(1, u8),
    IPSET_ATTR_SETNAME: at(2, text),
    /** At a swap: the name of the other. */
    IPSET_ATTR_TYPENAME: at(3, text),
    IPSET_ATTR_REVISION: at(4, u8),
    IPSET_ATTR_FAMILY: at(5, u8),
    IPSET_ATTR_FLAGS: atInNetOrder(6, be32),
    IPSET_ATTR_LINENO: atInNetOrder(9, be32),
    /** Of a protocol or of a type: the oldest that the kernel takes. */
    IPSET_ATTR_PROTOCOL_MIN: at(10, u8),
    IPSET_ATTR_DATA: nest(IPSET_ATTR_DATA, options),
    IPSET_ATTR_ADT: at(IPSET_ATTR_ADT, content),
  }),
);

type Attributes = TableValue<typeof ipsetMessage>['attributes'];

function write(out: ByteWriter, attributes: Attributes): void {
  ipsetMessage.write(out, { header, attributes });
}

/** The newest that we speak; the oldest is 6, and nothing that we ask differs between them. */
export const newestProtocol = 7;

/** Body of IPSET_CMD_PROTOCOL. */
export function writeProtocolQuery(out: ByteWriter): void {
  write(out, { IPSET_ATTR_PROTOCOL: newestProtocol });
}

/** What the kernel speaks; kernels before 4.20 know one version only. */
export function readProtocol(input: ByteReader): { readonly newest: number; readonly oldest: number } {
  const { IPSET_ATTR_PROTOCOL: newest, IPSET_ATTR_PROTOCOL_MIN: oldest = newest } =
    ipsetMessage.read(input).attributes;
  if (newest === undefined || oldest === undefined)
    throw new DecodeError("Cannot read ipset's protocol: it is not in the answer");
  return { newest, oldest };
}

/** Body of IPSET_CMD_TYPE. */
export function writeTypeQuery(out: ByteWriter, set: Pick<Ipset, 'type' | 'family'>, protocol: number): void {
  write(out, {
    IPSET_ATTR_PROTOCOL: protocol,
    IPSET_ATTR_TYPENAME: set.type,
    IPSET_ATTR_FAMILY: familyOfSet(set),
  });
}

/**
 * The newest revisions that we know: those of the program `ipset` 6.2x, so that every version of it that is still in use can print our
 * sets. What came later are options that our sets have not.
 */
const knownRevisions: Readonly<Record<IpsetType, number>> = {
  'hash:ip': 4,
  'hash:ip,port': 5,
  'hash:ip,port,ip': 5,
  'hash:ip,port,net': 7,
  'bitmap:port': 3,
};

/** The revision of the type to make a set with. */
export function readRevision(input: ByteReader, type: IpsetType): number {
  const { IPSET_ATTR_REVISION: newest, IPSET_ATTR_PROTOCOL_MIN: oldest = newest } =
    ipsetMessage.read(input).attributes;
  if (newest === undefined || oldest === undefined)
    throw new DecodeError(`Cannot read the revisions of type "${type}": they are not in the answer`);
  return Math.max(oldest, Math.min(newest, knownRevisions[type]));
}

/** Body of IPSET_CMD_CREATE. */
export function writeCreate(
  out: ByteWriter,
  set: Ipset,
  { protocol, revision }: { readonly protocol: number; readonly revision: number },
): void {
  write(out, {
    IPSET_ATTR_PROTOCOL: protocol,
    IPSET_ATTR_SETNAME: set.name,
    IPSET_ATTR_TYPENAME: set.type,
    IPSET_ATTR_REVISION: revision,
    IPSET_ATTR_FAMILY: familyOfSet(set),
    IPSET_ATTR_DATA:
      set.type === 'bitmap:port'
        ? { IPSET_ATTR_PORT: 0, IPSET_ATTR_PORT_TO: 0xffff }
        : { IPSET_ATTR_MAXELEM: set.maxElements },
  });
}

/** Body of IPSET_CMD_DESTROY. The name must not be empty: the kernel would destroy all sets. */
export function writeDestroy(out: ByteWriter, name: string, protocol: number): void {
  if (name === '') throw new TypeError('Cannot destroy a set without a name');
  write(out, { IPSET_ATTR_PROTOCOL: protocol, IPSET_ATTR_SETNAME: name });
}

/** Body of IPSET_CMD_SWAP. */
export function writeSwap(
  out: ByteWriter,
  { name, other }: Extract<IpsetStep, { kind: 'set-swap' }>,
  protocol: number,
): void {
  write(out, {
    IPSET_ATTR_PROTOCOL: protocol,
    IPSET_ATTR_SETNAME: name,
    IPSET_ATTR_TYPENAME: other,
  });
}

/** Body of IPSET_CMD_LIST for the headers of all sets. */
export function writeHeadersQuery(out: ByteWriter, protocol: number): void {
  write(out, { IPSET_ATTR_PROTOCOL: protocol, IPSET_ATTR_FLAGS: IPSET_FLAG_LIST_HEADER });
}

/** Body of IPSET_CMD_LIST for one set with its entries. */
export function writeListQuery(out: ByteWriter, name: string, protocol: number): void {
  write(out, { IPSET_ATTR_PROTOCOL: protocol, IPSET_ATTR_SETNAME: name });
}

/**
 * Body of IPSET_CMD_ADD or IPSET_CMD_DEL for some entries, at most 65,535 bytes of them. The kernel carries them out up to the first that
 * it refuses, without saying which.
 */
export function writeChange(
  out: ByteWriter,
  { set, entries }: { readonly set: Ipset; readonly entries: readonly IpsetEntry[] },
  protocol: number,
): void {
  write(out, {
    IPSET_ATTR_PROTOCOL: protocol,
    IPSET_ATTR_SETNAME: set.name,
    // Asked for beside a list; 0 lets the kernel refuse in the usual way.
    IPSET_ATTR_LINENO: 0,
  });
  writeEntries(out, set, entries);
}

/** Undefined for a message that goes on with the entries of the set before. Throws DecodeError. */
export function readHeader(input: ByteReader): IpsetHeader | undefined {
  const {
    IPSET_ATTR_SETNAME: name = '',
    IPSET_ATTR_TYPENAME: type,
    ...rest
  } = ipsetMessage.read(input).attributes;
  if (type === undefined) return undefined;
  const { IPSET_ATTR_FAMILY: family = NFPROTO_UNSPEC, IPSET_ATTR_DATA: data = {} } = rest;
  const hasAllPorts = (data.IPSET_ATTR_PORT ?? 0) === 0 && (data.IPSET_ATTR_PORT_TO ?? 0xffff) === 0xffff;
  const strange = [
    data.IPSET_ATTR_TIMEOUT,
    data.IPSET_ATTR_CADT_FLAGS,
    data.IPSET_ATTR_MARKMASK,
    data.IPSET_ATTR_BITMASK,
    data.IPSET_ATTR_NETMASK,
  ];
  return {
    name,
    type,
    family,
    maxElements: data.IPSET_ATTR_MAXELEM,
    isPlain: hasAllPorts && strange.every((value) => value === undefined),
    references: data.IPSET_ATTR_REFERENCES ?? 0,
  };
}

/** The entries of a set, message by message as a dump brings them; only the first says what the set is. */
export class EntryReader {
  #set: EntrySet | undefined;

  /** Throws DecodeError, also when the type is none of ours. */
  read(input: ByteReader): readonly IpsetEntry[] {
    const {
      IPSET_ATTR_TYPENAME: name,
      IPSET_ATTR_SETNAME: set,
      ...rest
    } = ipsetMessage.read(input).attributes;
    if (name !== undefined) {
      const type = ipsetTypes.find((one) => one === name);
      if (type === undefined)
        throw new DecodeError(`Cannot read the entries of set "${set}": its type is "${name}"`);
      this.#set = { type, family: rest.IPSET_ATTR_FAMILY === NFPROTO_IPV6 ? 6 : 4 };
    }
    if (this.#set === undefined)
      throw new DecodeError(`Cannot read the entries of set "${set}": its type is missing`);
    const { IPSET_ATTR_ADT: list } = rest;
    return list === undefined ? [] : readEntries(list, this.#set);
  }
}
