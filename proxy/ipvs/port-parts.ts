// All that one service port is in IPVS mode, made once for each value of the port.
import type { IpAddress } from '../../net/address.ts';
import type { PortRules } from '../iptables/service-rules.ts';
import type { RuleContext } from '../rule-context.ts';
import type { ServicePort } from '../service-port.ts';
import { type PortEntry, portEntries } from './port-entries.ts';
import { boundAddresses, type PortServersOptions, portServers, type WantedServer } from './port-servers.ts';
import { shortCircuitRules } from './short-circuit.ts';

export interface PortParts {
  /** By text of their address and port. */
  readonly servers: ReadonlyMap<string, WantedServer>;
  readonly entries: readonly PortEntry[];
  /** To be bound on kube-ipvs0. */
  readonly addresses: readonly IpAddress[];
  readonly rules: PortRules;
}

/** Throws SyntaxError when a name of the port cannot stand in a rule that it needs. */
export function portParts(port: ServicePort, options: PortServersOptions): PortParts {
  const { context } = options;
  return {
    servers: portServers(port, options),
    entries: portEntries(port, context),
    addresses: boundAddresses(port, context),
    rules: shortCircuitRules(port, context),
  };
}

interface Entry {
  readonly port: ServicePort;
  readonly parts: PortParts;
}

/** For one context: another one makes another cache. */
export class PartsCache {
  readonly #options: PortServersOptions;
  readonly #entries = new Map<string, Entry>();

  constructor(options: PortServersOptions) {
    this.#options = options;
  }

  isFor(context: RuleContext): boolean {
    const mine = this.#options.context;
    return context === mine || JSON.stringify(context) === JSON.stringify(mine);
  }

  /** As `portParts`. */
  partsOf(port: ServicePort): PortParts {
    const known = this.#entries.get(port.key);
    if (known?.port === port) return known.parts;
    const parts = portParts(port, this.#options);
    this.#entries.set(port.key, { port, parts });
    return parts;
  }

  forget(key: string): void {
    this.#entries.delete(key);
  }

  keepOnly(ports: ReadonlyMap<string, ServicePort>): void {
    for (const key of this.#entries.keys()) if (!ports.has(key)) this.#entries.delete(key);
  }
}
