// Tables, chains, rules and counters to and from nf_tables messages; sets are in set-wire.ts. Which messages a change needs and how
// they are batched is in batch.ts.
import type { ByteReader, ByteWriter } from '../netlink/bytes.ts';
import {
  chainAttributes,
  NFT_OBJECT_COUNTER,
  NFT_TABLE_F_DORMANT,
  objectAttributes,
  ruleAttributes,
  tableAttributes,
} from './attributes.ts';
import type { Chain, ChainType, Counter, Hook, NftFamily, Rule, TableId } from './objects.ts';
import { commentUserdata, readComment } from './userdata.ts';
import { required } from './verdict-wire.ts';

/** NFPROTO_* of linux/netfilter.h. */
const familyNumbers = { inet: 1, ip: 2, arp: 3, netdev: 5, bridge: 7, ip6: 10 } as const satisfies Record<
  NftFamily,
  number
>;

const nfgenmsgSize = 4;

export function familyNumber(family: NftFamily): number {
  return familyNumbers[family];
}

export function familyOf(number: number): NftFamily | undefined {
  for (const [name, value] of Object.entries(familyNumbers)) {
    // Object.entries forgets that the keys are the table's own.
    if (value === number) return name as NftFamily;
  }
  return undefined;
}

/** struct nfgenmsg: family, version, resource. */
export function writeHeader(out: ByteWriter, family: number): void {
  out.u8(family);
  out.u8(0);
  out.be16(0);
}

/** The family of a message; its attributes follow. */
export function readHeader(body: ByteReader): NftFamily | undefined {
  const family = familyOf(body.u8());
  body.skip(nfgenmsgSize - 1);
  return family;
}

function commentOf(comment: string | undefined): Uint8Array | undefined {
  return comment === undefined ? undefined : commentUserdata(comment);
}

export interface TableProperties {
  readonly comment?: string | undefined;
  readonly dormant?: boolean | undefined;
}

export function writeTable(out: ByteWriter, table: TableId & TableProperties): void {
  writeHeader(out, familyNumber(table.family));
  tableAttributes.write(out, {
    NFTA_TABLE_NAME: table.name,
    NFTA_TABLE_FLAGS: table.dormant === true ? NFT_TABLE_F_DORMANT : 0,
    NFTA_TABLE_USERDATA: commentOf(table.comment),
  });
}

export function readTable(body: ByteReader): (TableId & TableProperties) | undefined {
  const family = readHeader(body);
  const a = tableAttributes.read(body);
  if (family === undefined) return undefined;
  const dormant = ((a.NFTA_TABLE_FLAGS ?? 0) & NFT_TABLE_F_DORMANT) !== 0;
  return {
    family,
    name: required(a.NFTA_TABLE_NAME, 'table'),
    ...readComment(a.NFTA_TABLE_USERDATA),
    ...(dormant ? { dormant } : {}),
  };
}

/** NF_INET_*; families bridge and ip share them. netdev has its own two. */
const hooks: readonly Hook[] = ['prerouting', 'input', 'forward', 'output', 'postrouting'];
const netdevHooks: readonly Hook[] = ['ingress', 'egress'];
const NF_INET_INGRESS = 5;
const chainTypes: readonly ChainType[] = ['filter', 'nat', 'route'];
const NF_DROP = 0;
const NF_ACCEPT = 1;

function hookNumber(family: NftFamily, hook: Hook): number {
  if (family === 'netdev') return netdevHooks.indexOf(hook);
  return hook === 'ingress' ? NF_INET_INGRESS : hooks.indexOf(hook);
}

function hookOf(family: NftFamily, number: number): Hook | undefined {
  if (family === 'netdev') return netdevHooks[number];
  return number === NF_INET_INGRESS ? 'ingress' : hooks[number];
}

export function writeChain(out: ByteWriter, table: TableId, chain: Chain): void {
  const { base } = chain;
  writeHeader(out, familyNumber(table.family));
  chainAttributes.write(out, {
    NFTA_CHAIN_TABLE: table.name,
    NFTA_CHAIN_NAME: chain.name,
    NFTA_CHAIN_HOOK:
      base === undefined
        ? undefined
        : {
            NFTA_HOOK_HOOKNUM: hookNumber(table.family, base.hook),
            NFTA_HOOK_PRIORITY: base.priority,
            NFTA_HOOK_DEVS: base.devices,
          },
    NFTA_CHAIN_POLICY: base === undefined ? undefined : base.policy === 'drop' ? NF_DROP : NF_ACCEPT,
    NFTA_CHAIN_TYPE: base?.type,
    NFTA_CHAIN_USERDATA: commentOf(chain.comment),
  });
}

/** Only the name: for deletes. */
export function writeChainName(out: ByteWriter, table: TableId, name: string): void {
  writeHeader(out, familyNumber(table.family));
  chainAttributes.write(out, { NFTA_CHAIN_TABLE: table.name, NFTA_CHAIN_NAME: name });
}

export interface InTable<T> {
  readonly table: TableId;
  readonly value: T;
}

export function readChain(body: ByteReader): InTable<Chain> | undefined {
  const family = readHeader(body);
  const a = chainAttributes.read(body);
  if (family === undefined) return undefined;
  const { NFTA_CHAIN_HOOK: hook } = a;
  const type = chainTypes.find((one) => one === a.NFTA_CHAIN_TYPE);
  const name = hookOf(family, hook?.NFTA_HOOK_HOOKNUM ?? -1);
  const devices = hook?.NFTA_HOOK_DEVS ?? (hook?.NFTA_HOOK_DEV === undefined ? [] : [hook.NFTA_HOOK_DEV]);
  const base =
    hook === undefined || type === undefined || name === undefined
      ? undefined
      : {
          type,
          hook: name,
          priority: required(hook.NFTA_HOOK_PRIORITY, 'priority'),
          policy: a.NFTA_CHAIN_POLICY === NF_DROP ? ('drop' as const) : ('accept' as const),
          ...(devices.length === 0 ? {} : { devices }),
        };
  return {
    table: { family, name: required(a.NFTA_CHAIN_TABLE, 'table') },
    value: {
      name: required(a.NFTA_CHAIN_NAME, 'chain'),
      ...(base === undefined ? {} : { base }),
      ...readComment(a.NFTA_CHAIN_USERDATA),
    },
  };
}

/** `expressions`: the content of NFTA_RULE_EXPRESSIONS (expression-wire.ts). */
export function writeRule(
  out: ByteWriter,
  table: TableId,
  rule: { readonly chain: string; readonly expressions: Uint8Array; readonly comment?: string | undefined },
): void {
  writeHeader(out, familyNumber(table.family));
  ruleAttributes.write(out, {
    NFTA_RULE_TABLE: table.name,
    NFTA_RULE_CHAIN: rule.chain,
    NFTA_RULE_EXPRESSIONS: rule.expressions,
    NFTA_RULE_USERDATA: commentOf(rule.comment),
  });
}

/** One rule by its handle, or all of a chain. */
export function writeRuleName(
  out: ByteWriter,
  table: TableId,
  rule: { readonly chain: string; readonly handle?: bigint | undefined },
): void {
  writeHeader(out, familyNumber(table.family));
  ruleAttributes.write(out, {
    NFTA_RULE_TABLE: table.name,
    NFTA_RULE_CHAIN: rule.chain,
    NFTA_RULE_HANDLE: rule.handle,
  });
}

export type UnreadRule = Omit<Rule, 'expressions'> & { readonly expressions: Uint8Array };

/** Its expressions are read when the anonymous sets are known. */
export function readRule(body: ByteReader): InTable<UnreadRule> | undefined {
  const family = readHeader(body);
  const a = ruleAttributes.read(body);
  if (family === undefined) return undefined;
  return {
    table: { family, name: required(a.NFTA_RULE_TABLE, 'table') },
    value: {
      chain: required(a.NFTA_RULE_CHAIN, 'chain'),
      expressions: a.NFTA_RULE_EXPRESSIONS ?? new Uint8Array(),
      ...readComment(a.NFTA_RULE_USERDATA),
      handle: required(a.NFTA_RULE_HANDLE, 'handle'),
    },
  };
}

export function writeCounter(out: ByteWriter, table: TableId, counter: Counter): void {
  writeHeader(out, familyNumber(table.family));
  objectAttributes.write(out, {
    NFTA_OBJ_TABLE: table.name,
    NFTA_OBJ_NAME: counter.name,
    NFTA_OBJ_TYPE: NFT_OBJECT_COUNTER,
    NFTA_OBJ_DATA: {},
    NFTA_OBJ_USERDATA: commentOf(counter.comment),
  });
}

export function readCounter(body: ByteReader): InTable<Counter> | undefined {
  const family = readHeader(body);
  const a = objectAttributes.read(body);
  if (family === undefined || a.NFTA_OBJ_TYPE !== NFT_OBJECT_COUNTER) return undefined;
  const { NFTA_COUNTER_PACKETS: packets, NFTA_COUNTER_BYTES: bytes } = a.NFTA_OBJ_DATA ?? {};
  return {
    table: { family, name: required(a.NFTA_OBJ_TABLE, 'table') },
    value: {
      name: required(a.NFTA_OBJ_NAME, 'counter'),
      ...(packets === undefined ? {} : { packets }),
      ...(bytes === undefined ? {} : { bytes }),
      ...readComment(a.NFTA_OBJ_USERDATA),
    },
  };
}
