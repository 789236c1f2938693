// `netloom bench cni`: what a runtime waits for when it calls the plugin, through the agent, beside the reference plugins that do the
// same work. Pods' namespaces are made before; a row says whether it is one call or ten at once.
import type { LibCni } from '../libcni/libcni.ts';
import type { PodCall } from '../libcni/plugin-request.ts';
import type { Bench, BenchOptions, BenchRow } from './bench.ts';
import { openOurSide } from './cni-ours.ts';
import { findPeer, openPeerSide } from './cni-peer.ts';
import { type CniSide, podCall } from './cni-side.ts';
import { type CycleStep, compareCycle, type Way } from './paired-cycle.ts';

const atOnce = 10;
/** Most runs of the case for which the peer takes seconds: each has ten pods to take the median of. */
const heavyRuns = 3;

interface Scene extends BenchOptions {
  readonly rows: BenchRow[];
  readonly ours: CniSide;
  readonly peer: CniSide | undefined;
}

interface Load {
  /** Ends the names of the rows. */
  readonly beside: string;
  readonly ports: number;
}

type Verb = 'ADD' | 'CHECK' | 'DEL' | 'STATUS' | 'VERSION';

/** In an order in which each finds what it needs, and leaves nothing. */
const allVerbs: readonly Verb[] = ['ADD', 'CHECK', 'STATUS', 'VERSION', 'DEL'];
const changing: readonly Verb[] = ['ADD', 'DEL'];

export const cniBench: Bench = {
  name: 'cni',
  summary:
    'the plugin, one pod and ten at once, beside 0 and SIZE / 10 others, SIZE x 4 addresses taken; beside the reference plugins',
  async run(options) {
    const rows: BenchRow[] = [];
    const base = { ...options, rows };
    await onNewNodes(base, {}, async (scene) => {
      await alone(scene, { verbs: allVerbs, ports: 1, beside: '' });
      await together(scene, { verbs: allVerbs, ports: 1, beside: '' });
      await alone(scene, { verbs: changing, ports: 10, beside: ', 10 ports' });
    });
    const crowd = Math.max(1, Math.round(options.size / 10));
    const others = `, beside ${crowd} pods with a port`;
    await onNewNodes(base, { crowd }, async (scene) => {
      await alone(scene, { verbs: changing, ports: 1, beside: others });
      const few = { ...scene, runs: Math.min(scene.runs, heavyRuns) };
      await together(few, { verbs: changing, ports: 1, beside: others });
    });
    // A subnet of 16 bits has no more.
    const addresses = Math.min(options.size * 4, 60_000);
    await onNewNodes(base, { addresses }, (scene) =>
      alone(scene, { verbs: changing, ports: 1, beside: `, ${addresses} addresses taken` }),
    );
    return rows;
  },
};

/** Nodes of both sides that hold nothing but what is asked for. */
async function onNewNodes(
  options: BenchOptions & { readonly rows: BenchRow[] },
  { crowd = 0, addresses = 0 }: { readonly crowd?: number; readonly addresses?: number },
  measure: (scene: Scene) => Promise<void>,
): Promise<void> {
  const { progress, signal } = options;
  const pluginDirectory = await findPeer();
  progress(crowd > 0 ? `two nodes with ${crowd} pods` : 'two nodes');
  await using ours = await openOurSide({ pods: atOnce, signal });
  await using peer =
    pluginDirectory === undefined ? undefined : await openPeerSide({ pods: atOnce, pluginDirectory });
  for (const side of [ours, peer]) {
    if (crowd > 0) await side?.crowd(crowd);
    if (addresses > 0) await side?.takeAddresses(addresses);
  }
  await measure({ ...options, ours, peer });
}

async function alone(scene: Scene, load: Load & { readonly verbs: readonly Verb[] }): Promise<void> {
  scene.progress(`one pod${load.beside}`);
  await cycle(scene, load, { pods: 1, name: (verb) => `${verb}${load.beside}` });
}

async function together(scene: Scene, load: Load & { readonly verbs: readonly Verb[] }): Promise<void> {
  scene.progress(`ten at once${load.beside}`);
  await cycle(scene, load, {
    pods: atOnce,
    name: (verb) => `ten ${verb} at once, until all are done${load.beside}`,
    each: (verb) => `ten ${verb} at once, median of one${load.beside}`,
  });
}

async function cycle(
  scene: Scene,
  { verbs, ports }: { readonly verbs: readonly Verb[]; readonly ports: number },
  names: {
    readonly pods: number;
    readonly name: (verb: Verb) => string;
    readonly each?: (verb: Verb) => string;
  },
): Promise<void> {
  const { ours, peer, rows } = scene;
  const brokenCheck = peer !== undefined && verbs.includes('CHECK') && (await failsCheck(peer));
  const steps = verbs.map((verb): CycleStep => {
    const load = { verb, ports, pods: names.pods };
    const hasPeer = peer !== undefined && (verb !== 'STATUS' || peer.hasStatus);
    const tolerant = verb === 'CHECK' && brokenCheck;
    return {
      case: names.name(verb),
      each: names.each?.(verb),
      ours: wayOf(ours, load),
      peer: hasPeer
        ? {
            name: tolerant ? `${peer.name} (it fails)` : peer.name,
            way: wayOf(peer, { ...load, tolerant }),
          }
        : undefined,
    };
  });
  rows.push(...(await compareCycle(steps, scene)));
}

/** Debian's portmap (1.1.1) always does: it also looks for rules of IPv6. */
async function failsCheck(side: CniSide): Promise<boolean> {
  const call = podCall(side, { place: 0, ports: 1 });
  await side.runtime.add(call);
  try {
    await side.runtime.check(call);
    return false;
  } catch {
    return true;
  } finally {
    await side.runtime.del(call);
  }
}

function wayOf(
  side: CniSide,
  load: {
    readonly verb: Verb;
    readonly ports: number;
    readonly pods: number;
    readonly tolerant?: boolean;
  },
): Way {
  const calls = Array.from({ length: load.pods }, (_, place) => podCall(side, { place, ports: load.ports }));
  return () =>
    Promise.all(
      calls.map(async (call) => {
        const start = performance.now();
        const done = callVerb(side.runtime, load.verb, call);
        await (load.tolerant === true ? done.catch(() => undefined) : done);
        return performance.now() - start;
      }),
    );
}

async function callVerb(runtime: LibCni, verb: Verb, call: PodCall): Promise<void> {
  switch (verb) {
    case 'ADD':
      await runtime.add(call);
      return;
    case 'CHECK':
      return await runtime.check(call);
    case 'DEL':
      return await runtime.del(call);
    case 'STATUS':
      return await runtime.status();
    case 'VERSION':
      await runtime.validate();
      return;
    default:
      return verb satisfies never;
  }
}
