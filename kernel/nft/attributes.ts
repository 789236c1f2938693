// The attribute tables of nf_tables messages (linux/netfilter/nf_tables.h): tables, chains, rules, sets, elements, objects,
// generations. Those of expressions are in expression-attributes.ts.
import { at, attributeTable, listOf, nest } from '../netlink/attribute-table.ts';
import { be32, be64, bei32, text } from '../netlink/codec.ts';
import { plainBytes } from './plain-bytes.ts';

/** NFNL_SUBSYS_NFTABLES in the upper byte of the message type. */
export const subsystem = 10;

export const NFT_MSG = {
  NEWTABLE: 0,
  GETTABLE: 1,
  DELTABLE: 2,
  NEWCHAIN: 3,
  GETCHAIN: 4,
  DELCHAIN: 5,
  NEWRULE: 6,
  GETRULE: 7,
  DELRULE: 8,
  NEWSET: 9,
  GETSET: 10,
  DELSET: 11,
  NEWSETELEM: 12,
  GETSETELEM: 13,
  DELSETELEM: 14,
  NEWGEN: 15,
  GETGEN: 16,
  NEWOBJ: 18,
  GETOBJ: 19,
  DELOBJ: 20,
} as const;

export function messageType(message: number): number {
  return (subsystem << 8) | message;
}

export const NFT_TABLE_F_DORMANT = 1;

export const tableAttributes = attributeTable({
  NFTA_TABLE_NAME: at(1, text),
  NFTA_TABLE_FLAGS: at(2, be32),
  NFTA_TABLE_HANDLE: at(4, be64),
  NFTA_TABLE_USERDATA: at(6, plainBytes),
});

const hookAttributes = attributeTable({
  NFTA_HOOK_HOOKNUM: at(1, be32),
  NFTA_HOOK_PRIORITY: at(2, bei32),
  NFTA_HOOK_DEV: at(3, text),
  NFTA_HOOK_DEVS: nest(4, listOf(at(1, text))),
});

export const chainAttributes = attributeTable({
  NFTA_CHAIN_TABLE: at(1, text),
  NFTA_CHAIN_HANDLE: at(2, be64),
  NFTA_CHAIN_NAME: at(3, text),
  NFTA_CHAIN_HOOK: nest(4, hookAttributes),
  NFTA_CHAIN_POLICY: at(5, be32),
  NFTA_CHAIN_TYPE: at(7, text),
  NFTA_CHAIN_USERDATA: at(12, plainBytes),
});

/** The expressions stay bytes: reading them needs the anonymous sets, which come later (rule-wire.ts). */
export const ruleAttributes = attributeTable({
  NFTA_RULE_TABLE: at(1, text),
  NFTA_RULE_CHAIN: at(2, text),
  NFTA_RULE_HANDLE: at(3, be64),
  NFTA_RULE_EXPRESSIONS: nest(4, plainBytes),
  NFTA_RULE_POSITION: at(6, be64),
  NFTA_RULE_USERDATA: at(7, plainBytes),
});

export const NFT_SET = {
  ANONYMOUS: 1,
  CONSTANT: 2,
  INTERVAL: 4,
  MAP: 8,
  TIMEOUT: 16,
  EVAL: 32,
  OBJECT: 64,
  CONCAT: 128,
} as const;

const fieldAttributes = attributeTable({ NFTA_SET_FIELD_LEN: at(1, be32) });

const descriptionAttributes = attributeTable({
  NFTA_SET_DESC_SIZE: at(1, be32),
  NFTA_SET_DESC_CONCAT: nest(2, listOf(nest(1, fieldAttributes))),
});

export const setAttributes = attributeTable({
  NFTA_SET_TABLE: at(1, text),
  NFTA_SET_NAME: at(2, text),
  NFTA_SET_FLAGS: at(3, be32),
  NFTA_SET_KEY_TYPE: at(4, be32),
  NFTA_SET_KEY_LEN: at(5, be32),
  NFTA_SET_DATA_TYPE: at(6, be32),
  NFTA_SET_DATA_LEN: at(7, be32),
  NFTA_SET_DESC: nest(9, descriptionAttributes),
  NFTA_SET_ID: at(10, be32),
  NFTA_SET_TIMEOUT: at(11, be64),
  NFTA_SET_USERDATA: at(13, plainBytes),
  NFTA_SET_HANDLE: at(16, be64),
});

export const verdictAttributes = attributeTable({
  NFTA_VERDICT_CODE: at(1, bei32),
  NFTA_VERDICT_CHAIN: at(2, text),
});

export const dataAttributes = attributeTable({
  NFTA_DATA_VALUE: at(1, plainBytes),
  NFTA_DATA_VERDICT: nest(2, verdictAttributes),
});

export const NFT_SET_ELEM_INTERVAL_END = 1;
export const NFT_SET_ELEM_CATCHALL = 2;

export const elementAttributes = attributeTable({
  NFTA_SET_ELEM_KEY: nest(1, dataAttributes),
  NFTA_SET_ELEM_DATA: nest(2, dataAttributes),
  NFTA_SET_ELEM_FLAGS: at(3, be32),
  NFTA_SET_ELEM_TIMEOUT: at(4, be64),
  NFTA_SET_ELEM_USERDATA: at(6, plainBytes),
  NFTA_SET_ELEM_KEY_END: nest(10, dataAttributes),
});

export const elementListAttributes = attributeTable({
  NFTA_SET_ELEM_LIST_TABLE: at(1, text),
  NFTA_SET_ELEM_LIST_SET: at(2, text),
  NFTA_SET_ELEM_LIST_ELEMENTS: nest(3, listOf(nest(1, elementAttributes))),
  NFTA_SET_ELEM_LIST_SET_ID: at(4, be32),
});

export const NFT_OBJECT_COUNTER = 1;

const counterObjectAttributes = attributeTable({
  NFTA_COUNTER_BYTES: at(1, be64),
  NFTA_COUNTER_PACKETS: at(2, be64),
});

export const objectAttributes = attributeTable({
  NFTA_OBJ_TABLE: at(1, text),
  NFTA_OBJ_NAME: at(2, text),
  NFTA_OBJ_TYPE: at(3, be32),
  NFTA_OBJ_DATA: nest(4, counterObjectAttributes),
  NFTA_OBJ_USERDATA: at(8, plainBytes),
});

export const generationAttributes = attributeTable({
  NFTA_GEN_ID: at(1, be32),
  NFTA_GEN_PROC_PID: at(2, be32),
  NFTA_GEN_PROC_NAME: at(3, text),
});
