// Reads whole tables out of the kernel: objects by dumps, put together once all have come. One pass; whether the ruleset stood
// still meanwhile is the driver's question.
import { isNotFound } from '../kernel-error.ts';
import { attributeTable, nest } from '../netlink/attribute-table.ts';
import type { Codec } from '../netlink/codec.ts';
import type { NetlinkRequest } from '../netlink/message.ts';
import type { DumpedMessage, NetlinkSocket } from '../netlink/netlink-socket.ts';
import {
  elementListAttributes,
  messageType,
  NFT_MSG,
  NFT_OBJECT_COUNTER,
  objectAttributes,
  ruleAttributes,
  setAttributes,
} from './attributes.ts';
import { elementKey } from './declare.ts';
import { elementReader, readElements } from './element-read.ts';
import { writeElementKeys } from './element-write.ts';
import { readExpressions } from './expression-read.ts';
import {
  familyNumber,
  type InTable,
  readChain,
  readCounter,
  readHeader,
  readRule,
  readTable,
  type TableProperties,
  writeHeader,
  writeTable,
} from './object-wire.ts';
import { type Rule, type Table, type TableId, tableKey } from './objects.ts';
import type { AnonymousSet, Element, NftSet } from './set.ts';
import { type ReadSet, readSet } from './set-wire.ts';
import type { ReadOptions, StepSet } from './step.ts';

/** One table, or undefined when it is not there. Throws KernelError and DecodeError. */
export function readWholeTable(
  socket: NetlinkSocket,
  id: TableId,
  { elements: withElements = true }: ReadOptions = {},
): Table | undefined {
  const properties = readProperties(socket, id);
  if (properties === undefined) return undefined;
  const family = familyNumber(id.family);
  const mine = <T>(found: InTable<T> | undefined): T | undefined =>
    found !== undefined && tableKey(found.table) === tableKey(id) ? found.value : undefined;
  const dump = <T>(
    request: { readonly type: number; readonly object: string; readonly filter: (out: Writer) => void },
    decode: (message: DumpedMessage) => T | undefined,
  ): readonly T[] =>
    socket.dump(
      {
        type: messageType(request.type),
        flags: 0,
        operation: 'list nf_tables',
        object: request.object,
        body(out) {
          writeHeader(out, family);
          request.filter(out);
        },
      },
      decode,
    );
  const object = tableKey(id);
  const counters = dump(
    {
      type: NFT_MSG.GETOBJ,
      object,
      filter: (out) =>
        objectAttributes.write(out, { NFTA_OBJ_TABLE: id.name, NFTA_OBJ_TYPE: NFT_OBJECT_COUNTER }),
    },
    ({ body }) => mine(readCounter(body)),
  );
  const found = dump(
    { type: NFT_MSG.GETSET, object, filter: (out) => setAttributes.write(out, { NFTA_SET_TABLE: id.name }) },
    ({ body }) => mine(readSet(body)),
  );
  const sets = new Map<string, NftSet>();
  const anonymous = new Map<string, AnonymousSet>();
  for (const set of found) {
    const { name } = set;
    if (!withElements && !set.anonymous) {
      addSet(set, [], { sets, anonymous });
      continue;
    }
    const lists = socket.dump(elementsRequest(id, name), readElementList);
    addSet(set, readElements(set, lists), { sets, anonymous });
  }
  const chains = dump({ type: NFT_MSG.GETCHAIN, object, filter: () => undefined }, ({ body }) =>
    mine(readChain(body)),
  );
  const rules = dump(
    {
      type: NFT_MSG.GETRULE,
      object,
      filter: (out) => ruleAttributes.write(out, { NFTA_RULE_TABLE: id.name }),
    },
    ({ body }) => mine(readRule(body)),
  );
  return {
    ...properties,
    counters: new Map(counters.map((one) => [one.name, one])),
    sets,
    chains: new Map(chains.map((one) => [one.name, one])),
    rules: byChain(
      rules.map((one) => ({
        ...one,
        expressions: readExpressions(one.expressions, (name) => anonymous.get(name)),
      })),
    ),
  };
}

function elementsRequest(table: TableId, set: string): NetlinkRequest {
  return {
    type: messageType(NFT_MSG.GETSETELEM),
    flags: 0,
    operation: 'list nf_tables',
    object: `${tableKey(table)} ${set}`,
    body(out) {
      writeHeader(out, familyNumber(table.family));
      elementListAttributes.write(out, {
        NFTA_SET_ELEM_LIST_TABLE: table.name,
        NFTA_SET_ELEM_LIST_SET: set,
      });
    },
  };
}

/** The elements of one set as their datagrams come; plain intervals all at the end. Until then the socket is taken. */
export function* readElementSteps(
  socket: NetlinkSocket,
  { table, set }: { readonly table: TableId; readonly set: StepSet },
): Generator<readonly Element[], void, void> {
  const reader = elementReader(set);
  for (const messages of socket.dumpSteps(elementsRequest(table, set.name)))
    yield messages.flatMap((message) => reader.take(readElementList(message)));
  const rest = reader.end();
  if (rest.length > 0) yield rest;
}

type Writer = Parameters<typeof writeHeader>[0];

function readProperties(socket: NetlinkSocket, id: TableId): (TableId & TableProperties) | undefined {
  try {
    const [found] = socket.query(
      {
        type: messageType(NFT_MSG.GETTABLE),
        flags: 0,
        operation: 'read table',
        object: tableKey(id),
        body: (out) => writeTable(out, { family: id.family, name: id.name }),
      },
      ({ body }) => readTable(body),
    );
    return found;
  } catch (error) {
    if (isNotFound(error)) return undefined;
    throw error;
  }
}

export function hasTable(socket: NetlinkSocket, id: TableId): boolean {
  return readProperties(socket, id) !== undefined;
}

/** One element by its key; undefined when it, its set or its table is not there. */
export function readElement(
  socket: NetlinkSocket,
  wanted: { readonly table: TableId; readonly set: StepSet; readonly element: Pick<Element, 'key'> },
): Element | undefined {
  const { table, set, element } = wanted;
  try {
    const [found] = socket.query(
      {
        type: messageType(NFT_MSG.GETSETELEM),
        flags: 0,
        operation: 'read element',
        object: `${tableKey(table)} ${set.name}`,
        body(out) {
          writeHeader(out, familyNumber(table.family));
          elementListAttributes.write(out, {
            NFTA_SET_ELEM_LIST_TABLE: table.name,
            NFTA_SET_ELEM_LIST_SET: set.name,
          });
          writeElementKeys(out, set, [element]);
        },
      },
      readElementList,
    );
    return found === undefined ? undefined : readElements(set, [found])[0];
  } catch (error) {
    if (isNotFound(error)) return undefined;
    throw error;
  }
}

/** The elements stay bytes: element-read.ts takes them apart. */
const listContent: Codec<Buffer> = {
  write: (out, value) => out.raw(value),
  read: (input) => input.raw(),
};
const listAttributes = attributeTable({ NFTA_SET_ELEM_LIST_ELEMENTS: nest(3, listContent) });

function readElementList({ body }: DumpedMessage): Buffer {
  readHeader(body);
  return listAttributes.read(body).NFTA_SET_ELEM_LIST_ELEMENTS ?? Buffer.alloc(0);
}

function addSet(
  { anonymous: isAnonymous, ...set }: ReadSet,
  elements: readonly Element[],
  to: { readonly sets: Map<string, NftSet>; readonly anonymous: Map<string, AnonymousSet> },
): void {
  if (isAnonymous) {
    const { key, data, flags } = set;
    to.anonymous.set(set.name, { key, ...(data === undefined ? {} : { data }), flags, elements });
    return;
  }
  to.sets.set(set.name, { ...set, elements: new Map(elements.map((one) => [elementKey(set, one), one])) });
}

function byChain(rules: readonly Rule[]): ReadonlyMap<string, readonly Rule[]> {
  const chains = new Map<string, Rule[]>();
  for (const rule of rules) {
    const list = chains.get(rule.chain);
    if (list === undefined) chains.set(rule.chain, [rule]);
    else list.push(rule);
  }
  return chains;
}
