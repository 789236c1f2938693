// One transaction as one datagram: BATCH_BEGIN, a message a change, BATCH_END. Elements of one set travel together, split where an
// attribute would pass 64 KiB. Knows which step each message, and each element in it, came from.
import { ByteWriter } from '../netlink/bytes.ts';
import { NLM_F_APPEND, NLM_F_CREATE, NLM_F_EXCL } from '../netlink/message.ts';
import { messageType, NFT_MSG } from './attributes.ts';
import { BatchFrame } from './batch-frame.ts';
import { elementWriter } from './element-write.ts';
import { writeExpressions } from './expression-write.ts';
import {
  familyNumber,
  writeChain,
  writeChainName,
  writeCounter,
  writeHeader,
  writeRule,
  writeRuleName,
  writeTable,
} from './object-wire.ts';
import type { Rule, TableId } from './objects.ts';
import type { AnonymousSet, Element } from './set.ts';
import { writeSet, writeSetName } from './set-wire.ts';
import type { NftStep, StepSet } from './step.ts';

const NLA_F_NESTED = 0x8000;
const NFTA_SET_ELEM_LIST_TABLE = 1;
const NFTA_SET_ELEM_LIST_SET = 2;
const NFTA_SET_ELEM_LIST_ELEMENTS = 3;
const NFTA_SET_ELEM_LIST_SET_ID = 4;

/** An attribute holds at most 65,535 bytes; an element of ours stays below the difference. */
const fullElements = 64_000;

type ElementStep = Extract<NftStep, { kind: 'element-add' | 'element-delete' }>;

export interface Batch {
  readonly bytes: Uint8Array;
  /** The step behind a message (by its place after `first`) and an offset in it that the kernel complained about. */
  stepAt(sequence: number, offset: number | undefined): NftStep | undefined;
}

/** A message and whose it is: one step, or element steps from `from` on, each of whose bytes end at `ends` in the message. */
interface SentMessage {
  readonly steps: readonly NftStep[];
  readonly from: number;
  readonly ends?: readonly number[];
}

/** Writes the steps with sequence numbers from `first` on. `generation`: refuse unless it is the current one. */
export function writeBatch(
  steps: readonly NftStep[],
  options: {
    readonly first: number;
    readonly generation?: number | undefined;
    /** A writer to use again: large ones are costly to make. The batch's bytes are good until its next use. */
    readonly out?: ByteWriter;
  },
): Batch {
  const { out = new ByteWriter() } = options;
  out.truncate();
  const writer = new BatchWriter(new BatchFrame(out, options));
  let next = 0;
  while (next < steps.length) {
    const step = steps[next];
    if (step === undefined) break;
    next = isElementStep(step) ? writer.elements(steps, next) : writer.single(step, next);
  }
  return writer.end();
}

/** How many messages the steps become at most: so many sequence numbers are to be taken. */
export function messageBound(steps: readonly NftStep[]): number {
  let bound = steps.length + 2;
  for (const step of steps) if (step.kind === 'rule-add') bound += 2 * anonymousSets(step.rule).length;
  return bound;
}

function isElementStep(step: NftStep): step is ElementStep {
  return step.kind === 'element-add' || step.kind === 'element-delete';
}

function anonymousSets(rule: Rule): readonly AnonymousSet[] {
  return rule.expressions.flatMap((one) =>
    one.kind === 'lookup' && typeof one.set !== 'string' ? [one.set] : [],
  );
}

class BatchWriter {
  readonly #frame: BatchFrame;
  readonly #sent = new Map<number, SentMessage>();
  #setId = 0;

  constructor(frame: BatchFrame) {
    this.#frame = frame;
  }

  end(): Batch {
    const sent = this.#sent;
    return {
      bytes: this.#frame.end(),
      stepAt(sequence, offset) {
        const message = sent.get(sequence);
        if (message === undefined) return undefined;
        const found = offset === undefined ? -1 : (message.ends?.findIndex((end) => offset < end) ?? -1);
        return message.steps[message.from + Math.max(0, found)];
      },
    };
  }

  #change(
    step: NftStep,
    message: { readonly type: number; readonly flags: number; readonly body: () => void },
  ): void {
    this.#sent.set(this.#frame.sequence, { steps: [step], from: 0 });
    this.#frame.message(messageType(message.type), message.flags, message.body);
  }

  /** A step that is one message (and those of a rule's anonymous sets before it). Returns the next step's index. */
  single(step: Exclude<NftStep, ElementStep>, index: number): number {
    const out = this.#frame.out;
    const { table } = step;
    const create = NLM_F_CREATE | NLM_F_EXCL;
    const change = (type: number, flags: number, body: () => void) =>
      this.#change(step, { type, flags, body });
    switch (step.kind) {
      case 'table-add':
        change(NFT_MSG.NEWTABLE, create, () => writeTable(out, step.table));
        break;
      case 'table-delete':
        change(NFT_MSG.DELTABLE, 0, () => writeTable(out, { family: table.family, name: table.name }));
        break;
      case 'counter-add':
        change(NFT_MSG.NEWOBJ, create, () => writeCounter(out, table, step.counter));
        break;
      case 'counter-delete':
        change(NFT_MSG.DELOBJ, 0, () => writeCounter(out, table, { name: step.counter.name }));
        break;
      case 'set-add':
        this.#setId += 1;
        change(NFT_MSG.NEWSET, create, () =>
          writeSet(out, table, { set: step.set, id: this.#setId, anonymous: false }),
        );
        break;
      case 'set-delete':
        change(NFT_MSG.DELSET, 0, () => writeSetName(out, table, step.set.name));
        break;
      case 'chain-add':
        change(NFT_MSG.NEWCHAIN, create, () => writeChain(out, table, step.chain));
        break;
      case 'chain-policy':
        change(NFT_MSG.NEWCHAIN, NLM_F_CREATE, () =>
          writeChain(out, table, { name: step.chain.name, base: step.chain.base }),
        );
        break;
      case 'chain-delete':
        change(NFT_MSG.DELCHAIN, 0, () => writeChainName(out, table, step.chain.name));
        break;
      case 'chain-flush':
        change(NFT_MSG.DELRULE, 0, () => writeRuleName(out, table, { chain: step.chain.name }));
        break;
      case 'rule-add':
        this.#rule(step);
        break;
      default:
        step satisfies never;
    }
    return index + 1;
  }

  #rule(step: Extract<NftStep, { kind: 'rule-add' }>): void {
    const { table, rule } = step;
    const ids = new Map<AnonymousSet, { readonly name: string; readonly id: number }>();
    for (const set of anonymousSets(rule)) {
      this.#setId += 1;
      // The kernel fills in the number.
      const named = { name: set.data === undefined ? '__set%d' : '__map%d', id: this.#setId };
      ids.set(set, named);
      const properties = { ...set, name: named.name, size: set.elements.length };
      this.#change(step, {
        type: NFT_MSG.NEWSET,
        flags: NLM_F_CREATE,
        body: () =>
          writeSet(this.#frame.out, table, {
            set: withoutIntervalSize(properties),
            id: named.id,
            anonymous: true,
          }),
      });
      this.#elements(
        { table, set: properties, type: NFT_MSG.NEWSETELEM, flags: NLM_F_CREATE, id: named.id },
        { count: set.elements.length, at: (i) => set.elements[i], sent: () => ({ steps: [step], from: 0 }) },
      );
    }
    const expressions = writeExpressions(rule.expressions, (set) => {
      const named = ids.get(set);
      if (named === undefined)
        throw new TypeError('Cannot write a lookup in a set that the rule does not hold');
      return named;
    });
    this.#change(step, {
      type: NFT_MSG.NEWRULE,
      flags: NLM_F_CREATE | NLM_F_APPEND,
      body: () =>
        writeRule(this.#frame.out, table, { chain: rule.chain, expressions, comment: rule.comment }),
    });
  }

  /** All element steps from `from` on that go to the same set in the same way. Returns the index behind them. */
  elements(steps: readonly NftStep[], from: number): number {
    const first = steps[from];
    if (first === undefined || !isElementStep(first)) return from;
    let next = from + 1;
    for (; next < steps.length; next++) {
      const step = steps[next];
      if (step === undefined || !isElementStep(step) || !sameTarget(step, first)) break;
    }
    const adds = first.kind === 'element-add';
    this.#elements(
      {
        table: first.table,
        set: first.set,
        type: adds ? NFT_MSG.NEWSETELEM : NFT_MSG.DELSETELEM,
        flags: adds ? NLM_F_CREATE | NLM_F_EXCL : 0,
        keysOnly: !adds,
      },
      {
        count: next - from,
        at(i) {
          const step = steps[from + i];
          return step !== undefined && isElementStep(step) ? step.element : undefined;
        },
        sent: (i, ends) => ({ steps, from: from + i, ends }),
      },
    );
    return next;
  }

  #elements(
    target: {
      readonly table: TableId;
      readonly set: StepSet;
      readonly type: number;
      readonly flags: number;
      readonly id?: number;
      /** A delete names the key alone: data may have changed, and a verdict's chain may be gone. */
      readonly keysOnly?: boolean;
    },
    run: {
      readonly count: number;
      readonly at: (index: number) => Element | undefined;
      readonly sent: (from: number, ends: readonly number[]) => SentMessage;
    },
  ): void {
    const out = this.#frame.out;
    const { table, set } = target;
    const writer = elementWriter(set, { keysOnly: target.keysOnly === true });
    let next = 0;
    while (next < run.count) {
      const start = out.length;
      const ends: number[] = [];
      this.#sent.set(this.#frame.sequence, run.sent(next, ends));
      this.#frame.message(messageType(target.type), target.flags, () => {
        writeHeader(out, familyNumber(table.family));
        this.#frame.text(NFTA_SET_ELEM_LIST_TABLE, table.name);
        this.#frame.text(NFTA_SET_ELEM_LIST_SET, set.name);
        if (target.id !== undefined) {
          const id = this.#frame.open(NFTA_SET_ELEM_LIST_SET_ID);
          out.be32(target.id);
          this.#frame.close(id);
        }
        const list = this.#frame.open(NFTA_SET_ELEM_LIST_ELEMENTS | NLA_F_NESTED);
        for (; next < run.count && out.length - list < fullElements; next++) {
          const element = run.at(next);
          if (element !== undefined) writer(out, element);
          ends.push(out.length - start);
        }
        this.#frame.close(list);
      });
    }
  }
}

function sameTarget(a: ElementStep, b: ElementStep): boolean {
  return (
    a.kind === b.kind &&
    a.set.name === b.set.name &&
    a.table.name === b.table.name &&
    a.table.family === b.table.family
  );
}

/** Of intervals the kernel counts starts and ends, which only the writer of elements knows. */
function withoutIntervalSize<T extends { readonly flags: readonly string[]; readonly size?: number }>(
  set: T,
): T | Omit<T, 'size'> {
  if (!set.flags.includes('interval')) return set;
  const { size: _, ...rest } = set;
  return rest;
}
