// Entries of sets as ipset's netlink attributes, straight to and from the bytes: there may be tens of thousands. Not the messages that
// carry them.
import { IpAddress } from '../../net/address.ts';
import { Prefix } from '../../net/prefix.ts';
import { type Transport, transportNumber, transports } from '../../net/transport.ts';
import { type ByteReader, type ByteWriter, DecodeError } from '../netlink/bytes.ts';
import {
  IPSET_ATTR_ADT,
  IPSET_ATTR_CADT_FLAGS,
  IPSET_ATTR_CIDR2,
  IPSET_ATTR_DATA,
  IPSET_ATTR_IP,
  IPSET_ATTR_IP2,
  IPSET_ATTR_IPADDR_IPV4,
  IPSET_ATTR_IPADDR_IPV6,
  IPSET_ATTR_PORT,
  IPSET_ATTR_PROTO,
  IPSET_FLAG_NOMATCH,
} from './attributes.ts';
import type { Ipset, IpsetEntry } from './objects.ts';

const NLA_F_NESTED = 0x8000;
const NLA_F_NET_BYTEORDER = 0x4000;
const NLA_TYPE_MASK = 0x3fff;
const headerSize = 4;

export type EntrySet = Pick<Ipset, 'type' | 'family'>;

const protocols: ReadonlyMap<number, Transport> = new Map(
  transports.map((protocol) => [transportNumber[protocol], protocol]),
);

/** Writes IPSET_ATTR_ADT. Throws RangeError when it becomes longer than an attribute can be. */
export function writeEntries(out: ByteWriter, set: EntrySet, entries: readonly IpsetEntry[]): void {
  out.align();
  const start = out.length;
  out.u16(0);
  out.u16(IPSET_ATTR_ADT | NLA_F_NESTED);
  for (const entry of entries) writeEntry(out, set, entry);
  const length = out.length - start;
  if (length > 0xffff)
    throw new RangeError(
      `Cannot write ${entries.length} entries into one message: they take ${length} bytes`,
    );
  out.patchU16(start, length);
}

/** All attributes are padded, so that each begins where the one before ends. */
function writeEntry(out: ByteWriter, { type }: EntrySet, entry: IpsetEntry): void {
  const start = out.length;
  out.u16(0);
  out.u16(IPSET_ATTR_DATA | NLA_F_NESTED);
  if (entry.address !== undefined) writeAddress(out, IPSET_ATTR_IP, entry.address);
  if (entry.port !== undefined) {
    out.u16(headerSize + 2);
    out.u16(IPSET_ATTR_PORT | NLA_F_NET_BYTEORDER);
    out.be16(entry.port);
    out.zeros(2);
  }
  if (entry.protocol !== undefined) writeByte(out, IPSET_ATTR_PROTO, transportNumber[entry.protocol]);
  if (entry.second !== undefined) {
    writeAddress(out, IPSET_ATTR_IP2, entry.second.address);
    if (type === 'hash:ip,port,net') writeByte(out, IPSET_ATTR_CIDR2, entry.second.length);
  }
  out.patchU16(start, out.length - start);
}

function writeAddress(out: ByteWriter, type: number, { family, bytes }: IpAddress): void {
  out.u16(2 * headerSize + bytes.length);
  out.u16(type | NLA_F_NESTED);
  out.u16(headerSize + bytes.length);
  out.u16((family === 4 ? IPSET_ATTR_IPADDR_IPV4 : IPSET_ATTR_IPADDR_IPV6) | NLA_F_NET_BYTEORDER);
  out.raw(bytes);
}

function writeByte(out: ByteWriter, type: number, value: number): void {
  out.u16(headerSize + 1);
  out.u16(type);
  out.u8(value);
  out.zeros(3);
}

/** Reads the content of IPSET_ATTR_ADT. What no set of ours has is left out (IpsetAccess.entries). Throws DecodeError. */
export function readEntries(list: ByteReader, set: EntrySet): readonly IpsetEntry[] {
  const found: IpsetEntry[] = [];
  while (list.remaining >= headerSize) {
    const [type, data] = nextAttribute(list);
    const entry = type === IPSET_ATTR_DATA ? readEntry(data, set) : undefined;
    if (entry !== undefined) found.push(entry);
  }
  return found;
}

function nextAttribute(input: ByteReader): readonly [type: number, content: ByteReader] {
  const length = input.u16();
  const type = input.u16() & NLA_TYPE_MASK;
  if (length < headerSize) throw new DecodeError(`Cannot read attribute ${type}: its length is ${length}`);
  const content = input.slice(length - headerSize);
  input.skipPadding(length);
  return [type, content];
}

interface Fields {
  address: IpAddress | undefined;
  port: number | undefined;
  protocol: number | undefined;
  other: IpAddress | undefined;
  length: number | undefined;
  isException: boolean;
}

function readFields(data: ByteReader): Fields {
  const fields: Fields = {
    address: undefined,
    port: undefined,
    protocol: undefined,
    other: undefined,
    length: undefined,
    isException: false,
  };
  while (data.remaining >= headerSize) {
    const [type, content] = nextAttribute(data);
    if (type === IPSET_ATTR_IP) fields.address = readAddress(content);
    else if (type === IPSET_ATTR_PORT) fields.port = content.be16();
    else if (type === IPSET_ATTR_PROTO) fields.protocol = content.u8();
    else if (type === IPSET_ATTR_IP2) fields.other = readAddress(content);
    else if (type === IPSET_ATTR_CIDR2) fields.length = content.u8();
    else if (type === IPSET_ATTR_CADT_FLAGS) fields.isException = (content.be32() & IPSET_FLAG_NOMATCH) !== 0;
  }
  return fields;
}

function readAddress(input: ByteReader): IpAddress {
  const [, content] = nextAttribute(input);
  const size = content.remaining;
  if (size !== 4 && size !== 16) throw new DecodeError(`Cannot read an IP address of ${size} bytes`);
  return IpAddress.fromBytes(content.raw());
}

function readEntry(data: ByteReader, { type }: EntrySet): IpsetEntry | undefined {
  const { address, port, protocol: number, other, length, isException } = readFields(data);
  if (isException) return undefined;
  if (type === 'bitmap:port') return { port: given(port, type) };
  if (type === 'hash:ip') return { address: given(address, type) };
  const protocol = protocols.get(given(number, type));
  if (protocol === undefined) return undefined;
  const entry = { address: given(address, type), protocol, port: given(port, type) };
  if (type === 'hash:ip,port') return entry;
  return {
    ...entry,
    second: readSecond(given(other, type), type === 'hash:ip,port,net' ? length : undefined),
  };
}

/** The kernel does not tell the length of a host. */
function readSecond(address: IpAddress, length: number | undefined): Prefix {
  if (length === undefined) return Prefix.host(address);
  if (length > (address.family === 4 ? 32 : 128))
    throw new DecodeError(`Cannot read an entry: "${address}/${length}" is no prefix`);
  return new Prefix(address, length);
}

function given<T>(value: T | undefined, type: string): T {
  if (value === undefined)
    throw new DecodeError(`Cannot read an entry of a set of type "${type}": a part is missing`);
  return value;
}
