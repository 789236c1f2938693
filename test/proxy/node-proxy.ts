// A proxy on the test node: trackers and modes of both families, brought from state to state as the daemon would. Whether the modes
// work on a fake or a real kernel is whoever makes them's.
import type { Family } from '../../net/address.ts';
import type { ProxyMode, ProxyModeName, SyncReport } from '../../proxy/proxy-mode.ts';
import type { RuleContext } from '../../proxy/rule-context.ts';
import { createServiceTracker, type ServiceTracker } from '../../proxy/service-tracker.ts';
import { batchBetween, clusterObjects, noObjects } from './cluster-objects.ts';
import { type NodeChoices, type PacketState, usualChoices } from './packet-state.ts';
import { nodeName, ruleContext } from './test-node.ts';

const families = [4, 6] as const;

export interface NodeMode {
  readonly name: ProxyModeName;
  open(family: Family): ProxyMode | Promise<ProxyMode>;
  /** Takes away what the other modes left, when this one's rules stand. Returns what it had to leave for later, in words. */
  removeOthers(): Promise<readonly string[]>;
}

/** One family of the proxy. */
interface Half {
  readonly family: Family;
  readonly tracker: ServiceTracker;
  mode: ProxyMode;
  context: RuleContext | undefined;
}

export class NodeProxy {
  #mode: NodeMode;
  readonly #halves: readonly Half[];
  #objects = noObjects;
  #choices: NodeChoices = {};

  private constructor(mode: NodeMode, halves: readonly Half[]) {
    this.#mode = mode;
    this.#halves = halves;
  }

  static async open(mode: NodeMode): Promise<NodeProxy> {
    const halves = families.map(async (family): Promise<Half> => {
      const tracker = createServiceTracker({ family, nodeName, zone: usualChoices.zone });
      return { family, tracker, mode: await mode.open(family), context: undefined };
    });
    return new NodeProxy(mode, await Promise.all(halves));
  }

  get modeName(): ProxyModeName {
    return this.#mode.name;
  }

  /** `full`: the modes are to look at everything, not only at what changed. Returns a report a family. */
  async enter(
    state: Pick<PacketState, 'manifests' | 'node'>,
    { full = false }: { readonly full?: boolean } = {},
  ): Promise<readonly SyncReport[]> {
    const objects = clusterObjects(state.manifests);
    const batch = batchBetween(this.#objects, objects);
    this.#objects = objects;
    this.#choices = state.node ?? {};
    const { zone } = { ...usualChoices, ...this.#choices };
    const reports: SyncReport[] = [];
    for (const half of this.#halves) {
      const changed = new Set([...half.tracker.setZone(zone), ...half.tracker.apply(batch)]);
      reports.push(await this.#sync(half, full ? 'all' : changed));
    }
    return reports;
  }

  /** Another look without a change of anything. */
  async again(changed: ReadonlySet<string> | 'all' = new Set()): Promise<readonly SyncReport[]> {
    const reports: SyncReport[] = [];
    for (const half of this.#halves) reports.push(await this.#sync(half, changed));
    return reports;
  }

  /**
   * The program ends and another one starts, maybe in another mode: that one takes over, then the old one's rules go. Returns what of
   * these has to stay for the time being.
   */
  async restart(mode: NodeMode = this.#mode): Promise<readonly string[]> {
    const before = this.#halves.map((half) => half.mode);
    const isSwitch = mode !== this.#mode;
    this.#mode = mode;
    for (const [i, half] of this.#halves.entries()) {
      before[i]?.close();
      half.mode = await mode.open(half.family);
      half.context = undefined;
      await this.#sync(half, 'all');
    }
    return isSwitch ? await mode.removeOthers() : [];
  }

  async cleanUp(): Promise<void> {
    for (const { mode } of this.#halves) await mode.cleanUp();
  }

  close(): void {
    for (const { mode } of this.#halves) mode.close();
  }

  get modes(): readonly ProxyMode[] {
    return this.#halves.map(({ mode }) => mode);
  }

  async #sync(half: Half, changed: ReadonlySet<string> | 'all'): Promise<SyncReport> {
    const { family, tracker } = half;
    const context = ruleContext(this.#choices, { family, mode: this.#mode.name });
    const isNew = JSON.stringify(context) !== JSON.stringify(half.context);
    half.context = context;
    const report = await half.mode.sync(
      { ports: tracker.ports, changed: isNew ? 'all' : changed, context },
      new AbortController().signal,
    );
    for (const [key, error] of report.failed) throw new Error(`Cannot program "${key}"`, { cause: error });
    return report;
  }
}
