// Arbitrary rules and texts for iptables-restore, for property tests. Rules are such as iptables-save prints; texts may be refused.
import fc from 'fast-check';
import { builtinChains, type IptablesTableName } from '../../kernel/iptables/builtin-chains.ts';
import {
  type Criterion,
  conntrackStates,
  type Match,
  type Rule,
  routeTypes,
  type Target,
} from '../../kernel/iptables/rule.ts';
import { ruleText } from '../../kernel/iptables/rule-text.ts';
import { type Family, IpAddress } from '../../net/address.ts';
import { Prefix } from '../../net/prefix.ts';
import { type Transport, transportNumber, transports } from '../../net/transport.ts';

const u16 = fc.integer({ min: 1, max: 0xfffe });
const u32 = fc.integer({ min: 0, max: 0xffffffff });

function criterion<T>(value: fc.Arbitrary<T>): fc.Arbitrary<Criterion<T> | undefined> {
  return fc.option(fc.record({ value, not: fc.boolean() }), { nil: undefined, freq: 2 });
}

const ports = fc.tuple(u16, u16).map(([a, b]) => ({ first: Math.min(a, b), last: Math.max(a, b) }));
const link = fc.stringMatching(/^[a-z][a-z0-9.]{0,10}\+?$/);

function addressOf(family: Family): fc.Arbitrary<IpAddress> {
  const size = family === 4 ? 4 : 16;
  // The first byte keeps IPv6 clear of the mixed forms, which inet_ntop prints and we do not.
  return fc
    .uint8Array({ minLength: size, maxLength: size })
    .map((bytes) => IpAddress.fromBytes(Uint8Array.of((bytes[0] ?? 0) | 0x20, ...bytes.subarray(1))));
}

function networkOf(family: Family): fc.Arbitrary<Prefix> {
  const bits = family === 4 ? 32 : 128;
  return fc
    .tuple(addressOf(family), fc.integer({ min: 1, max: bits }))
    .map(([address, length]) => new Prefix(address, length).network());
}

function someOf<T>(all: readonly T[]): fc.Arbitrary<readonly T[]> {
  return fc.subarray([...all], { minLength: 1 });
}

function matchOf(family: Family, sets: readonly string[]): fc.Arbitrary<Match> {
  const bits = family === 4 ? '255.255.255.255' : new Array(8).fill('ffff').join(':');
  const states = criterion(someOf(conntrackStates));
  const types = criterion(someOf(routeTypes.filter((type) => family === 4 || type !== 'BROADCAST')));
  return fc.oneof(
    fc.record({ kind: fc.constant('comment' as const), text: fc.stringMatching(/^[ -~]{0,40}$/) }),
    fc
      .record({ kind: fc.constant('conntrack' as const), states, originalPort: criterion(ports) })
      .filter((match) => match.states !== undefined || match.originalPort !== undefined),
    fc.record({ kind: fc.constant('mark' as const), value: u32, mask: u32, not: fc.boolean() }),
    fc
      .record({ kind: fc.constant('addrtype' as const), source: types, destination: types })
      .filter((match) => match.source !== undefined || match.destination !== undefined),
    fc.record({
      kind: fc.constant('statistic' as const),
      parts: fc.integer({ min: 0, max: 2 ** 31 }),
      not: fc.boolean(),
    }),
    fc.record({ kind: fc.constant('physdev' as const), not: fc.boolean() }),
    ...(sets.length === 0
      ? []
      : [
          fc.record({
            kind: fc.constant('set' as const),
            name: fc.constantFrom(...sets),
            directions: fc.array(fc.constantFrom('src' as const, 'dst' as const), {
              minLength: 1,
              maxLength: 6,
            }),
            not: fc.boolean(),
          }),
        ]),
    fc.record({
      kind: fc.constant('recent' as const),
      action: fc.constant('set' as const),
      not: fc.boolean(),
      reap: fc.constant(false),
      list: fc.stringMatching(/^[A-Z][A-Z0-9-]{0,20}$/),
      mask: fc.constant(IpAddress.parse(bits)),
      side: fc.constantFrom('source' as const, 'destination' as const),
    }),
    fc.record({
      kind: fc.constant('recent' as const),
      action: fc.constant('rcheck' as const),
      not: fc.boolean(),
      seconds: fc.integer({ min: 1, max: 100_000 }),
      reap: fc.boolean(),
      list: fc.stringMatching(/^[A-Z][A-Z0-9-]{0,20}$/),
      mask: fc.constant(IpAddress.parse(bits)),
      side: fc.constantFrom('source' as const, 'destination' as const),
    }),
  );
}

/** With a target that may stand in the table, or a jump to one of the chains. */
export function ruleOf({
  family,
  table,
  chains,
  sets = [],
}: {
  readonly family: Family;
  readonly table: IptablesTableName;
  readonly chains: readonly string[];
  /** That rules may ask: they must be there. */
  readonly sets?: readonly string[];
}): fc.Arbitrary<Rule> {
  const transport = fc.option(
    fc.record({
      protocol: fc.constantFrom(...transports),
      source: criterion(ports),
      destination: criterion(ports),
    }),
    { nil: undefined },
  );
  const jump = fc.record({
    kind: fc.constantFrom('jump' as const, 'goto' as const),
    chain: fc.constantFrom(...chains),
  });
  const mark = fc.record({ kind: fc.constant('mark' as const), value: u32, mask: u32 });
  const verdict = fc.record({
    kind: fc.constant('verdict' as const),
    verdict:
      table === 'nat'
        ? fc.constantFrom('ACCEPT' as const, 'RETURN' as const)
        : fc.constantFrom('ACCEPT' as const, 'DROP' as const, 'RETURN' as const),
  });
  const dnat = fc.record({
    kind: fc.constant('dnat' as const),
    address: addressOf(family),
    port: fc.option(u16, { nil: undefined }),
  });
  const masquerade = fc.record({ kind: fc.constant('masquerade' as const), randomFully: fc.boolean() });
  const answers =
    family === 4
      ? ['icmp-host-prohibited', 'icmp-port-unreachable', 'tcp-reset']
      : ['icmp6-adm-prohibited', 'icmp6-port-unreachable', 'tcp-reset'];
  const reject = fc.record({ kind: fc.constant('reject' as const), with: fc.constantFrom(...answers) });
  const own = table === 'nat' ? [dnat, masquerade] : table === 'filter' ? [reject] : [];
  const target = fc.option(fc.oneof(jump, mark, verdict, ...own), { nil: undefined });
  return fc
    .record({
      source: criterion(networkOf(family)),
      destination: criterion(networkOf(family)),
      inLink: criterion(link),
      outLink: criterion(link),
      transport,
      matches: fc.array(matchOf(family, sets), { maxLength: 3 }),
      target,
    })
    .map(({ transport: given, matches, target: to, ...rest }) => ({
      ...rest,
      protocol: given === undefined ? undefined : { value: transportNumber[given.protocol], not: false },
      matches: given === undefined ? matches : [{ kind: 'ports' as const, ...given }, ...matches],
      target: fitting(to, { protocol: given?.protocol, family }),
    }));
}

/** A port needs a protocol that has some, and a reset TCP. */
function fitting(
  target: Target | undefined,
  { protocol, family }: { readonly protocol: Transport | undefined; readonly family: Family },
): Target | undefined {
  if (target?.kind === 'dnat' && protocol === undefined) return { ...target, port: undefined };
  if (target?.kind === 'reject' && target.with === 'tcp-reset' && protocol !== 'tcp')
    return { ...target, with: family === 4 ? 'icmp-port-unreachable' : 'icmp6-port-unreachable' };
  return target;
}

const ownChains = ['NETLOOM-A', 'NETLOOM-B', 'NETLOOM-C'] as const;

/** One block for a table. Often refused: chains are missing, in use, or lead where a target may not stand. */
export function blockOf(family: Family, table: IptablesTableName): fc.Arbitrary<string> {
  const own = fc.constantFrom(...ownChains);
  const any = fc.constantFrom(...ownChains, ...builtinChains[table]);
  // Few different rules: a deletion should find one now and then.
  const simple = fc
    .constantFrom(
      '-j ACCEPT',
      '-p tcp -j RETURN',
      '-s 10.0.0.0/8',
      `-j ${ownChains[0]}`,
      `-g ${ownChains[1]}`,
    )
    .filter((text) => family === 4 || !text.includes('10.0.0.0'));
  const rule = fc.oneof(simple, ruleOf({ family, table, chains: ownChains }).map(ruleText));
  const command = fc.oneof(
    { weight: 6, arbitrary: own.map((chain) => `:${chain} - [0:0]`) },
    { weight: 6, arbitrary: fc.tuple(any, rule).map(([chain, text]) => `-A ${chain} ${text}`) },
    { weight: 2, arbitrary: fc.tuple(any, rule).map(([chain, text]) => `-I ${chain} ${text}`) },
    { weight: 1, arbitrary: fc.tuple(any, simple).map(([chain, text]) => `-D ${chain} ${text}`) },
    { weight: 1, arbitrary: any.map((chain) => `-D ${chain} 1`) },
    { weight: 2, arbitrary: any.map((chain) => `-F ${chain}`) },
    { weight: 1, arbitrary: own.map((chain) => `-X ${chain}`) },
    { weight: 1, arbitrary: own.map((chain) => `-N ${chain}`) },
    {
      weight: 1,
      arbitrary: fc
        .tuple(
          fc.constantFrom(...builtinChains[table]),
          fc.constantFrom('ACCEPT', table === 'filter' ? 'DROP' : 'ACCEPT'),
        )
        .map(([chain, policy]) => `:${chain} ${policy} [0:0]`),
    },
  );
  const beginning = ownChains.map((chain) => `:${chain} - [0:0]`);
  return fc
    .tuple(fc.boolean(), fc.array(command, { minLength: 1, maxLength: 5 }))
    .map(
      ([declared, commands]) =>
        `*${table}\n${[...(declared ? beginning : []), ...commands].join('\n')}\nCOMMIT\n`,
    );
}
