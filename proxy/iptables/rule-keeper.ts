// Keeps rules in iptables: remembers which lines each service port has in the kernel, and turns changes into texts for iptables-restore.
// It looks at the kernel only when told to, after a failure, or at the start. Which rules there should be is the modes' business.
import { ProgramError } from '../../kernel/exec.ts';
import type { IptablesAccess } from '../../kernel/iptables/driver.ts';
import type { FixedRules } from './fixed-rules.ts';
import { holdRefused, Refusal } from './hold-refused.ts';
import { type KernelRules, readKernelRules } from './kernel-rules.ts';
import { LineComparison } from './line-comparison.ts';
import { loadBatches } from './load-batches.ts';
import { type PortChange, planChanges } from './plan-changes.ts';
import { planFull } from './plan-full.ts';
import { restoreText } from './restore-text.ts';
import { addWritten, countRules, type IptablesRules } from './rule-counts.ts';
import type { RuleStep } from './rule-step.ts';
import type { PortRules } from './service-rules.ts';

/** Tells whether others changed our chains: kernel/iptables/rule-watch.ts, or nothing for iptables-legacy. */
export interface ChangeWatch {
  changed(): boolean;
  forget(): void;
  own(tables: readonly string[], change: () => Promise<void>): Promise<void>;
  close(): void;
}

export interface RuleKeeperOptions {
  readonly access: IptablesAccess;
  readonly watch?: ChangeWatch | undefined;
  /** Large loads in several texts: good for iptables-nft, bad for iptables-legacy. */
  readonly inBatches: boolean;
}

export interface LookOptions {
  readonly fixed: FixedRules;
  readonly signal: AbortSignal;
  /** Sees what the kernel has before any of it is changed. */
  readonly onRead?: ((kernel: KernelRules) => Promise<void> | void) | undefined;
}

export interface LookResult {
  /** Lines written. */
  readonly changes: number;
  /** Ports that iptables refuses, by key: they keep the rules that they had. */
  readonly refused: ReadonlyMap<string, Error>;
}

const tables = ['filter', 'nat', 'mangle'] as const;

export class RuleKeeper {
  readonly #options: RuleKeeperOptions;
  /** What stands in the kernel for each port, as far as we know. */
  #programmed: ReadonlyMap<string, PortRules> = new Map();
  #fixed: FixedRules | undefined;
  /** False: the kernel has to be looked at. */
  #isKnown = false;
  readonly #comparison = new LineComparison();
  #written = new Map<string, number>();

  constructor(options: RuleKeeperOptions) {
    this.#options = options;
  }

  get isKnown(): boolean {
    return this.#isKnown;
  }

  rulesOf(port: string): PortRules | undefined {
    return this.#programmed.get(port);
  }

  /** To be called before each sync: what is written from now on is what the last sync wrote. */
  begin(): void {
    this.#written = new Map();
  }

  /** Number of lines, for ports with their new rules. Undefined: the kernel is not as remembered, everything has to be looked at. */
  async change(
    rules: ReadonlyMap<string, PortRules | undefined>,
    signal: AbortSignal,
  ): Promise<number | undefined> {
    const fixed = this.#fixed;
    if (fixed === undefined || !this.#isKnown) return undefined;
    const wanted = new Map(this.#programmed);
    const changes: PortChange[] = [];
    for (const [key, after] of rules) {
      changes.push({ key, before: this.#programmed.get(key), after });
      if (after === undefined) wanted.delete(key);
      else wanted.set(key, after);
    }
    let lines: number;
    try {
      lines = await this.#apply(planChanges(changes, { fixed, ports: wanted }), signal);
    } catch (error) {
      // Most likely somebody changed our chains and a line to remove is not there.
      if (error instanceof Refusal) return undefined;
      throw error;
    }
    this.#isKnown = true;
    this.#programmed = wanted;
    return lines;
  }

  /** Compares everything with the kernel, and mends it. Rejects when a refusal is no port's fault. */
  async look(rules: ReadonlyMap<string, PortRules>, options: LookOptions): Promise<LookResult> {
    const { fixed, signal, onRead } = options;
    this.#isKnown = false;
    this.#fixed = fixed;
    const before = this.#programmed;
    let wanted = rules;
    let changes = 0;
    const refused = await holdRefused(async (held) => {
      wanted = withLastGood(rules, { before, held });
      this.#options.watch?.forget();
      const kernel = await readKernelRules(this.#options.access, { tables, signal });
      await onRead?.(kernel);
      const steps = planFull({ fixed, ports: wanted }, kernel, this.#comparison);
      for (const batch of this.#options.inBatches ? loadBatches(steps) : [steps])
        changes += await this.#apply(batch, signal);
    });
    this.#programmed = wanted;
    this.#isKnown = true;
    return { changes, refused };
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

  /** As of the last sync; undefined before the first. */
  counts(): IptablesRules | undefined {
    if (this.#fixed === undefined) return undefined;
    return { total: countRules(this.#fixed, this.#programmed), last: this.#written };
  }

  /** Somebody else changed our chains. */
  changed(): boolean {
    return this.#isKnown && this.#options.watch?.changed() === true;
  }

  /** The rules are taken away by other means. */
  forget(): void {
    this.#isKnown = false;
    this.#programmed = new Map();
  }

  close(): void {
    this.#options.watch?.close();
  }
}

/** A port that is refused keeps the rules that it had. */
function withLastGood(
  rules: ReadonlyMap<string, PortRules>,
  { before, held }: { readonly before: ReadonlyMap<string, PortRules>; readonly held: ReadonlySet<string> },
): ReadonlyMap<string, PortRules> {
  if (held.size === 0) return rules;
  const wanted = new Map(rules);
  for (const key of held) {
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
