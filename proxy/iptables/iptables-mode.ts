// The iptables mode of one family: remembers which lines each service port has in the kernel, and turns changes into texts for
// iptables-restore. It looks at the kernel only when told to, after a failure, or at the start. Programs and notifications are given.
import { ProgramError } from '../../kernel/exec.ts';
import type { IptablesAccess } from '../../kernel/iptables/driver.ts';
import { errorMessage } from '../../runtime/error-text.ts';
import type { ModeInput, ProxyMode, SyncReport } from '../proxy-mode.ts';
import type { ServicePort } from '../service-port.ts';
import { type FixedRules, fixedRules } from './fixed-rules.ts';
import { holdRefused, Refusal } from './hold-refused.ts';
import { readKernelRules } from './kernel-rules.ts';
import { LineComparison } from './line-comparison.ts';
import { loadBatches } from './load-batches.ts';
import { type PortChange, planChanges } from './plan-changes.ts';
import { planFull } from './plan-full.ts';
import { restoreText } from './restore-text.ts';
import { RuleCache, wantsComments } from './rule-cache.ts';
import { addWritten, countRules, type IptablesRules } from './rule-counts.ts';
import type { RuleStep } from './rule-step.ts';
import { endpointCount, type PortRules } from './service-rules.ts';

/** Tells whether others changed our chains: kernel/iptables/rule-watch.ts, or nothing for iptables-legacy. */
export interface ChangeWatch {
  changed(): boolean;
  forget(): void;
  own(tables: readonly string[], change: () => Promise<void>): Promise<void>;
  close(): void;
}

export interface IptablesModeOptions {
  readonly access: IptablesAccess;
  readonly watch?: ChangeWatch | undefined;
  /** Large loads in several texts: good for iptables-nft, bad for iptables-legacy. */
  readonly inBatches: boolean;
  readonly randomFully: boolean;
  /** Sets the sysctl route_localnet, once the rule that makes it harmless is there. */
  readonly allowRouteLocalnet: () => void;
  readonly cleanUp: () => Promise<readonly string[]>;
}

export interface IptablesProxyMode extends ProxyMode {
  /** As of the last sync; undefined before the first. */
  ruleCounts(): IptablesRules | undefined;
}

export function createIptablesMode(options: IptablesModeOptions): IptablesProxyMode {
  return new IptablesMode(options);
}

const tables = ['filter', 'nat', 'mangle'] as const;

class IptablesMode implements IptablesProxyMode {
  readonly name = 'iptables';
  readonly #options: IptablesModeOptions;
  /** What stands in the kernel for each port, as far as we know. */
  #programmed = new Map<string, PortRules>();
  /** False: the kernel has to be looked at. */
  #isKnown = false;
  readonly #comparison = new LineComparison();
  #cache: RuleCache | undefined;
  #fixed: FixedRules | undefined;
  /** Endpoints of each port that we were told of, programmed or not, and their sum. */
  #counts = new Map<string, number>();
  #endpoints = 0;
  #written = new Map<string, number>();

  constructor(options: IptablesModeOptions) {
    this.#options = options;
  }

  async sync(input: ModeInput, signal: AbortSignal): Promise<SyncReport> {
    const { changed } = input;
    this.#written = new Map();
    if (changed !== 'all' && this.#isKnown) {
      const report = await this.#syncChanges(input, changed, signal);
      if (report !== undefined) return report;
    }
    return await this.#syncAll(input, signal);
  }

  /** Undefined: everything has to be looked at. */
  async #syncChanges(
    { ports, context }: ModeInput,
    keys: ReadonlySet<string>,
    signal: AbortSignal,
  ): Promise<SyncReport | undefined> {
    const cache = this.#cache;
    const fixed = this.#fixed;
    if (cache === undefined || fixed === undefined || !cache.isFor(context)) return undefined;
    for (const key of keys) this.#count(key, ports.get(key));
    if (wantsComments(this.#endpoints) !== cache.comments) return undefined;

    const failed = new Map<string, Error>();
    const changes: PortChange[] = [];
    const wanted = new Map(this.#programmed);
    for (const key of keys) {
      const port = ports.get(key);
      const before = this.#programmed.get(key);
      const after = port === undefined ? undefined : rulesOrFailure(port, { cache, failed });
      if (failed.has(key)) continue;
      if (port === undefined) cache.forget(key);
      changes.push({ key, before, after });
      if (after === undefined) wanted.delete(key);
      else wanted.set(key, after);
    }
    const steps = planChanges(changes, { fixed, ports: wanted });
    let lines: number;
    try {
      lines = await this.#apply(steps, signal);
    } catch (error) {
      // Most likely somebody changed our chains and a line to remove is not there.
      if (error instanceof Refusal) return undefined;
      throw error;
    }
    this.#isKnown = true;
    this.#programmed = wanted;
    return { full: false, changes: lines, failed };
  }

  async #syncAll({ ports, context }: ModeInput, signal: AbortSignal): Promise<SyncReport> {
    this.#isKnown = false;
    for (const key of this.#counts.keys()) if (!ports.has(key)) this.#count(key, undefined);
    for (const port of ports.values()) this.#count(port.key, port);
    const comments = wantsComments(this.#endpoints);
    let cache = this.#cache;
    if (cache === undefined || !cache.isFor(context) || cache.comments !== comments)
      cache = new RuleCache(context, { comments });
    cache.keepOnly(ports);
    this.#cache = cache;
    const fixed = fixedRules(context, this.#options);
    this.#fixed = fixed;
    const failed = new Map<string, Error>();
    const rules = new Map<string, PortRules>();
    for (const port of ports.values()) {
      const one = rulesOrFailure(port, { cache, failed });
      if (one !== undefined) rules.set(port.key, one);
    }
    const before = this.#programmed;
    let wanted: ReadonlyMap<string, PortRules> = rules;
    let changes = 0;
    const held = await holdRefused(async (refused) => {
      wanted = withLastGood(rules, { before, refused });
      this.#options.watch?.forget();
      const kernel = await readKernelRules(this.#options.access, { tables, signal });
      const steps = planFull({ fixed, ports: wanted }, kernel, this.#comparison);
      for (const batch of this.#options.inBatches ? loadBatches(steps) : [steps])
        changes += await this.#apply(batch, signal);
    });
    for (const [key, error] of held) failed.set(key, refusedPort(key, error));
    if (fixed.routeLocalnet) this.#options.allowRouteLocalnet();
    this.#programmed = new Map(wanted);
    this.#isKnown = true;
    return { full: true, changes, failed };
  }

  #count(key: string, port: ServicePort | undefined): void {
    const count = port === undefined ? 0 : endpointCount(port);
    this.#endpoints += count - (this.#counts.get(key) ?? 0);
    if (port === undefined) this.#counts.delete(key);
    else this.#counts.set(key, count);
  }

  /** Number of lines. Throws Refusal when the program took the text for wrong, anything else when it did not get that far. */
  async #apply(steps: readonly RuleStep[], signal: AbortSignal): Promise<number> {
    if (steps.length === 0) return 0;
    const { text, tables: touched, lines, portAt } = restoreText(steps);
    const { access, watch } = this.#options;
    const restore = async () => await access.restore(text, { signal, counters: true });
    // Unless all goes well, what stands in the kernel is not known.
    this.#isKnown = false;
    try {
      await (watch === undefined ? restore() : watch.own(touched, restore));
    } catch (error) {
      if (!isRefusal(error)) throw error;
      const line = Number(/\bline:? (\d+)/.exec(error.stderr)?.[1]);
      const suspects = new Set(steps.flatMap(({ port }) => (port === undefined ? [] : [port])));
      throw new Refusal(error, { port: portAt(line), suspects: [...suspects] });
    }
    addWritten(this.#written, steps);
    return lines;
  }

  ruleCounts(): IptablesRules | undefined {
    if (this.#fixed === undefined) return undefined;
    return { total: countRules(this.#fixed, this.#programmed), last: this.#written };
  }

  changed(): boolean {
    return this.#isKnown && this.#options.watch?.changed() === true;
  }

  async cleanUp(): Promise<readonly string[]> {
    this.#isKnown = false;
    this.#programmed = new Map();
    return await this.#options.cleanUp();
  }

  close(): void {
    this.#options.watch?.close();
  }
}

function rulesOrFailure(
  port: ServicePort,
  { cache, failed }: { readonly cache: RuleCache; readonly failed: Map<string, Error> },
): PortRules | undefined {
  try {
    return cache.rulesOf(port);
  } catch (error) {
    failed.set(port.key, refusedPort(port.key, error));
    return undefined;
  }
}

function refusedPort(key: string, cause: unknown): Error {
  return new Error(`Cannot program service port "${key}": ${errorMessage(cause)}`, { cause });
}

/** A port that is refused keeps the rules that it had. */
function withLastGood(
  rules: ReadonlyMap<string, PortRules>,
  {
    before,
    refused,
  }: { readonly before: ReadonlyMap<string, PortRules>; readonly refused: ReadonlySet<string> },
): ReadonlyMap<string, PortRules> {
  if (refused.size === 0) return rules;
  const wanted = new Map(rules);
  for (const key of refused) {
    const last = before.get(key);
    if (last === undefined) wanted.delete(key);
    else wanted.set(key, last);
  }
  return wanted;
}

/** The program ran and said no: not that it is missing, was stopped or did not get the lock that others hold. */
function isRefusal(error: unknown): error is ProgramError {
  return (
    error instanceof ProgramError && error.exitCode !== undefined && !error.stderr.includes('xtables lock')
  );
}
