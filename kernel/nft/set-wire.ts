// Sets and maps to and from nf_tables messages, without their elements (element-write.ts, element-read.ts).
import type { ByteReader, ByteWriter } from '../netlink/bytes.ts';
import { NFT_SET, setAttributes } from './attributes.ts';
import { keyLength, typeId, typeInfo, typesOf, verdictType } from './datatype.ts';
import { familyNumber, type InTable, readHeader, writeHeader } from './object-wire.ts';
import type { TableId } from './objects.ts';
import type { NftSet, SetFlag, SetType } from './set.ts';
import { readSetUserdata, setUserdata } from './userdata.ts';
import { required } from './verdict-wire.ts';

const flagBits = {
  constant: NFT_SET.CONSTANT,
  interval: NFT_SET.INTERVAL,
  timeout: NFT_SET.TIMEOUT,
  dynamic: NFT_SET.EVAL,
} as const satisfies Record<SetFlag, number>;

/** What a set is made of; named sets and anonymous ones alike. */
export interface SetProperties extends SetType {
  readonly name: string;
  readonly flags: readonly SetFlag[];
  readonly size?: number | undefined;
  readonly timeout?: bigint | undefined;
  readonly comment?: string | undefined;
}

export function writeSet(
  out: ByteWriter,
  table: TableId,
  options: { readonly set: SetProperties; readonly id: number; readonly anonymous: boolean },
): void {
  const { set, id } = options;
  const ranged = set.key.length > 1 && set.flags.includes('interval');
  let flags = set.flags.reduce(
    (bits, flag) => bits | flagBits[flag],
    set.data === undefined ? 0 : NFT_SET.MAP,
  );
  if (ranged) flags |= NFT_SET.CONCAT;
  if (options.anonymous) flags |= NFT_SET.ANONYMOUS;
  const verdicts = set.data === 'verdict';
  writeHeader(out, familyNumber(table.family));
  setAttributes.write(out, {
    NFTA_SET_TABLE: table.name,
    NFTA_SET_NAME: set.name,
    NFTA_SET_FLAGS: flags,
    NFTA_SET_KEY_TYPE: typeId(set.key),
    NFTA_SET_KEY_LEN: keyLength(set.key),
    NFTA_SET_DATA_TYPE: set.data === undefined ? undefined : verdicts ? verdictType : typeId(set.data),
    NFTA_SET_DATA_LEN: set.data === undefined || set.data === 'verdict' ? undefined : keyLength(set.data),
    NFTA_SET_DESC:
      set.size === undefined && !ranged
        ? undefined
        : {
            NFTA_SET_DESC_SIZE: set.size,
            NFTA_SET_DESC_CONCAT: ranged
              ? set.key.map((type) => ({ NFTA_SET_FIELD_LEN: typeInfo(type).length }))
              : undefined,
          },
    NFTA_SET_ID: id,
    NFTA_SET_TIMEOUT: set.timeout,
    NFTA_SET_USERDATA: setUserdata(set),
  });
}

export function writeSetName(out: ByteWriter, table: TableId, name: string): void {
  writeHeader(out, familyNumber(table.family));
  setAttributes.write(out, { NFTA_SET_TABLE: table.name, NFTA_SET_NAME: name });
}

export interface ReadSet extends Omit<NftSet, 'elements'> {
  readonly anonymous: boolean;
}

export function readSet(body: ByteReader): InTable<ReadSet> | undefined {
  const family = readHeader(body);
  const a = setAttributes.read(body);
  const bits = a.NFTA_SET_FLAGS ?? 0;
  // Maps of objects (quotas by address ...) are nothing that we make.
  if (family === undefined || (bits & NFT_SET.OBJECT) !== 0) return undefined;
  const key = typesOf(required(a.NFTA_SET_KEY_TYPE, 'key type'), required(a.NFTA_SET_KEY_LEN, 'key length'));
  const { NFTA_SET_DATA_TYPE: dataType, NFTA_SET_DATA_LEN: dataLength } = a;
  const data =
    (bits & NFT_SET.MAP) === 0
      ? undefined
      : dataType === verdictType
        ? ('verdict' as const)
        : typesOf(required(dataType, 'data type'), required(dataLength, 'data length'));
  const type: SetType = { key, ...(data === undefined ? {} : { data }) };
  const names: SetFlag[] = [];
  for (const [flag, bit] of Object.entries(flagBits)) {
    // Object.entries forgets that the keys are the table's own.
    if ((bits & bit) !== 0) names.push(flag as SetFlag);
  }
  const size = a.NFTA_SET_DESC?.NFTA_SET_DESC_SIZE;
  return {
    table: { family, name: required(a.NFTA_SET_TABLE, 'table') },
    value: {
      name: required(a.NFTA_SET_NAME, 'set'),
      ...type,
      ...readSetUserdata(a.NFTA_SET_USERDATA, type),
      flags: names,
      ...(size === undefined ? {} : { size }),
      ...(a.NFTA_SET_TIMEOUT === undefined ? {} : { timeout: a.NFTA_SET_TIMEOUT }),
      anonymous: (bits & NFT_SET.ANONYMOUS) !== 0,
    },
  };
}
