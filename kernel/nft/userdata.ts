// User data that nft attaches to objects for its own listing: comments, byte orders of a set's types, `typeof` (libnftnl's
// udata.h: type, length and value, one byte each for the first two). The kernel stores it unread.
import { ByteReader, ByteWriter, DecodeError } from '../netlink/bytes.ts';
import { type Datatype, typeInfo } from './datatype.ts';
import type { SetType, TypeofExpression } from './set.ts';
import { readTypeof, writeTypeof } from './typeof-userdata.ts';
import { readUserdata, userdataItem } from './userdata-item.ts';

/** NFTNL_UDATA_RULE_COMMENT, and the same for tables, chains, objects and elements. */
const commentType = 0;

/** enum nftnl_udata_set_types */
const SET = { KEYBYTEORDER: 0, DATABYTEORDER: 1, KEY_TYPEOF: 3, DATA_TYPEOF: 4, COMMENT: 7 } as const;

export function commentUserdata(comment: string): Uint8Array {
  const out = new ByteWriter(256);
  writeComment(out, commentType, comment);
  return Uint8Array.from(out.bytes());
}

export function writeComment(out: ByteWriter, type: number, comment: string): void {
  userdataItem(out, type, () => {
    out.text(comment);
    out.u8(0);
  });
}

export function readComment(userdata: Uint8Array | undefined): { readonly comment?: string } {
  return commentIn(userdata, commentType);
}

/** A comment in bytes that lie among others. Undefined when there is none, or when they are nobody's user data. */
export function readCommentIn(
  bytes: Buffer,
  { from, to }: { readonly from: number; readonly to: number },
): string | undefined {
  for (let at = from; to - at >= 2; ) {
    const end = at + 2 + (bytes[at + 1] ?? 0);
    if (end > to) return undefined;
    if (bytes[at] === commentType) {
      const zero = bytes[end - 1] === 0 ? end - 1 : bytes.indexOf(0, at + 2);
      return bytes.toString('utf8', at + 2, zero < 0 || zero > end ? end : zero);
    }
    at = end;
  }
  return undefined;
}

function commentIn(userdata: Uint8Array | undefined, type: number): { readonly comment?: string } {
  if (userdata === undefined) return {};
  for (const [found, value] of userdataOf(userdata)) {
    if (found !== type) continue;
    const bytes = value.raw();
    const end = bytes.indexOf(0);
    return { comment: bytes.toString('utf8', 0, end < 0 ? bytes.length : end) };
  }
  return {};
}

/** enum byteorder of nft: 0 none (concatenations), 1 host, 2 network. */
function byteorder(types: readonly Datatype[]): number {
  const [only] = types;
  if (types.length !== 1 || only === undefined) return 0;
  return typeInfo(only).order === 'host' ? 1 : 2;
}

/** Without the byte orders `nft list` prints marks the wrong way round. */
export function setUserdata(set: SetType & { readonly comment?: string | undefined }): Uint8Array {
  const out = new ByteWriter(256);
  userdataItem(out, SET.KEYBYTEORDER, () => out.u32(byteorder(set.key)));
  if (set.data !== undefined) {
    const order = set.data === 'verdict' ? 0 : byteorder(set.data);
    userdataItem(out, SET.DATABYTEORDER, () => out.u32(order));
  }
  if (set.typeof !== undefined) {
    const ofKey = set.typeof.slice(0, set.key.length);
    const ofData = set.typeof.slice(set.key.length);
    userdataItem(out, SET.KEY_TYPEOF, () => writeTypeof(out, ofKey));
    if (ofData.length > 0) userdataItem(out, SET.DATA_TYPEOF, () => writeTypeof(out, ofData));
  }
  if (set.comment !== undefined) writeComment(out, SET.COMMENT, set.comment);
  return Uint8Array.from(out.bytes());
}

/** What `setUserdata` wrote; a typeof that this package does not know is left out. */
export function readSetUserdata(
  userdata: Uint8Array | undefined,
  set: SetType,
): { readonly comment?: string; readonly typeof?: readonly TypeofExpression[] } {
  if (userdata === undefined) return {};
  const found: TypeofExpression[] = [];
  for (const [type, value] of userdataOf(userdata)) {
    if (type === SET.KEY_TYPEOF || type === SET.DATA_TYPEOF) found.push(...readTypeof(value));
  }
  const fields = set.key.length + (set.data === undefined || set.data === 'verdict' ? 0 : set.data.length);
  return {
    ...commentIn(userdata, SET.COMMENT),
    ...(found.length === fields ? { typeof: found } : {}),
  };
}

/** User data is anybody's: what does not parse is as good as none. */
function userdataOf(userdata: Uint8Array): ReturnType<typeof readUserdata> {
  try {
    return readUserdata(new ByteReader(Buffer.from(userdata)));
  } catch (error) {
    if (error instanceof DecodeError) return [];
    throw error;
  }
}
