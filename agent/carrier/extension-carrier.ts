// Has the operator's program add and remove peers, one call after the other, beside the passes: a program may take its time, and the agent
// goes on. Which peers it was told to add is kept in a file, so that those that went while the agent was away are removed.
import { mkdirSync } from 'node:fs';
import { dirname } from 'node:path';
import { z } from 'zod';
import { writeFileAtomicSync } from '../../runtime/write-file.ts';
import type { JsonValue } from '../../store/go-json.ts';
import { readFileIfThere } from '../node-files.ts';
import type { CarriedPeer, Carrier, CarrierChange, CarrierPlan } from './carrier.ts';
import type { ExtensionProgram, ExtensionVerb } from './extension-program.ts';

export interface ExtensionCarrierOptions {
  /** Throws Error when none is named. */
  readonly program: () => ExtensionProgram;
  /** "/var/lib/netloom/extension.json" */
  readonly path: string;
}

/** Milliseconds that a pass waits for calls; what is not done by then is reported as pending. */
const patience = 2000;

type PeerInput = Extract<CarriedPeer, { kind: 'extension' }>['peer'];

interface Call {
  readonly verb: ExtensionVerb;
  /** A peer's name; undefined: this node's own lease. */
  readonly name: string | undefined;
  readonly input: JsonValue;
}

const shape = z.object({
  /** What every call was told last. */
  input: z.record(z.string(), z.json()),
  /** By name. */
  peers: z.record(z.string(), z.record(z.string(), z.json())),
});

export interface ExtensionCarrier extends Carrier {
  /** Has all peers removed, however long it takes. Returns what failed, by name. */
  finish(signal: AbortSignal): Promise<ReadonlyMap<string, unknown>>;
}

export function createExtensionCarrier({ program, path }: ExtensionCarrierOptions): ExtensionCarrier {
  const abort = new AbortController();
  /** What the program was told to add, this time or before the agent's start, and not to remove since. */
  const before = readAdded(path);
  const added = new Map<string, PeerInput>(Object.entries(before.peers));
  let base: PeerInput = before.input;
  /** The input that was done with, by peer; "" is this node. */
  const done = new Map<string, string>();
  const failed = new Map<string, unknown>();
  let wanted: ReadonlyMap<string, CarriedPeer> | undefined;
  let changes: CarrierChange[] = [];
  let working: Promise<void> | undefined;
  let hasNews = false;

  /** What is to be called next; none: all is as wanted, or was tried and has failed. */
  function nextCall(): Call | undefined {
    for (const [name, peer] of added) {
      if (wanted?.has(name) !== true && !failed.has(name)) {
        return { verb: 'remove', name, input: { ...base, peer } };
      }
    }
    if (wanted === undefined) return undefined;
    if (done.get('') !== JSON.stringify(base)) {
      return failed.has('') ? undefined : { verb: 'start', name: undefined, input: base };
    }
    for (const [name, carried] of wanted) {
      if (carried.kind !== 'extension' || failed.has(name)) continue;
      const input = { ...base, peer: carried.peer };
      if (done.get(name) !== JSON.stringify(input)) return { verb: 'add', name, input };
    }
    return undefined;
  }

  async function work(): Promise<void> {
    for (let call = nextCall(); call !== undefined && !abort.signal.aborted; call = nextCall()) {
      const { verb, name = '', input } = call;
      try {
        // Before it is called: it may be killed after half of its work.
        if (verb === 'add') remember(name, (input as { peer: PeerInput }).peer);
        await program().call(verb, input, abort.signal);
        if (verb === 'remove') forget(name);
        else done.set(name, JSON.stringify(input));
        changes.push({ kind: 'extension', object: name === '' ? 'extension' : name });
      } catch (error) {
        if (abort.signal.aborted) return;
        failed.set(name, error);
      }
      hasNews = true;
    }
  }

  function remember(name: string, peer: PeerInput): void {
    if (JSON.stringify(added.get(name)) === JSON.stringify(peer)) return;
    added.set(name, peer);
    save();
  }

  function forget(name: string): void {
    added.delete(name);
    done.delete(name);
    save();
  }

  function save(): void {
    mkdirSync(dirname(path), { recursive: true, mode: 0o755 });
    writeFileAtomicSync(path, `${JSON.stringify({ input: base, peers: Object.fromEntries(added) })}\n`);
  }

  function start(): Promise<void> {
    working ??= work().finally(() => {
      working = undefined;
    });
    return working;
  }

  /** Why what is wanted is not there. */
  function shortcomings() {
    const why = new Map<string, unknown>();
    const pending = new Map<string, string>();
    for (const [name, error] of failed) why.set(name === '' ? 'extension' : name, error);
    for (const name of wanted?.keys() ?? []) {
      if (failed.has('')) why.set(name, failed.get(''));
      else if (!failed.has(name) && !done.has(name)) pending.set(name, 'the program has yet to add it');
    }
    return { failed: why, pending };
  }

  return {
    async ensure(plan: CarrierPlan, { signal }) {
      const device = plan.devices.find(({ kind }) => kind === 'extension');
      wanted = device?.kind === 'extension' ? plan.peers : undefined;
      if (device?.kind === 'extension' && JSON.stringify(base) !== JSON.stringify(device.input)) {
        base = device.input;
        done.clear();
      }
      // Tried again in each pass: the passes know when.
      failed.clear();
      await withPatience(start(), signal);
      signal.throwIfAborted();
      const news = changes;
      changes = [];
      hasNews = working !== undefined && hasNews;
      return { changes: news, ...shortcomings() };
    },
    async finish(signal) {
      wanted = undefined;
      failed.clear();
      signal.addEventListener('abort', () => abort.abort(signal.reason), { once: true });
      await start();
      signal.throwIfAborted();
      return failed;
    },
    changed: () => working === undefined && hasNews,
    async close() {
      abort.abort(new Error('The agent stops'));
      await working;
    },
  };
}

async function withPatience(work: Promise<void>, signal: AbortSignal): Promise<void> {
  let timer: NodeJS.Timeout | undefined;
  let stop = (): void => {};
  await Promise.race([
    work,
    new Promise<void>((resolve) => {
      stop = resolve;
      timer = setTimeout(resolve, patience);
      signal.addEventListener('abort', stop, { once: true });
    }),
  ]);
  clearTimeout(timer);
  signal.removeEventListener('abort', stop);
}

/** A file that is gone or spoilt is an empty one. */
function readAdded(path: string): z.output<typeof shape> {
  try {
    return shape.parse(JSON.parse(readFileIfThere(path) ?? ''));
  } catch {
    return { input: {}, peers: {} };
  }
}

/** The peers that the program was told to add by an agent that is not there any more. */
export function addedPeers(path: string): readonly string[] {
  return Object.keys(readAdded(path).peers);
}
