// The chains of classes and choices: what becomes of a packet whose priority holds the token of a service port. Pure.
import { rule } from '../../kernel/nft/declare.ts';
import { addressFields, addressType, addressTypes, fib, meta, numgen } from '../../kernel/nft/fields.ts';
import type { Rule } from '../../kernel/nft/objects.ts';
import { concat, type Selector, type Statement } from '../../kernel/nft/selector.ts';
import {
  dnat,
  drop,
  goto,
  reject,
  rejectWithReset,
  remove,
  returnStatement,
  update,
} from '../../kernel/nft/statement.ts';
import type { Prefix } from '../../net/prefix.ts';
import { transportNumber, transports } from '../../net/transport.ts';
import type { RuleContext } from '../rule-context.ts';
import { idMask, upperMask } from './token.ts';
import { type Choice, choiceName, className, type TrafficClass } from './traffic-class.ts';

/** A class's chain, and the chains that it leads to. */
export function classRules(of: TrafficClass, context: RuleContext): readonly Rule[] {
  const chain = className(of);
  const masquerade = meta.mark.setBits(context.masqueradeMark);
  switch (of.kind) {
    case 'refuse':
      return [
        // A client on this machine holds its socket while it sends: it would not take notice of ICMP before it tries again.
        rule(chain, [meta.l4proto.equals(transportNumber.tcp), rejectWithReset]),
        rule(chain, [reject(context.family === 4 ? 'ip' : 'ip6')]),
      ];
    case 'discard':
      return [rule(chain, [drop])];
    case 'internal': {
      const outside = context.masqueradeAll ? [] : localMatch(context)?.not;
      return [
        ...(outside === undefined ? [] : [rule(chain, [outside, masquerade])]),
        rule(chain, [gotoChoice(of.choice)]),
      ];
    }
    case 'external':
      return [rule(chain, [masquerade]), rule(chain, [gotoChoice(of.choice)])];
    case 'external-local': {
      const pods = localMatch(context)?.is;
      const node = fib.saddrType.equals(addressTypes.local);
      return [
        ...(pods === undefined ? [] : [rule(chain, [pods, gotoChoice(of.cluster)])]),
        rule(chain, [node, masquerade]),
        rule(chain, [node, gotoChoice(of.cluster)]),
        rule(chain, [gotoChoice(of.local)]),
      ];
    }
    case 'guard':
      return [
        rule(chain, [inPrefixes(addressFields(context.family).saddr, of.sources), returnStatement]),
        rule(chain, [goto('discard')]),
      ];
    default:
      return of satisfies never;
  }
}

/** As nft writes it: a set only where there are several. */
export function inPrefixes(selector: Selector, prefixes: readonly Prefix[]): Statement {
  const [first, ...others] = prefixes;
  return selector.in(first !== undefined && others.length === 0 ? first : prefixes);
}

/** The choices that a class's chain leads to. */
export function choicesOf(of: TrafficClass): readonly Choice[] {
  switch (of.kind) {
    case 'internal':
    case 'external':
      return [of.choice];
    case 'external-local':
      return [of.cluster, of.local].filter(({ count }) => count > 0);
    default:
      return [];
  }
}

function gotoChoice(choice: Choice): Statement {
  return goto(choice.count === 0 ? 'discard' : choiceName(choice));
}

/** How packets of pods of this node (or of the cluster) look, and all others. Undefined: nobody knows. */
function localMatch({
  family,
  localDetector: detector,
}: RuleContext): { readonly is: Statement; readonly not: Statement } | undefined {
  switch (detector.kind) {
    case 'prefix': {
      const { saddr } = addressFields(family);
      return { is: saddr.in(detector.prefix.network()), not: saddr.notIn(detector.prefix.network()) };
    }
    // What the node itself sends comes over no link: it is not of a pod.
    case 'bridge':
      return { is: meta.iifname.equals(detector.link), not: meta.iifname.notEquals(detector.link) };
    case 'link-prefix': {
      const any = `${detector.prefix}*`;
      return { is: meta.iifname.equals(any), not: meta.iifname.notEquals(any) };
    }
    case 'none':
      return undefined;
    default:
      return detector satisfies never;
  }
}

/** The chain that picks one of so many endpoints. It finds the token in the priority and leaves the id there. */
export function choiceRules(choice: Choice, family: RuleContext['family']): readonly Rule[] {
  return choice.stickySeconds === undefined
    ? pickRules(choice, family)
    : stickyRules({ ...choice, stickySeconds: choice.stickySeconds }, family);
}

const keepId = meta.priority.keepBits(idMask);
const id = meta.priority.masked(idMask);
const hasUpper = meta.priority.maskedNotEquals(upperMask, 0);

/** nft wants to know that there are ports before it translates them. */
const withPorts = meta.l4proto.in(transports.map((transport) => transportNumber[transport]));

function to(by: Selector): Statement {
  return [...withPorts, ...dnat({ by })];
}

function pickRules(choice: Choice, family: RuleContext['family']): readonly Rule[] {
  const chain = choiceName(choice);
  const map = choice.list === 'local' ? 'local-endpoints' : 'endpoints';
  const one = (count: number) =>
    concat(meta.priority, numgen.random(count)).map(map, [addressType(family), 'inet_service']);
  return [
    rule(chain, [keepId]),
    rule(chain, [to(one(choice.count))]),
    ...(choice.count > 1 ? [rule(chain, [to(one(1))], { comment: 'a list that just became shorter' })] : []),
    rule(chain, [goto('discard')]),
  ];
}

/**
 * A client that is known is found by two lookups, however many endpoints there are: its entry has the index of its endpoint. One
 * whose endpoint is gone, or is not of the list that counts here, draws anew.
 */
function stickyRules(
  choice: Choice & { readonly stickySeconds: number },
  family: RuleContext['family'],
): readonly Rule[] {
  const chain = choiceName(choice);
  const local = choice.list === 'local' ? 'local-' : '';
  const { saddr } = addressFields(family);
  const client = concat(id, saddr);
  const timeout = choice.stickySeconds * 1000;
  const remember = update('affinity', { key: client, timeout, data: meta.priority });
  const translate = to(meta.priority.map(`sticky-${local}addresses`, [addressType(family), 'inet_service']));
  const draw = concat(meta.priority, numgen.random(choice.count)).map(`sticky-${local}endpoints`, [
    'classid',
  ]);
  return [
    rule(chain, [keepId]),
    rule(chain, [meta.priority.set(concat(meta.priority, saddr).map('affinity', ['classid']))]),
    rule(chain, [hasUpper, remember, translate]),
    rule(chain, [hasUpper, remove('affinity', { key: client, data: meta.priority })], {
      comment: 'its endpoint is gone',
    }),
    rule(chain, [keepId]),
    rule(chain, [meta.priority.set(draw)]),
    rule(chain, [remember, translate]),
    rule(chain, [translate], { comment: 'no room to remember the client' }),
    rule(chain, [goto('discard')]),
  ];
}
