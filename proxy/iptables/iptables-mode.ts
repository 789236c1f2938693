// The iptables mode of one family: what every service port is in rules, made once and remembered; rule-keeper.ts brings them to the
// kernel. Programs and notifications are given.
import type { IptablesAccess } from '../../kernel/iptables/driver.ts';
import { errorMessage } from '../../runtime/error-text.ts';
import type { ModeInput, ProxyMode, SyncReport } from '../proxy-mode.ts';
import type { ServicePort } from '../service-port.ts';
import { fixedRules } from './fixed-rules.ts';
import { RuleCache, wantsComments } from './rule-cache.ts';
import type { IptablesRules } from './rule-counts.ts';
import { type ChangeWatch, RuleKeeper } from './rule-keeper.ts';
import { endpointCount, type PortRules } from './service-rules.ts';

export type { ChangeWatch };

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

class IptablesMode implements IptablesProxyMode {
  readonly name = 'iptables';
  readonly #options: IptablesModeOptions;
  readonly #keeper: RuleKeeper;
  #cache: RuleCache | undefined;
  /** Endpoints of each port that we were told of, programmed or not, and their sum. */
  #counts = new Map<string, number>();
  #endpoints = 0;

  constructor(options: IptablesModeOptions) {
    this.#options = options;
    this.#keeper = new RuleKeeper(options);
  }

  async sync(input: ModeInput, signal: AbortSignal): Promise<SyncReport> {
    const { changed } = input;
    this.#keeper.begin();
    if (changed !== 'all' && this.#keeper.isKnown) {
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
    if (cache === undefined || !cache.isFor(context)) return undefined;
    for (const key of keys) this.#count(key, ports.get(key));
    if (wantsComments(this.#endpoints) !== cache.comments) return undefined;

    const failed = new Map<string, Error>();
    const rules = new Map<string, PortRules | undefined>();
    for (const key of keys) {
      const port = ports.get(key);
      const after = port === undefined ? undefined : rulesOrFailure(port, { cache, failed });
      if (failed.has(key)) continue;
      if (port === undefined) cache.forget(key);
      rules.set(key, after);
    }
    const changes = await this.#keeper.change(rules, signal);
    return changes === undefined ? undefined : { full: false, changes, failed };
  }

  async #syncAll({ ports, context }: ModeInput, signal: AbortSignal): Promise<SyncReport> {
    for (const key of this.#counts.keys()) if (!ports.has(key)) this.#count(key, undefined);
    for (const port of ports.values()) this.#count(port.key, port);
    const comments = wantsComments(this.#endpoints);
    let cache = this.#cache;
    if (cache === undefined || !cache.isFor(context) || cache.comments !== comments)
      cache = new RuleCache(context, { comments });
    cache.keepOnly(ports);
    this.#cache = cache;
    const fixed = fixedRules(context, this.#options);
    const failed = new Map<string, Error>();
    const rules = new Map<string, PortRules>();
    for (const port of ports.values()) {
      const one = rulesOrFailure(port, { cache, failed });
      if (one !== undefined) rules.set(port.key, one);
    }
    const { changes, refused } = await this.#keeper.look(rules, { fixed, signal });
    for (const [key, error] of refused) failed.set(key, refusedPort(key, error));
    if (fixed.routeLocalnet) this.#options.allowRouteLocalnet();
    return { full: true, changes, failed };
  }

  #count(key: string, port: ServicePort | undefined): void {
    const count = port === undefined ? 0 : endpointCount(port);
    this.#endpoints += count - (this.#counts.get(key) ?? 0);
    if (port === undefined) this.#counts.delete(key);
    else this.#counts.set(key, count);
  }

  ruleCounts(): IptablesRules | undefined {
    return this.#keeper.counts();
  }

  changed(): boolean {
    return this.#keeper.changed();
  }

  async cleanUp(): Promise<readonly string[]> {
    this.#keeper.forget();
    return await this.#options.cleanUp();
  }

  close(): void {
    this.#keeper.close();
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
