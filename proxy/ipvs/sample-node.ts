// A node of fakes for the tests of the IPVS mode: all that the mode keeps, in memory, and what is there in words. Not for programs.
import { FakeIpsetKernel } from '../../kernel/ipset/fake.ts';
import { entryText } from '../../kernel/ipset/objects.ts';
import { FakeIptablesKernel } from '../../kernel/iptables/fake.ts';
import { FakeIpvsKernel } from '../../kernel/ipvs/fake.ts';
import { realServerText, virtualServerText } from '../../kernel/ipvs/objects.ts';
import { createFakeRouteDriver, type FakeRouteDriver } from '../../kernel/route/fake.ts';
import type { Family } from '../../net/address.ts';
import type { Clock } from '../../runtime/clock.ts';
import { createManualClock } from '../../runtime/manual-clock.ts';
import { sampleContext } from '../iptables/sample-context.ts';
import type { ProxyMode, SyncReport } from '../proxy-mode.ts';
import type { RuleContext } from '../rule-context.ts';
import type { ServicePort } from '../service-port.ts';
import { defaultIpvsChoices, type IpvsChoices } from './ipvs-choices.ts';
import { createIpvsMode } from './ipvs-mode.ts';
import { serviceLinkName } from './service-link.ts';

export interface SampleKernels {
  readonly ipvs: FakeIpvsKernel;
  readonly ipset: FakeIpsetKernel;
  readonly iptables: FakeIptablesKernel;
  readonly route: FakeRouteDriver;
}

export function sampleKernels(): SampleKernels {
  // Rules ask sets, and a set that rules ask cannot go.
  const references = (name: string): number => iptables.asking(name);
  const ipset = new FakeIpsetKernel({ references });
  const iptables: FakeIptablesKernel = new FakeIptablesKernel({ sets: ipset });
  return { ipvs: new FakeIpvsKernel(), ipset, iptables, route: createFakeRouteDriver() };
}

export interface SampleNode extends SampleKernels {
  readonly mode: ProxyMode;
  readonly ports: Map<string, ServicePort>;
  all(context?: RuleContext): Promise<SyncReport>;
  set(...ports: readonly ServicePort[]): Promise<SyncReport>;
  remove(...ports: readonly ServicePort[]): Promise<SyncReport>;
  /** "tcp 10.96.0.10:80 rr -> 10.0.0.1:80 1", a line each. */
  servers(): readonly string[];
  /** Entries by set, of sets that have any. */
  sets(): Readonly<Record<string, readonly string[]>>;
  addresses(): readonly string[];
  /** Lines of a chain. */
  chain(table: string, chain: string): Promise<readonly string[] | undefined>;
}

export interface SampleNodeOptions {
  readonly kernels?: SampleKernels;
  readonly family?: Family;
  readonly choices?: Partial<IpvsChoices>;
  readonly context?: Partial<RuleContext>;
  readonly clock?: Clock;
}

const signal = new AbortController().signal;

export function sampleNode(options: SampleNodeOptions = {}): SampleNode {
  const { kernels = sampleKernels(), family = 4, choices, clock = createManualClock() } = options;
  const { ipvs, ipset, iptables, route } = kernels;
  const context = sampleContext({
    family,
    dropInvalid: false,
    localhostNodePorts: false,
    ...options.context,
  });
  const access = iptables.access(family);
  const mode = createIpvsMode({
    family,
    ipvs: ipvs.access(),
    ipset: ipset.access(),
    access,
    route,
    inBatches: true,
    randomFully: true,
    choices: { ...defaultIpvsChoices, ...choices },
    pause: async () => {},
    clock,
  });
  const ports = new Map<string, ServicePort>();
  const sync = async (changed: readonly ServicePort[]) =>
    await mode.sync({ ports, changed: new Set(changed.map(({ key }) => key)), context }, signal);
  return {
    ...kernels,
    mode,
    ports,
    all: async (other = context) => await mode.sync({ ports, changed: 'all', context: other }, signal),
    async set(...changed) {
      for (const port of changed) ports.set(port.key, port);
      return await sync(changed);
    },
    async remove(...changed) {
      for (const { key } of changed) ports.delete(key);
      return await sync(changed);
    },
    servers() {
      const there = ipvs.access();
      return there
        .servers(family)
        .map((server) => {
          const reals = there
            .realServers(server)
            .map((real) => `${realServerText(real)} ${real.weight}${real.isNat ? '' : ' without NAT'}`)
            .sort();
          const stays = server.persistentSeconds === undefined ? '' : ` ${server.persistentSeconds}s`;
          const more = server.hasOtherOptions ? ' and more' : '';
          return `${virtualServerText(server)} ${server.scheduler}${stays}${more} -> ${reals.join(', ')}`;
        })
        .sort();
    },
    sets() {
      const there = ipset.access();
      const found = there.headers().flatMap(({ name }): readonly [string, readonly string[]][] => {
        const entries = (there.entries(name) ?? []).map(entryText).sort();
        return entries.length === 0 ? [] : [[name, entries]];
      });
      return Object.fromEntries(found.sort());
    },
    addresses: () =>
      route
        .addressesOn(serviceLinkName)
        .map(({ prefix }) => prefix.toString())
        .sort(),
    async chain(table, chain) {
      const { chains, rules } = await access.save(table);
      if (!chains.has(chain)) return undefined;
      const before = `-A ${chain} `;
      return rules.filter((rule) => rule.startsWith(before)).map((rule) => rule.slice(before.length));
    },
  };
}
