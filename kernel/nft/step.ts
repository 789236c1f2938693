// The steps of a plan for nf_tables: data that can be printed (step-text.ts), counted and applied. Who computes them is plan.ts; a
// caller that knows what changed may also write them itself.
import type { KernelError } from '../kernel-error.ts';
import type { Chain, Counter, NftState, Rule, TableId } from './objects.ts';
import type { Element, NftSet, SetFlag, SetType } from './set.ts';

/** The set an element goes to: its name and what its elements look like. A whole NftSet will do. */
export interface StepSet extends SetType {
  readonly name: string;
  readonly flags: readonly SetFlag[];
  /** Milliseconds, of elements that have none of their own. */
  readonly timeout?: bigint | undefined;
}

/** Adds fail when the object is there (EEXIST), deletes when it is not (ENOENT). `set-add` leaves the set empty. */
export type NftStep =
  | {
      readonly kind: 'table-add';
      readonly table: TableId & {
        readonly comment?: string | undefined;
        readonly dormant?: boolean | undefined;
      };
    }
  | { readonly kind: 'table-delete'; readonly table: TableId }
  | { readonly kind: 'counter-add'; readonly table: TableId; readonly counter: Counter }
  | { readonly kind: 'counter-delete'; readonly table: TableId; readonly counter: Counter }
  | { readonly kind: 'set-add'; readonly table: TableId; readonly set: Omit<NftSet, 'elements'> }
  | { readonly kind: 'set-delete'; readonly table: TableId; readonly set: StepSet }
  | {
      readonly kind: 'element-add';
      readonly table: TableId;
      readonly set: StepSet;
      readonly element: Element;
    }
  | {
      readonly kind: 'element-delete';
      readonly table: TableId;
      readonly set: StepSet;
      readonly element: Element;
    }
  | { readonly kind: 'chain-add'; readonly table: TableId; readonly chain: Chain }
  /** Another policy; nothing else of a chain can change in place. */
  | { readonly kind: 'chain-policy'; readonly table: TableId; readonly chain: Chain }
  | { readonly kind: 'chain-delete'; readonly table: TableId; readonly chain: Chain }
  /** Removes all rules of a chain. */
  | { readonly kind: 'chain-flush'; readonly table: TableId; readonly chain: Chain }
  /** Appends. */
  | { readonly kind: 'rule-add'; readonly table: TableId; readonly rule: Rule };

/** One fault of a transaction that was refused. Without a step it concerns the transaction as a whole. */
export interface NftFault {
  readonly step?: NftStep | undefined;
  readonly error: KernelError;
}

/** What became of a transaction: all of it, or nothing. */
export type NftResult =
  | { readonly kind: 'done'; readonly generation: number }
  | { readonly kind: 'refused'; readonly faults: readonly NftFault[] };

export interface NftReading {
  /** Of the ruleset of the namespace when this was read: pass it to `apply`. */
  readonly generation: number;
  /** Tables that are there among those asked for. */
  readonly state: NftState;
}

export interface ReadOptions {
  /** Elements of named sets and maps; true if absent. */
  readonly elements?: boolean;
}

/** Access to one namespace's nf_tables: the kernel's, or a fake with the kernel's rules. */
export interface NftDriver {
  /**
   * Reads whole tables, consistent: nothing changed in between. Other tables are not looked at. Without `elements` the named
   * sets come back empty: what is left costs the same however much they hold.
   */
  read(tables: readonly TableId[], options?: ReadOptions): NftReading;
  /** What is there under the keys of these elements, in their places; undefined also when there is no such table or set. */
  find(
    table: TableId,
    set: StepSet,
    elements: readonly Pick<Element, 'key'>[],
  ): readonly (Element | undefined)[];
  /**
   * The elements of one set, some at a time: each step is one short system call, and the caller may do anything between two, also
   * with this driver. Costs nothing per element but the element. Throws KernelError: isNotFound when there is no such set, and
   * isInterrupted when the ruleset, anybody's, changed before all was read. What packets change meanwhile may be in it or not.
   */
  readElements(table: TableId, set: StepSet): Iterable<readonly Element[]>;
  has(table: TableId): boolean;
  /**
   * Applies the steps in one transaction: all or nothing, and no packet sees a part. With a `generation` that is not the
   * current one it is refused (isStaleGeneration). Never retries.
   */
  apply(steps: readonly NftStep[], options?: { readonly generation?: number | undefined }): NftResult;
  /** The number that each change of the namespace's ruleset, by anyone, makes larger. */
  generation(): number;
  close(): void;
}

/** The new generation, or the first fault thrown; the others are its message's count and AggregateError's list. */
export function generationAfter(result: NftResult): number {
  if (result.kind === 'done') return result.generation;
  const [first, ...others] = result.faults.map((fault) => fault.error);
  if (first !== undefined && others.length === 0) throw first;
  throw new AggregateError(
    [first, ...others],
    `${first?.message ?? 'Cannot change nf_tables'} (and ${others.length} more errors)`,
    { cause: first },
  );
}
