// Faults that change what a mode made, instead of taking something away (mutants.ts): each is one thing that a careless hand could do to
// the rules everywhere at once.
import type { Expression } from '../../kernel/nft/expressions.ts';
import type { NftSet } from '../../kernel/nft/set.ts';
import { generationAfter, type NftStep } from '../../kernel/nft/step.ts';
import { verdict } from '../../kernel/nft/verdict.ts';
import { IpAddress } from '../../net/address.ts';
import type { ProxyModeName } from '../../proxy/proxy-mode.ts';
import type { Breakage } from './breakage.ts';
import { rewrittenLines as lines } from './broken-lines.ts';
import type { FakeKernels } from './fake-kernels.ts';
import { ipvsBreakages } from './ipvs-breakages.ts';
import { chainOf } from './mutants.ts';

export const breakages: Readonly<Record<ProxyModeName, readonly Breakage[]>> = {
  nftables: [
    expressions('what should be dropped passes', (one) =>
      one.kind === 'verdict' && one.verdict.kind === 'drop' ? { ...one, verdict: verdict.accept } : one,
    ),
    expressions('what should be refused passes', (one) =>
      one.kind === 'reject' ? { kind: 'verdict', verdict: verdict.accept } : one,
    ),
    expressions('what should be refused is dropped', (one) =>
      one.kind === 'reject' ? { kind: 'verdict', verdict: verdict.drop } : one,
    ),
    expressions('the bit that asks for masquerading is not set', (one, rule) =>
      one.kind === 'bitwise' && rule.some(({ kind }) => kind === 'meta-set')
        ? { ...one, xor: one.xor.map(() => 0) }
        : one,
    ),
    expressions('masquerading is left out', (one) =>
      one.kind === 'masquerade' ? { kind: 'verdict', verdict: verdict.accept } : one,
    ),
    expressions('what is local counts as not local', (one) =>
      one.kind === 'cmp' && one.op === 'neq' ? { ...one, op: 'eq' } : one,
    ),
    expressions('one endpoint is never drawn', (one) =>
      one.kind === 'numgen' && one.modulus > 1 ? { ...one, modulus: one.modulus - 1 } : one,
    ),
    expressions('chains end instead of leading on', (one) =>
      one.kind === 'verdict' && one.verdict.kind === 'goto' ? { ...one, verdict: verdict.return } : one,
    ),
    emptied('endpoints that reach themselves', 'hairpin'),
    emptied('addresses of services', 'services'),
    emptied('source ranges', 'guarded'),
    emptied('node ports', 'node-ports'),
    emptied('cluster IPs', 'cluster-ips'),
    elements('endpoints have another address', ['endpoints', 'local-endpoints'], ([address, ...rest]) =>
      address instanceof IpAddress ? [address.plus(1), ...rest] : undefined,
    ),
    elements('endpoints have another port', ['endpoints', 'local-endpoints'], ([address, port]) =>
      address !== undefined && typeof port === 'number' ? [address, port + 1] : undefined,
    ),
  ],
  iptables: [
    lines('what should be dropped passes', (line) => line.replace('-j DROP', '-j ACCEPT')),
    lines('what should be refused passes', (line) => line.replace(/-j REJECT.*/, '-j ACCEPT')),
    lines('what should be refused is dropped', (line) => line.replace(/-j REJECT.*/, '-j DROP')),
    lines('the bit that asks for masquerading is not set', (line) =>
      line.startsWith('-A KUBE-MARK-MASQ') ? undefined : line,
    ),
    lines('masquerading is left out', (line) => line.replace(/-j MASQUERADE.*/, '-j ACCEPT')),
    // What is in kubelet's chain is kubelet's: there it would stay.
    lines('what is local counts as not local', (line) =>
      line.startsWith('-A KUBE-FIREWALL') ? line : line.replace(/! (-[si] \S+)/, '$1'),
    ),
    lines('the first endpoint is drawn half as often', (line) =>
      line.replace(/--probability (\S+)/, (_, chance: string) => `--probability ${Number(chance) / 2}`),
    ),
    lines('the last endpoint is never drawn', (line) =>
      /^-A KUBE-(SVC|SVL)-.* -j KUBE-SEP-/.test(line) && !/statistic|recent/.test(line) ? undefined : line,
    ),
    lines('the first look is not at services', (line) =>
      /^-A (PREROUTING|OUTPUT) .*KUBE-SERVICES/.test(line) ? undefined : line,
    ),
    lines('endpoints that reach themselves are not masqueraded', (line) =>
      /^-A KUBE-SEP-.*KUBE-MARK-MASQ/.test(line) ? undefined : line,
    ),
    lines('source ranges let everybody in', (line) =>
      line.startsWith('-A KUBE-FW-') ? line.replace(/-s \S+ /, '') : line,
    ),
    lines('endpoints have another port', (line) =>
      line.replace(
        /(--to-destination \S+:)(\d+)/,
        (_, to: string, port: string) => `${to}${Number(port) + 1}`,
      ),
    ),
    lines('node ports are those of UDP', (line) =>
      line.startsWith('-A KUBE-NODEPORTS') && line.includes('KUBE-EXT')
        ? line.replace('-p tcp', '-p udp').replace('-m tcp', '-m udp')
        : line,
    ),
    lines('whoever is on the node counts as outside', (line) =>
      line.includes('--src-type LOCAL') ? undefined : line,
    ),
    lines('known clients are drawn anew', (line) => (line.includes('--rcheck') ? undefined : line)),
  ],
  ipvs: ipvsBreakages,
};

function expressions(
  name: string,
  change: (one: Expression, rule: readonly Expression[]) => Expression,
): Breakage {
  return nftBreakage(name, ({ nft }) =>
    [...nft.state.values()].flatMap((table) =>
      [...table.rules].flatMap(([chain, rules]) =>
        chainOf(
          table,
          rules.map((rule) => ({
            ...rule,
            expressions: rule.expressions.map((one) => change(one, rule.expressions)),
          })),
          chain,
        ),
      ),
    ),
  );
}

function emptied(what: string, set: string): Breakage {
  return nftBreakage(`${what} are forgotten`, (kernels) =>
    setsOf(kernels, [set]).flatMap(({ table, set: found }) =>
      [...found.elements.values()].map((element) => ({ kind: 'element-delete', table, set: found, element })),
    ),
  );
}

type Data = Extract<NonNullable<ReturnType<NftSet['elements']['get']>>['data'], readonly unknown[]>;

function elements(name: string, sets: readonly string[], change: (data: Data) => Data | undefined): Breakage {
  return nftBreakage(name, (kernels) =>
    setsOf(kernels, sets).flatMap(({ table, set }) =>
      [...set.elements.values()].flatMap((element): readonly NftStep[] => {
        const data = Array.isArray(element.data) ? change(element.data) : undefined;
        if (data === undefined) return [];
        return [
          { kind: 'element-delete', table, set, element },
          { kind: 'element-add', table, set, element: { ...element, data } },
        ];
      }),
    ),
  );
}

function setsOf({ nft }: FakeKernels, names: readonly string[]) {
  return [...nft.state.values()].flatMap((table) =>
    [...table.sets.values()].filter(({ name }) => names.includes(name)).map((set) => ({ table, set })),
  );
}

function nftBreakage(name: string, steps: (kernels: FakeKernels) => readonly NftStep[]): Breakage {
  return {
    name,
    apply: async (kernels) => void generationAfter(kernels.nft.driver().apply(steps(kernels))),
  };
}
