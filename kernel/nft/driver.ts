// nf_tables of one network namespace over nfnetlink: reads tables consistently, applies steps in one transaction. Does not plan,
// does not retry, and looks at no table it is not asked for.
import { constants } from 'node:os';
import { isNotFound, isOverrun, KernelError } from '../kernel-error.ts';
import { ByteWriter } from '../netlink/bytes.ts';
import type { NetlinkReply } from '../netlink/message.ts';
import { NETLINK_NETFILTER, NetlinkSocket } from '../netlink/netlink-socket.ts';
import type { Netns } from '../netns.ts';
import { generationAttributes, messageType, NFT_MSG } from './attributes.ts';
import { type Batch, messageBound, writeBatch } from './batch.ts';
import { readHeader, writeHeader } from './object-wire.ts';
import { type Table, type TableId, tableKey } from './objects.ts';
import { hasTable, readElement, readElementSteps, readWholeTable } from './read.ts';
import type { Element } from './set.ts';
import type { NftDriver, NftFault, NftReading, NftResult, NftStep, ReadOptions, StepSet } from './step.ts';
import { stepObject, stepOperation } from './step-text.ts';
import { required } from './verdict-wire.ts';

/** A ruleset that changes under every one of so many reads belongs to somebody who never stops. */
const readAttempts = 10;

/** What netlink wants free in the send buffer beside the datagram, generously. */
const sendHeadroom = 1 << 16;

const { EINTR, EPROTO } = constants.errno;

/**
 * Opens a socket in the namespace (the process's own without one), which must stay open as long as elements are to be read step by
 * step. Throws KernelError: EPERM, EPROTONOSUPPORT.
 */
export function openNftDriver(options: { readonly netns?: Netns | undefined } = {}): NftDriver {
  const { netns } = options;
  return new KernelDriver(
    () =>
      new NetlinkSocket({
        protocol: NETLINK_NETFILTER,
        ...(netns === undefined ? {} : { netns }),
      }),
  );
}

class KernelDriver implements NftDriver {
  readonly #open: () => NetlinkSocket;
  readonly #socket: NetlinkSocket;
  /** Of readings that have not come to their end. */
  readonly #reading = new Set<NetlinkSocket>();
  readonly #out = new ByteWriter();

  constructor(open: () => NetlinkSocket) {
    this.#open = open;
    this.#socket = open();
  }

  generation(): number {
    const [generation] = this.#socket.query(
      {
        type: messageType(NFT_MSG.GETGEN),
        flags: 0,
        operation: 'read generation',
        object: 'nf_tables',
        body: (out) => writeHeader(out, 0),
      },
      ({ body }) => {
        readHeader(body);
        return generationAttributes.read(body).NFTA_GEN_ID;
      },
    );
    return required(generation, 'generation');
  }

  read(tables: readonly TableId[], options: ReadOptions = {}): NftReading {
    for (let attempt = 0; attempt < readAttempts; attempt++) {
      const generation = this.generation();
      const found = this.#readOnce(tables, options);
      if (found !== undefined && this.generation() === generation) {
        return { generation, state: new Map(found.map((table) => [tableKey(table), table])) };
      }
    }
    throw new KernelError({
      operation: 'read tables',
      object: tables.map(tableKey).join(', '),
      errno: EINTR,
      kernelMessage: `the ruleset changed during each of ${readAttempts} reads`,
    });
  }

  /** Undefined when an object went away under the reading of it. */
  #readOnce(tables: readonly TableId[], options: ReadOptions): readonly Table[] | undefined {
    try {
      return tables
        .map((id) => readWholeTable(this.#socket, id, options))
        .filter((table) => table !== undefined);
    } catch (error) {
      if (isNotFound(error)) return undefined;
      throw error;
    }
  }

  find(
    table: TableId,
    set: StepSet,
    elements: readonly Pick<Element, 'key'>[],
  ): readonly (Element | undefined)[] {
    return elements.map((element) => readElement(this.#socket, { table, set, element }));
  }

  /** On a socket of its own: one in the middle of a dump serves nothing else. */
  *readElements(table: TableId, set: StepSet): Generator<readonly Element[], void, void> {
    const socket = this.#open();
    this.#reading.add(socket);
    try {
      const generation = this.generation();
      for (const some of readElementSteps(socket, { table, set })) {
        // Of elements not every kernel says so itself (NLM_F_DUMP_INTR).
        if (this.generation() !== generation)
          throw new KernelError({
            operation: 'list nf_tables',
            object: `${tableKey(table)} ${set.name}`,
            errno: EINTR,
            kernelMessage: 'the ruleset changed meanwhile',
          });
        yield some;
      }
    } finally {
      this.#reading.delete(socket);
      socket.close();
    }
  }

  has(table: TableId): boolean {
    return hasTable(this.#socket, table);
  }

  apply(steps: readonly NftStep[], options: { readonly generation?: number | undefined } = {}): NftResult {
    const { generation } = options;
    if (steps.length === 0) return { kind: 'done', generation: this.generation() };
    const first = this.#socket.takeSequence(messageBound(steps));
    const batch = writeBatch(steps, { first, generation, out: this.#out });
    if (batch.bytes.length + sendHeadroom > this.#socket.sendBuffer)
      this.#socket.growSendBuffer(batch.bytes.length + sendHeadroom);
    const faults = this.#commit(batch, first);
    if (faults.length > 0) return { kind: 'refused', faults };
    const now = this.generation();
    // Somebody may have changed the ruleset since: what we know is our own transaction, one generation on.
    return {
      kind: 'done',
      generation: generation === undefined || now === generation ? now : nextGeneration(generation),
    };
  }

  #commit(batch: Batch, first: number): readonly NftFault[] {
    let replies: readonly NetlinkReply[];
    try {
      replies = this.#socket.exchange(batch.bytes);
    } catch (error) {
      if (!(error instanceof KernelError)) throw error;
      const kernelMessage = isOverrun(error)
        ? 'the answers did not fit the receive buffer'
        : `a transaction of ${batch.bytes.length} bytes`;
      return [{ error: fault({ errno: error.errno, message: kernelMessage }) }];
    }
    let acknowledged = false;
    const faults: NftFault[] = [];
    for (const reply of replies) {
      if (reply.kind !== 'error') continue;
      const step = reply.sequence === first ? undefined : batch.stepAt(reply.sequence, reply.offset);
      if (reply.errno === 0) acknowledged = true;
      else faults.push({ ...(step === undefined ? {} : { step }), error: fault(reply, step) });
    }
    if (!acknowledged && faults.length === 0)
      faults.push({ error: fault({ errno: EPROTO, message: 'the kernel did not answer' }) });
    return faults;
  }

  close(): void {
    this.#socket.close();
    for (const socket of this.#reading) socket.close();
  }
}

function fault(
  answer: {
    readonly errno: number;
    readonly message?: string | undefined;
    readonly offset?: number | undefined;
  },
  step?: NftStep,
): KernelError {
  return new KernelError({
    operation: step === undefined ? 'change nf_tables' : stepOperation(step),
    object: step === undefined ? '' : stepObject(step),
    errno: answer.errno,
    kernelMessage: answer.message,
    offset: answer.offset,
  });
}

/** The kernel's counter skips zero, which stands for "any" in a batch. */
function nextGeneration(generation: number): number {
  return (generation + 1) >>> 0 || 1;
}
