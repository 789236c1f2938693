// Rules of service ports, made once for each value of a port: a look at everything does not hash all names again.
import type { RuleContext } from '../rule-context.ts';
import type { ServicePort } from '../service-port.ts';
import { type PortRules, portRules } from './service-rules.ts';

/** kube-proxy's "large cluster mode": from here on comments are left out of the rules for endpoints. */
const largeCluster = 1000;

interface Entry {
  readonly port: ServicePort;
  readonly rules: PortRules;
}

/** For one context: another one makes another cache. */
export class RuleCache {
  readonly #context: RuleContext;
  readonly #comments: boolean;
  readonly #entries = new Map<string, Entry>();

  constructor(context: RuleContext, options: { readonly comments: boolean }) {
    this.#context = context;
    this.#comments = options.comments;
  }

  get comments(): boolean {
    return this.#comments;
  }

  isFor(context: RuleContext): boolean {
    return context === this.#context || JSON.stringify(context) === JSON.stringify(this.#context);
  }

  /** Throws when the port has a name that no Kubernetes object can have. */
  rulesOf(port: ServicePort): PortRules {
    const known = this.#entries.get(port.key);
    if (known?.port === port) return known.rules;
    const rules = portRules(port, { context: this.#context, comments: this.#comments });
    this.#entries.set(port.key, { port, rules });
    return rules;
  }

  forget(key: string): void {
    this.#entries.delete(key);
  }

  keepOnly(ports: ReadonlyMap<string, ServicePort>): void {
    for (const key of this.#entries.keys()) if (!ports.has(key)) this.#entries.delete(key);
  }
}

export function wantsComments(endpoints: number): boolean {
  return endpoints <= largeCluster;
}
