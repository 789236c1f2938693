// Faults in what IPVS mode made: virtual servers, addresses and sets that others took away or changed, and its rules of iptables.
import type { IpvsStep, RealServerState, VirtualServer } from '../../kernel/ipvs/objects.ts';
import { serviceLinkName } from '../../proxy/ipvs/service-link.ts';
import type { Breakage } from './breakage.ts';
import { rewrittenLines } from './broken-lines.ts';
import { setsWithEntries } from './set-entries.ts';

export const ipvsBreakages: readonly Breakage[] = [
  servers('virtual servers are forgotten', (server) => [{ kind: 'server-delete', server }]),
  servers('one virtual server is forgotten', (server, _, i) =>
    i === 0 ? [{ kind: 'server-delete', server }] : [],
  ),
  servers('the last real server of each is forgotten', (server, reals) =>
    reals.slice(-1).map((real) => ({ kind: 'real-delete', server, real })),
  ),
  servers('the first real server of each gets nothing new', (server, reals) =>
    reals.slice(0, 1).map((real) => ({ kind: 'real-change', server, real: { ...real, weight: 0 } })),
  ),
  {
    ...servers('real servers weigh more', (server, reals) =>
      reals.map((real) => ({ kind: 'real-change', server, real: { ...real, weight: 3 } })),
    ),
    // Their turns do not ask for it.
    isUnseen: true,
  },
  servers('real servers have another port', (server, reals) =>
    reals.flatMap((real): readonly IpvsStep[] => [
      { kind: 'real-delete', server, real },
      { kind: 'real-add', server, real: { ...real, port: real.port + 1 } },
    ]),
  ),
  servers('a real server too many', (server, [real]) =>
    real === undefined
      ? []
      : [{ kind: 'real-add', server, real: { ...real, address: real.address.plus(99), weight: 1 } }],
  ),
  servers('known clients are drawn anew', (server) => [
    { kind: 'server-change', server: { ...server, persistentSeconds: undefined } },
  ]),
  {
    ...servers('another scheduler', (server) => [
      { kind: 'server-change', server: { ...server, scheduler: 'lc' } },
    ]),
    isUnseen: true,
  },
  {
    name: 'addresses are unbound',
    apply: async ({ route }) => {
      route.apply(route.addressesOn(serviceLinkName).map((address) => ({ kind: 'address-delete', address })));
    },
  },
  {
    name: 'the link is deleted',
    apply: async ({ route }) => {
      const link = route.link(serviceLinkName);
      if (link !== undefined) route.apply([{ kind: 'link-delete', link }]);
    },
  },
  ...[
    'CLUSTER-IP',
    'EXTERNAL-IP',
    'LOAD-BALANCER',
    'LOAD-BALANCER-FW',
    'LOAD-BALANCER-SOURCE-CIDR',
    'LOAD-BALANCER-SOURCE-IP',
    'NODE-PORT-TCP',
    'NODE-PORT-UDP',
    'NODE-PORT-SCTP-HASH',
    'LOOP-BACK',
    'IPVS-IPS',
    'NO-ENDPOINTS',
    'NO-LOCAL-ENDPOINTS',
  ].map((name) => emptied(name)),
  {
    name: 'sets are of another type',
    apply: async (kernels) => {
      await flushed.apply(kernels);
      const access = kernels.ipset.access();
      for (const { set } of setsWithEntries(kernels.ipset.access())) {
        const type = set.type === 'hash:ip' ? 'hash:ip,port' : 'hash:ip';
        access.apply([
          { kind: 'set-destroy', name: set.name },
          { kind: 'set-create', set: { name: set.name, type, family: 4, maxElements: 16 } },
        ]);
      }
    },
  },
  rewrittenLines('what should be dropped passes', (line) => line.replace('-j DROP', '-j ACCEPT')),
  rewrittenLines('what should be refused passes', (line) => line.replace(/-j REJECT.*/, '-j ACCEPT')),
  rewrittenLines('what should be refused is dropped', (line) => line.replace(/-j REJECT.*/, '-j DROP')),
  rewrittenLines('the bit that asks for masquerading is not set', (line) =>
    line.startsWith('-A KUBE-MARK-MASQ') ? undefined : line,
  ),
  rewrittenLines('masquerading is left out', (line) => line.replace(/-j MASQUERADE.*/, '-j ACCEPT')),
  rewrittenLines('what is local counts as not local', (line) => line.replace(/! (-[si] \S+)/, '$1')),
  rewrittenLines('the first look is not at services', (line) =>
    /^-A (PREROUTING|OUTPUT) .*KUBE-SERVICES/.test(line) ? undefined : line,
  ),
  rewrittenLines('what the node sends is asked for no source', (line) =>
    /^-A OUTPUT .*KUBE-PROXY-FIREWALL/.test(line) ? undefined : line,
  ),
];

/** Every chain of the mode, without a rule; what leads to them stays away, too. */
const flushed: Breakage = rewrittenLines('rules are flushed', (line) =>
  line.includes('KUBE-') ? undefined : line,
);

function servers(
  name: string,
  steps: (server: VirtualServer, reals: readonly RealServerState[], index: number) => readonly IpvsStep[],
): Breakage {
  return {
    name,
    apply: async ({ ipvs }) => {
      const access = ipvs.access();
      for (const family of [4, 6] as const)
        for (const [i, server] of access.servers(family).entries())
          access.apply(steps(server, access.realServers(server), i));
    },
  };
}

function emptied(name: string): Breakage {
  return {
    name: `set ${name} is emptied`,
    apply: async (kernels) => {
      for (const { set, entries } of setsWithEntries(kernels.ipset.access()))
        if (set.name === `KUBE-${name}` || set.name === `KUBE-6-${name}`.slice(0, 31))
          kernels.ipset.access().apply(entries.map((entry) => ({ kind: 'entry-delete', set, entry })));
    },
  };
}
