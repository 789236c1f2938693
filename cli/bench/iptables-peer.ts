// kube-proxy's texts for iptables-restore: everything, and what it writes when one service changed. The lines of a service are those of
// our own iptables mode, which are kube-proxy's to the byte; what stands in a text, and in which order, is kube-proxy's own.
import { fixedRules } from '../../proxy/iptables/fixed-rules.ts';
import { type PlaceName, places } from '../../proxy/iptables/place.ts';
import { type PortRules, portRules } from '../../proxy/iptables/service-rules.ts';
import type { ServicePort } from '../../proxy/service-port.ts';
import { ruleContext } from './proxy-rig.ts';

const fixed = fixedRules(ruleContext, { randomFully: true });

/** Above so many endpoints kube-proxy leaves comments out, and looks for stale chains only now and then. */
const largeCluster = 1000;

export interface KubeProxyText {
  /** The chains' jumps from the built-in ones: made once, not at every sync. */
  readonly jumps: string;
  readonly load: string;
  /** What follows a change of this port. */
  change(port: ServicePort): string;
}

/** The filter table and the shared chains are in every text, whatever changed. */
export function kubeProxyText(ports: readonly ServicePort[]): KubeProxyText {
  const endpoints = ports.reduce((sum, port) => sum + port.clusterEndpoints.length, 0);
  const comments = endpoints <= largeCluster;
  const rulesOf = (port: ServicePort) => portRules(port, { context: ruleContext, comments });
  const all = new Map(ports.map((port) => [port.key, rulesOf(port)]));
  return {
    jumps: jumpText(),
    load: syncText([...all.values()], [...all.values()]),
    change(port) {
      const rules = rulesOf(port);
      return syncText([...new Map(all).set(port.key, rules).values()], [rules]);
    },
  };
}

const ownChains = {
  filter: fixedChains('filter'),
  nat: fixedChains('nat'),
};

/** Shared ones included. */
function fixedChains(table: 'filter' | 'nat'): readonly string[] {
  const names = [
    ...fixed.chains.filter((one) => one.table === table).map(({ chain }) => chain),
    ...Object.values(places)
      .filter((one) => one.table === table)
      .map(({ chain }) => chain),
  ];
  return [...new Set(names)];
}

function jumpText(): string {
  const blocks = (['filter', 'nat'] as const).map((table) => {
    const present = fixed.present.filter((one) => one.table === table).map(({ chain }) => chain);
    const chains = [...new Set([...ownChains[table], ...present])].map((chain) => `:${chain} - [0:0]`);
    const jumps = fixed.jumps
      .filter((one) => one.table === table)
      .map(({ chain, line }) => `-I ${chain} ${line}`);
    return [`*${table}`, ...chains, ...jumps, 'COMMIT'];
  });
  return `${blocks.flat().join('\n')}\n`;
}

/** `all`: those in shared chains. `written`: those whose own chains are in the text. */
function syncText(all: readonly PortRules[], written: readonly PortRules[]): string {
  const shared = (table: 'filter' | 'nat') =>
    (Object.entries(places) as [PlaceName, (typeof places)[PlaceName]][])
      .filter(([, place]) => place.table === table)
      .flatMap(([name, { chain }]) =>
        [
          ...all
            .flatMap((rules) => rules.shared.filter(({ place }) => place === name))
            .map(({ line }) => line),
          ...(fixed.tails[name] ?? []),
        ].map((line) => `-A ${chain} ${line}`),
      );
  const fixedLines = (table: 'filter' | 'nat') =>
    fixed.chains
      .filter((one) => one.table === table)
      .flatMap(({ chain, lines }) => lines.map((line) => `-A ${chain} ${line}`));
  const declare = (chain: string) => `:${chain} - [0:0]`;
  const lines = [
    '*filter',
    ...ownChains.filter.map(declare),
    ...shared('filter'),
    ...fixedLines('filter'),
    'COMMIT',
    '*nat',
    ...ownChains.nat.map(declare),
    ...written.flatMap(({ chains }) => [...chains.keys()].map(declare)),
    ...fixedLines('nat'),
    ...written.flatMap(({ chains }) =>
      [...chains].flatMap(([chain, own]) => own.map((line) => `-A ${chain} ${line}`)),
    ),
    ...shared('nat'),
    'COMMIT',
  ];
  return `${lines.join('\n')}\n`;
}
