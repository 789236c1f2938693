// The table of a family without any service in it: sets, hooks and the chains that packets pass whatever service they are for, and the
// chains of the classes in use. Pure. The layout and its reasons: docs/adr/0012-the-class-travels-in-the-priority.md.
import { baseChain, chain, element, elementsOf, priority, rule, table } from '../../kernel/nft/declare.ts';
import { addressFields, addressTypes, ct, fib, ip, ip6, meta, th } from '../../kernel/nft/fields.ts';
import type { Chain, Rule, Table, TableId } from '../../kernel/nft/objects.ts';
import { concat, type Statement } from '../../kernel/nft/selector.ts';
import type { Element, NftSet } from '../../kernel/nft/set.ts';
import { drop, goto, jump, masquerade, update } from '../../kernel/nft/statement.ts';
import { verdict } from '../../kernel/nft/verdict.ts';
import { type Family, IpAddress } from '../../net/address.ts';
import { Prefix } from '../../net/prefix.ts';
import { transportNumber, transports } from '../../net/transport.ts';
import type { RuleContext } from '../rule-context.ts';
import { choiceRules, choicesOf, classRules, inPrefixes } from './class-chains.ts';
import { proxySets, type SetSizes, trafficTimeout } from './proxy-sets.ts';
import { withoutDoubles } from './source-ranges.ts';
import { token, upperMask } from './token.ts';
import { type Choice, choiceName, className, type TrafficClass } from './traffic-class.ts';

export function proxyTableId(family: Family): TableId {
  return { family: family === 4 ? 'ip' : 'ip6', name: 'netloom-proxy' };
}

export const localhostGuardName = 'localhost-guard';

const loopback4 = Prefix.parse('127.0.0.0/8');
const loopback6 = IpAddress.parse('::1');

/** Classes that other chains lead to: always there. */
export const fixedClasses: readonly TrafficClass[] = [{ kind: 'refuse' }, { kind: 'discard' }];

/** A class in use: its number is its key in map `classes`. */
export interface NumberedClass {
  readonly number: number;
  readonly trafficClass: TrafficClass;
}

export interface TableOptions {
  readonly sizes: SetSizes;
  readonly classes: Iterable<NumberedClass>;
  /** Beside those that classes lead to. */
  readonly choices?: Iterable<Choice>;
  readonly counters: boolean;
}

/** The element of map `classes` that leads to the class's chain. */
export function classElement({ number, trafficClass }: NumberedClass): Element {
  return element(token(number, 0), { data: verdict.goto(className(trafficClass)) });
}

export function proxyTable(context: RuleContext, options: TableOptions): Table {
  const { family } = context;
  const classes = [...options.classes];
  const nodePortIps = context.nodePortIps === 'all' ? undefined : context.nodePortIps;
  const sets = proxySets(family, { ...options, nodePortIps: nodePortIps !== undefined }).map((set) => {
    if (set.name === 'classes') return withElements(set, classes.map(classElement));
    if (set.name === 'node-port-ips')
      return withElements(
        set,
        (nodePortIps ?? []).map((one) => element(one)),
      );
    return set;
  });
  const parts = [
    localhostGuard(context),
    ...(options.counters ? [accounting(family)] : []),
    classChains({ classes, choices: options.choices ?? [] }, context),
    translation(context),
  ];
  return table({
    ...proxyTableId(family),
    comment: 'Made by netloom proxy',
    sets,
    chains: parts.flatMap(({ chains }) => chains),
    rules: parts.flatMap(({ rules }) => rules),
  });
}

function withElements(set: NftSet, elements: readonly Element[]): NftSet {
  return { ...set, elements: elementsOf(set, elements) };
}

interface Part {
  readonly chains: readonly Chain[];
  readonly rules: readonly Rule[];
}

function translation(context: RuleContext): Part {
  const { daddr } = addressFields(context.family);
  const service = concat(daddr, meta.l4proto, th.dport);
  const byClass = meta.priority.masked(upperMask).vmap('classes');
  return {
    chains: [
      chain('guard'),
      chain('serve'),
      chain('dispatch'),
      baseChain('nat-prerouting', { type: 'nat', hook: 'prerouting', priority: priority.dstnat }),
      baseChain('nat-output', { type: 'nat', hook: 'output', priority: priority.dstnat }),
      baseChain('nat-postrouting', { type: 'nat', hook: 'postrouting', priority: priority.srcnat }),
    ],
    rules: [
      rule('guard', [byClass]),
      rule('guard', [goto('discard')]),
      rule('serve', [byClass]),
      rule('serve', [goto('discard')], { comment: 'between two transactions' }),
      rule('dispatch', [meta.priority.set(service.map('guarded', ['classid'])), jump('guard')]),
      rule('dispatch', [meta.priority.set(service.map('services', ['classid'])), goto('serve')]),
      ...nodePortMatches(context).map((match) =>
        rule('dispatch', [
          match,
          meta.priority.set(concat(meta.l4proto, th.dport).map('node-ports', ['classid'])),
          goto('serve'),
        ]),
      ),
      rule('dispatch', [daddr.inSet('cluster-ips'), goto('refuse')], {
        comment: 'ports that no service has',
      }),
      ...(context.serviceNetworks.length === 0
        ? []
        : [
            rule('dispatch', [inPrefixes(daddr, withoutDoubles(context.serviceNetworks)), goto('discard')], {
              comment: 'addresses that no service has',
            }),
          ]),
      rule('nat-prerouting', [jump('dispatch')]),
      rule('nat-output', [jump('dispatch')]),
      ...postrouting(context),
    ],
  };
}

/** Which destinations accept node ports. */
function nodePortMatches({ family, nodePortIps, localhostNodePorts }: RuleContext): readonly Statement[] {
  const local = fib.daddrType.equals(addressTypes.local);
  const { daddr } = addressFields(family);
  if (nodePortIps !== 'all')
    return [
      daddr.inSet('node-port-ips'),
      ...(localhostNodePorts && family === 4 ? [ip.daddr.in(loopback4)] : []),
    ];
  if (family === 6) return [[...local, ...ip6.daddr.notEquals(loopback6)]];
  return [localhostNodePorts ? local : [...local, ...ip.daddr.notIn(loopback4)]];
}

function postrouting({ family, masqueradeMark: mark }: RuleContext): readonly Rule[] {
  const { saddr, daddr } = addressFields(family);
  const hide = masquerade({ fullyRandom: true });
  return [
    rule('nat-postrouting', [ct.status('dnat'), meta.priority.set(0)]),
    rule('nat-postrouting', [meta.mark.maskedNotEquals(mark, 0), meta.mark.flipBits(mark), hide]),
    rule('nat-postrouting', [ct.status('dnat'), concat(saddr, daddr).inSet('hairpin'), hide], {
      comment: 'an endpoint that reached itself',
    }),
  ];
}

/** With route_localnet, neighbours could reach what listens on 127.0.0.1 (CVE-2020-8558). */
function localhostGuard({ family, localhostNodePorts }: RuleContext): Part {
  if (family === 6 || !localhostNodePorts) return { chains: [], rules: [] };
  return {
    chains: [baseChain(localhostGuardName, { type: 'filter', hook: 'prerouting', priority: priority.raw })],
    rules: [
      rule(localhostGuardName, [meta.iifname.notEquals('lo'), ip.daddr.in(loopback4), drop], {
        comment: 'route_localnet must not open 127.0.0.1 to neighbours',
      }),
    ],
  };
}

/** Each packet of a translated connection counts once: where it is forwarded, or where it leaves or enters the node. */
function accounting(family: Family): Part {
  const hooks = ['forward', 'input', 'output'] as const;
  return {
    chains: [
      chain('account'),
      ...hooks.map((hook) =>
        baseChain(`account-${hook}`, { type: 'filter', hook, priority: priority.filter }),
      ),
    ],
    rules: [
      ...(['original', 'reply'] as const).flatMap((direction) =>
        // nft reads the connection's port only behind a match of a certain protocol.
        transports.map((transport) =>
          rule('account', [
            ct.direction(direction),
            meta.l4proto.equals(transportNumber[transport]),
            update(direction === 'original' ? 'traffic-in' : 'traffic-out', {
              key: concat(ct.original.daddr(family), meta.l4proto, ct.original.protoDst),
              timeout: trafficTimeout,
              counter: true,
            }),
          ]),
        ),
      ),
      rule('account-forward', [ct.status('dnat'), jump('account')]),
      rule('account-input', [meta.iifname.notEquals('lo'), ct.status('dnat'), jump('account')], {
        comment: 'over lo they were counted when they left',
      }),
      rule('account-output', [ct.status('dnat'), jump('account')]),
    ],
  };
}

function classChains(
  of: { readonly classes: readonly NumberedClass[]; readonly choices: Iterable<Choice> },
  context: RuleContext,
): Part {
  const all = [...fixedClasses, ...of.classes.map(({ trafficClass }) => trafficClass)];
  const classes = new Map(all.map((one) => [className(one), one]));
  const choices = new Map(
    [...of.choices, ...all.flatMap(choicesOf)].map((choice) => [choiceName(choice), choice]),
  );
  return {
    chains: [...choices.keys(), ...classes.keys()].map((name) => chain(name)),
    rules: [
      ...[...choices.values()].flatMap((choice) => choiceRules(choice, context.family)),
      ...[...classes.values()].flatMap((one) => classRules(one, context)),
    ],
  };
}
